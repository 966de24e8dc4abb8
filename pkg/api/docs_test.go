package api_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/contracttest"
	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// everything is a Reviewer that allows everything, a stand-in for Kubernetes'.
type everything struct{}

func (everything) May(context.Context, user.Info, string, access.Object) (bool, error) {
	return true, nil
}

// frontDesk is an Observer, a stand-in for agents that have heard web-1 only.
type frontDesk struct{}

func (frontDesk) Observe(context.Context, types.NamespacedName, []api.Watched) api.Observation {
	first := netip.MustParseAddr("192.168.48.10")

	return api.Observation{
		Answered: 1, Since: epoch(),
		Seen:     map[netip.Addr]v1.Observed{first: {Known: true, LastSeen: epoch(), LastMessage: "DHCPACK", Hostname: "web-1"}},
		Messages: map[netip.Addr][]v1.HistoryItem{first: {{At: epoch().AddDate(0, 0, 1), Source: v1.SourceWire, What: "DHCPACK"}}},
	}
}

// described is the small cluster that docs/api.md speaks of.
func described() *fixture {
	f := newFixture(nil)
	f.Store = store.New(store.Config{Clock: epoch, ManagedByDefault: true})
	f.api = api.New(api.Config{Store: f.Store, Authenticator: tokens{}, Reviewer: everything{}, Observer: frontDesk{}, Clock: epoch})

	for name, route := range map[string]string{
		"vlan-48": `{"mode":"manual","cidr":"192.168.48.0/24"}`, "vlan-49": `{"mode":"manual","cidr":"192.168.49.0/24"}`, "office": `{"mode":"auto"}`,
	} {
		network := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, Annotations: map[string]string{utils.KeyNetworkRoute: route},
		}}
		f.Load(network)
	}

	first, second := f.describedPool("vlan-48", "1 of 2 agents answer"), f.describedPool("vlan-49", "2 of 2 agents answer")
	first.Spec.IPv4Config.Pool = v1alpha1.Pool{Start: "192.168.48.10", End: "192.168.48.109", Exclude: []string{"192.168.48.100-192.168.48.109"}}
	f.Load(first)
	f.Load(second)

	for i, pool := range []*v1alpha1.IPPool{first, first, second, second} {
		f.describedAgent(pool, "agent-"+string(rune('1'+i)), i != 1)
	}

	for i := range 4 {
		f.describedMachine(first, i)
	}

	kept := f.lease(first, "192.168.48.20", "52:54:00:aa:aa:aa", nil)
	kept.Annotations[v1alpha1.AnnotationComment] = "the printer"
	kept.ResourceVersion = "100000"
	f.Load(kept)

	return f
}

func (f *fixture) describedPool(name, message string) *v1alpha1.IPPool {
	octet := name[len(name)-2:]
	pool := &v1alpha1.IPPool{ObjectMeta: f.meta("default", name), Spec: v1alpha1.IPPoolSpec{
		NetworkName: "default/" + name,
		IPv4Config:  v1alpha1.IPv4Config{CIDR: "192.168." + octet + ".0/24", Router: "192.168." + octet + ".1", ServerIP: "192.168." + octet + ".2"},
	}}
	pool.Spec.IPv4Config.Pool = v1alpha1.Pool{Start: "192.168." + octet + ".3", End: "192.168." + octet + ".254"}
	pool.Status.Agent = &v1alpha1.AgentStatus{Replicas: 2}

	for _, kind := range []string{v1alpha1.IPPoolRegistered, v1alpha1.IPPoolAgentReady} {
		pool.Status.Conditions = append(pool.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Message: message})
	}

	return pool
}

func (f *fixture) describedAgent(pool *v1alpha1.IPPool, name string, ready bool) {
	pod := &corev1.Pod{ObjectMeta: f.meta("freehold-system", name), Spec: corev1.PodSpec{NodeName: "node-1"}}
	pod.Labels = map[string]string{v1alpha1.LabelPoolNamespace: pool.Namespace, v1alpha1.LabelPoolName: pool.Name}
	pod.Status.Phase = corev1.PodPending

	if ready {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}

	f.Load(pod)
}

// describedMachine is web-1 to web-4; the last one is on the office network.
func (f *fixture) describedMachine(pool *v1alpha1.IPPool, i int) {
	name, network := "web-"+string(rune('1'+i)), "default/vlan-48"
	if i == 3 {
		network = "default/office"
	}

	vm := f.vm("default", name, network)
	mac := "52:54:00:00:00:0" + string(rune('a'+i))
	vm.Spec.Template.Spec.Domain.Devices.Interfaces = vm.Spec.Template.Spec.Domain.Devices.Interfaces[:1]
	vm.Spec.Template.Spec.Domain.Devices.Interfaces[0].MacAddress = mac
	f.Load(vm)

	if i == 3 {
		return
	}

	if i == 0 {
		f.request(vm, "192.168.48.10")
	}

	lease := &v1alpha1.IPLease{ObjectMeta: f.meta("default", "vlan-48.192.168.48.1"+string(rune('0'+i))), Spec: v1alpha1.IPLeaseSpec{
		PoolName: pool.Name, Address: "192.168.48.1" + string(rune('0'+i)), MACAddress: mac,
		Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "default", Name: name, UID: vm.UID, InterfaceName: "eth0"},
	}}
	f.Load(lease)
}

// The page's examples print what the page says.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()

	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("FREEHOLD_REQUIRE_TOOLS") == "1" {
				t.Fatal(err)
			}

			t.Skip(err)
		}
	}

	page, err := os.ReadFile(filepath.FromSlash("../../docs/api.md"))
	if err != nil {
		t.Fatal(err)
	}

	examples, err := contracttest.Examples(string(page))
	if err != nil {
		t.Fatal(err)
	}

	f := described()
	server := httptest.NewTLSServer(http.HandlerFunc(f.api.ServeHTTP))
	t.Cleanup(server.Close)

	authority := filepath.Join(t.TempDir(), "ca.crt")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, err := range contracttest.Run(t.Context(), examples, "FREEHOLD="+server.URL, "TOKEN=ann", "CURL=curl --cacert "+authority) {
		t.Errorf("docs/api.md, %v", err)
	}

	if len(examples) < 10 {
		t.Errorf("the page has %d examples only", len(examples))
	}
}
