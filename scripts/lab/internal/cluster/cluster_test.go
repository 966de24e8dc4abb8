package cluster

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

func testCluster(t *testing.T) *Cluster {
	t.Helper()
	o := Options{StateDir: t.TempDir()}.withDefaults()
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	return newCluster(state{Options: o, Mode: vlan.Overlay, ControlPlaneDir: "/built/cp", RuntimeDir: "/built/rt"})
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	got := map[string][]string{}
	for _, n := range c.Nodes() {
		for _, cn := range n.Networks() {
			got[cn.Name] = append(got[cn.Name], n.Name)
		}
	}
	all := []string{"node1", "node2", "node3"}
	want := map[string][]string{"mgmt": all, "provider-all": all, "provider-cp": {"node1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cluster networks' nodes (-want +got):\n%s", diff)
	}
}

func TestOptionsRefuse(t *testing.T) {
	t.Parallel()
	nodes := []NodeSpec{{Name: "a"}, {Name: "b"}}
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"relative state":   {Options{StateDir: "lab"}, `stateDir "lab"`},
		"root as state":    {Options{StateDir: "/"}, `stateDir "/"`},
		"bad node name":    {Options{Nodes: []NodeSpec{{Name: "Node_1"}}}, `nodes[0].name "Node_1"`},
		"node twice":       {Options{Nodes: []NodeSpec{{Name: "a"}, {Name: "a"}}}, `nodes[1].name "a"`},
		"reserved name":    {Options{Nodes: []NodeSpec{{Name: controlPlaneName}}}, `nodes[0].name`},
		"too many nodes":   {Options{Nodes: make([]NodeSpec, maxNodes+1)}, "nodes: 100 given"},
		"long network":     {Options{Nodes: nodes, ClusterNetworks: []ClusterNetwork{{Name: "thirteenchars"}}}, `clusterNetworks[0].name "thirteenchars"`},
		"network twice":    {Options{Nodes: nodes, ClusterNetworks: []ClusterNetwork{{Name: "x"}, {Name: "x"}}}, `clusterNetworks[1].name "x"`},
		"unknown node":     {Options{Nodes: nodes, ClusterNetworks: []ClusterNetwork{{Name: "x", Nodes: []string{"c"}}}}, `"c" is no node`},
		"empty net's name": {Options{Nodes: nodes, ClusterNetworks: []ClusterNetwork{{}}}, `clusterNetworks[0].name ""`},
	} {
		err := c.o.withDefaults().validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: validate() = %v, want an error with %q", name, err, c.want)
		}
	}
}

// The largest cluster allowed has no address or interface name twice, and no
// name that the kernel refuses.
func TestAddressPlanHoldsTheLargestCluster(t *testing.T) {
	t.Parallel()
	names, addrs := map[string]bool{underlayBridge: true, controlPlaneLink: true}, map[netip.Addr]bool{controlPlaneIP(): true, machineIP(): true}
	add := func(name string) {
		if len(name) > 15 || names[name] || !strings.HasPrefix(name, linkPrefix) {
			t.Fatalf("interface name %q is too long, taken or without prefix", name)
		}
		names[name] = true
	}
	for node := 1; node <= maxNodes; node++ {
		add(underlayLink(node))
		for network := 1; network <= vlan.MaxIndex; network++ {
			add(networkLink(network, node))
			if a := uplinkIP(network, node); addrs[a] {
				t.Fatalf("address %s is taken", a)
			}
			addrs[uplinkIP(network, node)] = true
		}
		if addrs[nodeIP(node)] {
			t.Fatalf("address %s is taken", nodeIP(node))
		}
		addrs[nodeIP(node)] = true
		if !netip.MustParsePrefix(podCIDR).Overlaps(nodePods(node)) {
			t.Fatalf("pods of node %d: %s is outside %s", node, nodePods(node), podCIDR)
		}
	}
	for network := 1; network <= vlan.MaxIndex; network++ {
		add(switchBridge(network))
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	rest := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for _, name := range []string{"(etcd)", "(a) S 1 (b)", "(  )"} {
		start, state, err := parseStat([]byte("42 " + name + rest))
		if err != nil || start != 4711 || state != 'S' {
			t.Errorf("parseStat with name %s = %d, %c, %v, want 4711, S", name, start, state, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (x", "42 (x) S 1", "42 (x)" + strings.Replace(rest, "4711", "soon", 1)} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q): want an error", bad)
		}
	}
}

// sleeper starts a process that does nothing and notes it in a pid file.
func sleeper(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), pidFile)
	if err := writePid(path, p); err != nil {
		t.Fatal(err)
	}
	return cmd, path
}

