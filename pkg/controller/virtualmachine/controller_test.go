package virtualmachine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/kube"
)

type requestObject = v1alpha1.VirtualMachineNetworkConfig

type fixture struct {
	*Handler

	server   *apitest.Server
	requests *apitest.Store[*requestObject]
	cache    *apitest.Cache[*requestObject]
	vms      *apitest.Store[*kubevirtv1.VirtualMachine]
	vmCache  *apitest.Cache[*kubevirtv1.VirtualMachine]
	vmis     *apitest.Store[*kubevirtv1.VirtualMachineInstance]
	vmiCache *apitest.Cache[*kubevirtv1.VirtualMachineInstance]
	events   *apitest.Recorder
}

// newFixture has one pool, on network vms/net.
func newFixture() *fixture {
	server, events := &apitest.Server{}, &apitest.Recorder{}
	f := &fixture{
		server: server, events: events,
		requests: apitest.NewStore[*requestObject](server, "vmnetcfgs", nil),
		vms:      apitest.NewStore[*kubevirtv1.VirtualMachine](server, "vms", nil),
		vmis:     apitest.NewStore[*kubevirtv1.VirtualMachineInstance](server, "vmis", nil),
	}
	f.cache = apitest.NewCache(f.requests, map[string]func(*requestObject) ([]string, error){kube.IndexRequestByVM: kube.RequestVM})
	f.vmCache = apitest.NewCache(f.vms, map[string]func(*kubevirtv1.VirtualMachine) ([]string, error){kube.IndexVMByNetwork: kube.VMNetworks})
	f.vmiCache = apitest.NewCache[*kubevirtv1.VirtualMachineInstance](f.vmis, nil)
	f.Handler = &Handler{
		vms: f.vms, vmCache: f.vmCache, vmis: f.vmiCache, requests: f.requests, requestCache: f.cache,
		pools:  apitest.Pools(poolOf("net")),
		events: kube.NewAnnouncer(events),
	}

	return f
}

func poolOf(network string) *v1alpha1.IPPool {
	return &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: network}, Spec: v1alpha1.IPPoolSpec{NetworkName: "vms/" + network},
	}
}

func must[T any](object T, err error) T {
	if err != nil {
		panic(err)
	}

	return object
}

// look has the handler look at the machine, which it must not change.
func (f *fixture) look(t *testing.T, vm *kubevirtv1.VirtualMachine) error {
	t.Helper()

	before := vm.DeepCopy()
	_, err := f.OnChange("vms/vm", vm)

	if diff := cmp.Diff(before, vm); diff != "" {
		t.Errorf("the cached virtual machine was changed:\n%s", diff)
	}

	return err
}

// settle looks at the machine, with all news known, and wants no error.
func (f *fixture) settle(t *testing.T, vm *kubevirtv1.VirtualMachine) {
	t.Helper()

	for range 3 {
		f.cache.Sync()
		f.vmiCache.Sync()

		if err := f.look(t, vm); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fixture) wrote(t *testing.T, want ...string) {
	t.Helper()

	if diff := cmp.Diff(want, f.server.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

// TestRequestIsMadeOnceAndKept: also while the cache is behind, and written
// again only when the machine has changed.
func TestRequestIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()

	f, vm := newFixture(), machine(nil, device{"eth0", "net", "", ""})

	for range 3 { // the cache has not heard of the request yet
		if err := f.look(t, vm); err != nil {
			t.Fatal(err)
		}
	}

	f.settle(t, vm)
	f.wrote(t, "create vmnetcfgs vms/vm")

	// The MAC address is known when the machine runs.
	must(f.vmis.Create(instance("vm-uid", map[string]string{"eth0": macB}, nil)))
	f.server.Writes()
	f.settle(t, vm)
	f.wrote(t, "update vmnetcfgs vms/vm")

	want := []v1alpha1.NetworkConfig{entry("eth0", "vms/net", macB, "")}
	if diff := cmp.Diff(want, f.requests.All()[0].Spec.NetworkConfigs); diff != "" {
		t.Errorf("NICs (-want +got):\n%s", diff)
	}

	if told := f.events.Told(); len(told) > 0 {
		t.Errorf("told %q", told)
	}
}

func TestMachinesThatGetNoRequest(t *testing.T) {
	t.Parallel()

	going := machine(nil, device{"eth0", "net", macA, ""})
	now := metav1.Unix(9, 0)
	going.DeletionTimestamp = &now

	for name, vm := range map[string]*kubevirtv1.VirtualMachine{
		"on a network without a pool": machine(nil, device{"eth0", "wild", macA, ""}),
		"without a NIC":               machine(nil),
		"being deleted":               going,
		"gone":                        nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFixture()
			f.settle(t, vm)
			f.wrote(t)
		})
	}
}

// TestAnnotationIsTold: once, in an Event, and again when it was mended and
// broken anew.
func TestAnnotationIsTold(t *testing.T) {
	t.Parallel()

	f := newFixture()
	broken := machine(annotated(`{"eth0":`), device{"eth0", "net", macA, ""})

	f.settle(t, broken)

	told := f.events.Told()
	if len(told) != 1 || !strings.HasPrefix(told[0], "Warning AnnotationInvalid: annotation harvesterhci.io/mac-address") {
		t.Errorf("told %q", told)
	}

	f.settle(t, machine(nil, device{"eth0", "net", macA, ""}))
	f.settle(t, broken)

	if again := f.events.Told(); len(again) != 1 {
		t.Errorf("told %q", again)
	}
}

