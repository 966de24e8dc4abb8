package guest

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// hook runs the clients' hook with their way of telling, for a NIC that every
// machine has, and returns the events so far. It leaves the NIC alone, as with
// dhcpcd.
func hook(t *testing.T, dir string, arg string, env ...string) []Event {
	t.Helper()
	script, err := files.ReadFile("light/lease.sh")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "lease.sh")
	text := strings.NewReplacer("@DIR@", dir, "@CONFIGURES@", "yes").Replace(string(script))
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", path, arg)
	cmd.Env = append(os.Environ(), append(env, "interface=lo")...)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("hook: %v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	events, err := ParseConsole(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		events[i].Uptime = 0
	}
	return events
}

// The same lease, told by udhcpc and by dhclient, reads the same.
func TestHook(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	want := Event{
		Kind: Bound, NIC: "lo", MAC: "00:00:00:00:00:00", Addr: netip.MustParsePrefix("10.0.1.5/20"),
		Routers: []netip.Addr{addr("10.0.0.1")}, DNS: []netip.Addr{addr("10.0.0.2"), addr("10.0.0.3")},
		Domain: "lab.example", MTU: 1400, Lease: time.Minute, Server: addr("10.0.0.1"),
	}
	tests := map[string]struct {
		arg string
		env []string
	}{
		"udhcpc": {"bound", []string{
			"ip=10.0.1.5", "mask=20", "router=10.0.0.1", "dns=10.0.0.2 10.0.0.3", "domain=lab.example", "mtu=1400",
			"lease=60", "serverid=10.0.0.1",
		}},
		"dhclient": {"", []string{
			"reason=BOUND", "new_ip_address=10.0.1.5", "new_subnet_mask=255.255.240.0", "new_routers=10.0.0.1",
			"new_domain_name_servers=10.0.0.2 10.0.0.3", "new_domain_name=lab.example", "new_interface_mtu=1400",
			"new_dhcp_lease_time=60", "new_dhcp_server_identifier=10.0.0.1",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hook(t, t.TempDir(), tt.arg, tt.env...)
			if diff := cmp.Diff([]Event{want}, got, cmpNetip(), cmpPrefix()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHookTellsOneLifeOfALease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hook(t, dir, "bound", "ip=10.0.0.5", "mask=24")
	hook(t, dir, "renew", "ip=10.0.0.5", "mask=24")
	hook(t, dir, "nak", "serverid=10.0.0.1")
	hook(t, dir, "deconfig")
	hook(t, dir, "deconfig") // nothing more to lose
	hook(t, dir, "leasefail")
	got := hook(t, dir, "bound", "ip=10.0.0.6", "mask=24")
	var kinds []string
	for _, e := range got {
		kinds = append(kinds, string(e.Kind))
	}
	if diff := cmp.Diff("bound renewed nak lost failed changed", strings.Join(kinds, " ")); diff != "" {
		t.Fatalf("kinds (-want +got):\n%s", diff)
	}
	if last := got[len(got)-1]; last.Previous != netip.MustParseAddr("10.0.0.5") {
		t.Errorf("previous address %s, want 10.0.0.5", last.Previous)
	}
}

func TestPluginConfigRefuses(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"type":"kube-ovn"}`: `"kube-ovn"`,
		`{`:                   "spec.config",
		``:                    "spec.config",
	} {
		nad := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"config": config}}}
		nad.SetNamespace("tenant")
		nad.SetName("net")
		if _, err := pluginConfig(nad); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "tenant/net") {
			t.Errorf("config %s: error %v, want one that names the network and %s", config, err, want)
		}
	}
}