func TestKillEndsOnlyTheProcessOfTheFile(t *testing.T) {
	t.Parallel()
	cmd, path := sleeper(t)
	p, ok, err := readPid(path)
	if err != nil || !ok {
		t.Fatalf("readPid = %v, %v, want a live process", ok, err)
	}
	for what, other := range map[string]process{
		"a later process of that number": {Pid: p.Pid, Start: p.Start - 1, Boot: p.Boot},
		"a process of an earlier boot":   {Pid: p.Pid, Start: p.Start, Boot: "another"},
	} {
		file := filepath.Join(t.TempDir(), pidFile)
		if err := writePid(file, other); err != nil {
			t.Fatal(err)
		}
		if err := kill(t.Context(), file); err != nil {
			t.Fatalf("kill with the file of %s: %v", what, err)
		}
		if !p.alive() {
			t.Fatalf("the file of %s ended our process", what)
		}
	}
	if err := kill(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("the process still runs")
	}
	cmd.Wait() //nolint:errcheck // it was killed
	if err := kill(t.Context(), path); err != nil {
		t.Errorf("kill of what has ended: %v", err)
	}
}

func TestReadPidBearsWhatACrashLeaves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, ok, err := readPid(filepath.Join(dir, "none")); ok || err != nil {
		t.Errorf("missing file: %v, %v, want no process and no error", ok, err)
	}
	torn := filepath.Join(dir, "torn")
	if err := os.WriteFile(torn, []byte(`{"pid":1,"sta`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := readPid(torn); ok || err != nil {
		t.Errorf("torn file: %v, %v, want no process and no error", ok, err)
	}
}

func TestOpenReadsWhatSaveWrote(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	if _, err := Open(c.dir); err == nil {
		t.Fatal("Open before save: want ErrNotUp")
	}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	got, err := Open(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.state, got.state); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestPKI(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	for _, n := range c.nodes {
		if err := os.MkdirAll(n.dir(), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(c.pki(""), 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := c.writePKI(now); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(read(t, c.pki("ca.crt"))) {
		t.Fatal("no CA")
	}
	serving := certificate(t, read(t, c.pki("apiserver.crt")))
	for _, host := range []string{"10.96.0.1", "10.250.0.250", "kubernetes.default.svc"} {
		if _, err := serving.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now}); err != nil {
			t.Errorf("the API server's certificate does not serve %s: %v", host, err)
		}
	}
	for _, u := range c.users() {
		config, err := clientcmd.LoadFromFile(filepath.Join(c.dir, u.file))
		if err != nil {
			t.Fatal(err)
		}
		cert := certificate(t, config.AuthInfos[u.name].ClientCertificateData)
		_, err = cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err != nil || cert.Subject.CommonName != u.name || fmt.Sprint(cert.Subject.Organization) != fmt.Sprint(u.groups) {
			t.Errorf("%s: %v, %s %v", u.file, err, cert.Subject.CommonName, cert.Subject.Organization)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func certificate(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestNodeConfigs(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	n := c.nodes[1]
	if err := n.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Links []struct{ Name, Bridge, Address string }
		VLANs struct{ Networks map[string]vlan.Network }
	}
	if err := json.Unmarshal(read(t, n.file("init.json")), &spec); err != nil {
		t.Fatal(err)
	}
	want := []struct{ Name, Bridge, Address string }{
		{"eth0", "", "10.250.0.2/24"}, {"mgmt-bo", "mgmt-br", "198.18.1.2/24"}, {"provider-all-bo", "provider-all-br", "198.18.2.2/24"},
	}
	if diff := cmp.Diff(want, spec.Links); diff != "" {
		t.Errorf("links of node2, which does not carry provider-cp (-want +got):\n%s", diff)
	}
	if _, ok := spec.VLANs.Networks["provider-cp-br"]; ok || len(spec.VLANs.Networks) != 2 {
		t.Errorf("cluster networks of node2: %v", spec.VLANs.Networks)
	}
	c.Mode = vlan.Filtering
	for _, l := range n.spec().Links[1:] {
		if l.Address.IsValid() {
			t.Errorf("link %s has address %s where tags are real and nothing needs one", l.Name, l.Address)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	all, err := c.nodes[0].Links("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fhl-u1", "fhl-c1n1", "fhl-c2n1", "fhl-c3n1"}, all); diff != "" {
		t.Errorf("all links of node1 (-want +got):\n%s", diff)
	}
	if one, err := c.nodes[0].Links("provider-all"); err != nil || cmp.Diff([]string{"fhl-c2n1"}, one) != "" {
		t.Errorf("link of provider-all = %v, %v", one, err)
	}
	if got, err := c.nodes[1].Links("provider-cp"); err == nil {
		t.Errorf("link of a network that node2 does not carry = %v, want an error", got)
	}
}

func TestImageNames(t *testing.T) {
	t.Parallel()
	for image, want := range map[string][2]string{
		"localhost/pause:dev":  {"localhost/pause", "dev"},
		"localhost:5000/x/y:1": {"localhost:5000/x/y", "1"},
		"localhost:5000/x/y":   {"localhost:5000/x/y", ""},
		"plain":                {"plain", ""},
	} {
		name, tag, ok := cutTag(image)
		if got := [2]string{name, tag}; got != want || ok != (want[1] != "") {
			t.Errorf("cutTag(%q) = %v, %v, want %v", image, got, ok, want)
		}
	}
	table := "REF  TYPE  DIGEST  SIZE\nlocalhost/a:1 application/x sha256:aa 1.0 MiB linux/amd64 -\nbroken\n"
	if diff := cmp.Diff(map[string]string{"localhost/a:1": "sha256:aa"}, imageDigests(table)); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
}