// TestARequestOfAnotherMachineUnderThisName: the machine is told which request
// it is, whose, and what to do, and gets its own when that one has gone.
func TestARequestOfAnotherMachineUnderThisName(t *testing.T) {
	t.Parallel()

	f, vm := newFixture(), machine(nil, device{"eth0", "net", macA, ""})
	blocker := must(f.requests.Create(&requestObject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "vm"}, Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "db"},
	}))

	if err := f.look(t, vm); err != nil { // the cache has not heard of it yet
		t.Fatal(err)
	}

	if told := f.events.Told(); len(told) > 0 {
		t.Errorf("told %q before it was known", told)
	}

	f.cache.Sync()
	f.requestChanged("vms/vm", blocker)

	if diff := cmp.Diff([]string{"vms/vm", "vms/db"}, f.vms.Enqueued); diff != "" {
		t.Errorf("its news has looked at (-want +got):\n%s", diff)
	}

	f.settle(t, vm)
	f.wrote(t, "create vmnetcfgs vms/vm")

	want := []string{`Warning RequestNameTaken: VirtualMachineNetworkConfig vms/vm stands where the request of this virtual machine would be, ` +
		`but its spec.vmName is "db", so the NICs get no address; delete it, and if db needs it, create it again under another name`}
	if diff := cmp.Diff(want, f.events.Told()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}

	if err := f.requests.Delete("vms", "vm", nil); err != nil {
		t.Fatal(err)
	}

	f.server.Writes()
	f.vms.Enqueued = nil
	f.requestChanged("vms/vm", nil)

	if diff := cmp.Diff([]string{"vms/vm"}, f.vms.Enqueued); diff != "" {
		t.Errorf("its end has looked at (-want +got):\n%s", diff)
	}

	f.settle(t, vm)
	f.wrote(t, "create vmnetcfgs vms/vm")

	if told := f.events.Told(); len(told) > 0 {
		t.Errorf("told %q", told)
	}
}

// TestItIsNoObstacle: to a machine that has a request of another name, or needs
// none.
func TestItIsNoObstacle(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		vm  *kubevirtv1.VirtualMachine
		own bool
	}{
		"a request of another name": {machine(nil, device{"eth0", "net", macA, ""}), true},
		"no pool":                   {machine(nil, device{"eth0", "wild", macA, ""}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFixture()
			must(f.requests.Create(&requestObject{
				ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "vm"}, Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "db"},
			}))

			if tc.own {
				must(f.requests.Create(&requestObject{
					ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "mine"}, Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "vm"},
				}))
			}

			f.settle(t, tc.vm)

			if told := f.events.Told(); len(told) > 0 {
				t.Errorf("told %q", told)
			}
		})
	}
}

// TestAnEarlierMachinesRequestGoesFirst: and then the machine gets its own.
func TestAnEarlierMachinesRequestGoesFirst(t *testing.T) {
	t.Parallel()

	f, vm := newFixture(), machine(nil, device{"eth0", "net", macA, ""})
	must(f.requests.Create(request("vm", "earlier", 1)))
	f.server.Writes()

	f.settle(t, vm)
	f.wrote(t, "delete vmnetcfgs vms/vm", "create vmnetcfgs vms/vm")

	if owner := f.requests.All()[0].OwnerReferences[0].UID; owner != "vm-uid" {
		t.Errorf("its owner is %s", owner)
	}
}

// TestFailures: a conflict stays bare, so that the framework tries again quietly;
// every other failure says what failed, and nothing is lost by it.
func TestFailures(t *testing.T) {
	t.Parallel()

	f, vm := newFixture(), machine(nil, device{"eth0", "net", macA, ""})
	away := errors.New("the API server is away")
	f.server.Intercept = func(string, string, bool) error { return away }

	err := f.look(t, vm)
	if !errors.Is(err, away) || !strings.Contains(err.Error(), "keep request of VirtualMachine vms/vm: create request") {
		t.Errorf("error is %v", err)
	}

	f.server.Intercept = nil
	f.settle(t, vm)
	f.wrote(t, "create vmnetcfgs vms/vm")

	// Somebody changed the request, and the cache has not heard of it.
	changed := f.requests.All()[0]
	changed.Labels["mine"] = "yes"
	must(f.requests.Update(changed))

	if err := f.look(t, machine(nil, device{"eth0", "net", macB, ""})); !apierrors.IsConflict(err) || errors.Unwrap(err) != nil {
		t.Errorf("error is %v, want a bare conflict", err)
	}
}

// TestANewPoolWakesMachinesWithoutARequest: and only those on its network.
func TestANewPoolWakesMachinesWithoutARequest(t *testing.T) {
	t.Parallel()

	f := newFixture()

	for name, network := range map[string]string{"a": "wild", "b": "vms/wild", "c": "net", "d": "wild"} {
		vm := machine(nil, device{"eth0", network, macA, ""})
		vm.Name = name
		must(f.vms.Create(vm))
	}

	must(f.requests.Create(&requestObject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "x"}, Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "d"},
	}))
	f.vmCache.Sync()
	f.cache.Sync()

	if err := f.enqueueNetwork(poolOf("wild")); err != nil {
		t.Fatal(err)
	}

	if err := f.enqueueNetwork(nil); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff([]string{"vms/a", "vms/b"}, f.vms.Enqueued); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}
