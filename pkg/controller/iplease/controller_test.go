package iplease

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

type request = v1alpha1.VirtualMachineNetworkConfig

type fixture struct {
	*Handler

	server   *apitest.Server
	leases   *apitest.Store[*v1alpha1.IPLease]
	vms      *apitest.Store[*kubevirtv1.VirtualMachine]
	requests *apitest.Store[*request]
	vmCache  *apitest.Cache[*kubevirtv1.VirtualMachine]
	reqCache *apitest.Cache[*request]
	events   *apitest.Recorder
}

func newFixture() *fixture {
	server, events := &apitest.Server{}, &apitest.Recorder{}
	f := &fixture{
		server: server, events: events,
		leases:   apitest.NewStore[*v1alpha1.IPLease](server, "ipleases", nil),
		vms:      apitest.NewStore[*kubevirtv1.VirtualMachine](server, "vms", nil),
		requests: apitest.NewStore[*request](server, "vmnetcfgs", nil),
	}
	f.vmCache = apitest.NewCache[*kubevirtv1.VirtualMachine](f.vms, nil)
	f.reqCache = apitest.NewCache[*request](f.requests, nil)

	pools := apitest.NewStore[*v1alpha1.IPPool](server, "ippools", nil)
	must(pools.Create(&v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net"}}))
	poolCache := apitest.NewCache[*v1alpha1.IPPool](pools, nil)
	poolCache.Sync()
	server.Writes()

	f.Handler = &Handler{
		leases: f.leases, pools: poolCache, requests: f.requests, requestCache: f.reqCache, vms: f.vms, vmCache: f.vmCache,
		ledger: ledger.New(), events: kube.NewAnnouncer(events), log: slog.New(slog.DiscardHandler),
	}

	return f
}

func must[T any](object T, err error) T {
	if err != nil {
		panic(err)
	}

	return object
}

func (f *fixture) vm(uid string) {
	must(f.vms.Create(&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "vm", UID: types.UID(uid)}}))
}

func (f *fixture) endVM() {
	if err := f.vms.Delete("vms", "vm", nil); err != nil {
		panic(err)
	}
}

func (f *fixture) request(uid string) {
	must(f.requests.Create(&request{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "vm", UID: types.UID(uid)}}))
}

// broken is a client of an API server that does not answer.
type broken[T any] struct{}

func (broken[T]) Get(string, string, metav1.GetOptions) (none T, err error) {
	return none, errors.New("the API server does not answer")
}

// TestEnded is the truth table of the one decision that frees an address.
func TestEnded(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		kind  string
		given func(f *fixture)
		ended bool
		fails bool
	}{
		{name: "the cache shows it alive", kind: v1alpha1.OwnerVirtualMachine, given: func(f *fixture) { f.vm("mine"); f.vmCache.Sync() }},
		{name: "the cache is behind, the server has it", kind: v1alpha1.OwnerVirtualMachine, given: func(f *fixture) { f.vm("mine") }},
		{
			name: "the cache has an earlier one of the name, the server has it", kind: v1alpha1.OwnerVirtualMachine,
			given: func(f *fixture) { f.vm("earlier"); f.vmCache.Sync(); f.endVM(); f.vm("mine") },
		},
		{name: "nobody has it", kind: v1alpha1.OwnerVirtualMachine, given: func(*fixture) {}, ended: true},
		{name: "the name is another's now", kind: v1alpha1.OwnerVirtualMachine, given: func(f *fixture) { f.vm("later"); f.vmCache.Sync() }, ended: true},
		{
			name: "the server does not answer, the cache shows it alive", kind: v1alpha1.OwnerVirtualMachine,
			given: func(f *fixture) { f.vm("mine"); f.vmCache.Sync(); f.Handler.vms = broken[*kubevirtv1.VirtualMachine]{} },
		},
		{
			name: "the server does not answer: kept", kind: v1alpha1.OwnerVirtualMachine,
			given: func(f *fixture) { f.Handler.vms = broken[*kubevirtv1.VirtualMachine]{} }, fails: true,
		},
		{name: "a request, alive in the cache", kind: v1alpha1.OwnerVMNetCfg, given: func(f *fixture) { f.request("mine"); f.reqCache.Sync() }},
		{name: "a request, alive on the server", kind: v1alpha1.OwnerVMNetCfg, given: func(f *fixture) { f.request("mine") }},
		{name: "a request that is gone", kind: v1alpha1.OwnerVMNetCfg, given: func(*fixture) {}, ended: true},
		{name: "a request of another UID", kind: v1alpha1.OwnerVMNetCfg, given: func(f *fixture) { f.request("later") }, ended: true},
		{
			name: "a request, the server does not answer: kept", kind: v1alpha1.OwnerVMNetCfg,
			given: func(f *fixture) { f.Handler.requests = broken[*request]{} }, fails: true,
		},
		{name: "a virtual machine does not keep a request's address", kind: v1alpha1.OwnerVMNetCfg, given: func(f *fixture) { f.vm("mine") }, ended: true},
		{name: "a kind that only a later version knows: kept", kind: "Pod", given: func(*fixture) {}},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			f := newFixture()
			tc.given(f)

			held := must(f.leases.Create(&v1alpha1.IPLease{
				ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.2"},
				Spec: v1alpha1.IPLeaseSpec{PoolName: "net", Address: "10.0.0.2", Owner: &v1alpha1.LeaseOwner{
					Kind: tc.kind, Namespace: "vms", Name: "vm", UID: "mine",
				}},
			}))
			f.ledger.Put(held)

			before := held.DeepCopy()
			_, err := f.OnChange("vms/net.10.0.0.2", held)

			if (err != nil) != tc.fails {
				t.Errorf("error is %v", err)
			}

			if freed := len(f.leases.All()) == 0; freed != tc.ended {
				t.Errorf("freed: %t, want %t", freed, tc.ended)
			}

			if known := f.ledger.Get(ledger.KeyOf(held)) == nil; known != tc.ended {
				t.Errorf("the ledger knows it is free: %t, want %t", known, tc.ended)
			}

			if told := len(f.events.Told()) > 0; told != tc.ended {
				t.Errorf("told: %t, want %t", told, tc.ended)
			}

			if diff := cmp.Diff(before, held); diff != "" {
				t.Errorf("the cached lease was changed:\n%s", diff)
			}
		})
	}
}

// TestReturned: the end of whoever took a reserved address up leaves the
// reservation, exactly as it was.
func TestReturned(t *testing.T) {
	t.Parallel()

	reservations := map[string]v1alpha1.IPLeaseSpec{
		"for a MAC address": {MACAddress: "52-54-00-00-00-01"},
		"for a machine":     {Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm", InterfaceName: "eth0"}},
		"for nobody":        {},
	}

	for name, spec := range reservations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFixture()
			spec.PoolName, spec.Address, spec.Origin = "net", "10.0.0.2", v1alpha1.OriginManual
			made := must(f.leases.Create(&v1alpha1.IPLease{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.2"}, Spec: spec}))
			taken := must(f.leases.Update(convert.TakenUp(made, v1alpha1.LeaseOwner{
				Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm", UID: "ended",
			}, dhcp.MAC{0x52, 0x54, 0, 0, 0, 1})))
			f.ledger.Put(taken)

			if _, err := f.OnChange("vms/net.10.0.0.2", taken); err != nil {
				t.Fatal(err)
			}

			left := f.leases.All()
			if len(left) != 1 {
				t.Fatalf("leases are %v", left)
			}

			if diff := cmp.Diff(made.Spec, left[0].Spec); diff != "" {
				t.Errorf("reservation (-made +left):\n%s", diff)
			}

			if known := f.ledger.Get(ledger.KeyOf(made)); known == nil || !convert.Reserved(known) {
				t.Errorf("the ledger knows %+v", known)
			}

			if told := f.events.Told(); len(told) != 1 || !strings.Contains(told[0], "VirtualMachine vms/vm was deleted; 10.0.0.2 is kept by IPLease vms/net.10.0.0.2, which is reserved for") {
				t.Errorf("told: %q", told)
			}

			f.server.Writes()

			if _, err := f.OnChange("vms/net.10.0.0.2", left[0]); err != nil || len(f.server.Writes()) > 0 {
				t.Errorf("it goes on: %v", err)
			}
		})
	}
}

// TestLeftAlone: leases that are nobody's, going or gone.
func TestLeftAlone(t *testing.T) {
	t.Parallel()

	f := newFixture()
	now := metav1.Unix(9, 0)

	for _, held := range []*v1alpha1.IPLease{
		nil,
		{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.2"}},
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.4"},
			Spec:       v1alpha1.IPLeaseSpec{Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "not-yet"}},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.3", DeletionTimestamp: &now},
			Spec:       v1alpha1.IPLeaseSpec{Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "gone"}},
		},
	} {
		if _, err := f.OnChange("vms/x", held); err != nil {
			t.Errorf("%v: %v", held, err)
		}
	}

	if writes := f.server.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

// TestChangedMeanwhile: a lease that got another owner between the look and the
// deletion is kept, and the bare conflict has the framework try again quietly.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()

	f := newFixture()
	old := must(f.leases.Create(&v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.2"},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "net", Address: "10.0.0.2", Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "gone", UID: "gone"}},
	}))

	changed := old.DeepCopy()
	changed.Spec.Owner.Name, changed.Spec.Owner.UID = "vm", "mine"
	must(f.leases.Update(changed))

	if _, err := f.OnChange("vms/net.10.0.0.2", old); !apierrors.IsConflict(err) || len(f.leases.All()) != 1 {
		t.Errorf("error is %v, leases are %v", err, f.leases.All())
	}

	if err := f.leases.Delete("vms", "net.10.0.0.2", nil); err != nil {
		t.Fatal(err)
	}

	if _, err := f.OnChange("vms/net.10.0.0.2", old); err != nil {
		t.Errorf("what is gone already is no error: %v", err)
	}
}

// TestOwnersThatEndWakeTheirLeases: and only theirs, whatever the UID of a
// later one of the same name.
func TestOwnersThatEndWakeTheirLeases(t *testing.T) {
	t.Parallel()

	f := newFixture()

	for name, owner := range map[string]v1alpha1.LeaseOwner{
		"net.10.0.0.2": {Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm", UID: "earlier"},
		"net.10.0.0.3": {Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm", UID: "later"},
		"net.10.0.0.4": {Kind: v1alpha1.OwnerVMNetCfg, Namespace: "vms", Name: "vm", UID: "earlier"},
		"net.10.0.0.5": {Kind: v1alpha1.OwnerVirtualMachine, Namespace: "other", Name: "vm", UID: "earlier"},
	} {
		f.ledger.Put(&v1alpha1.IPLease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: name},
			Spec:       v1alpha1.IPLeaseSpec{PoolName: "net", Address: name[4:], Owner: &owner},
		})
	}

	f.enqueueOwner(v1alpha1.OwnerVirtualMachine, "vms/vm", "later")

	if diff := cmp.Diff([]string{"vms/net.10.0.0.2"}, f.leases.Enqueued); diff != "" {
		t.Error(diff)
	}

	f.enqueueOwner(v1alpha1.OwnerVMNetCfg, "vms/vm", "")

	if diff := cmp.Diff([]string{"vms/net.10.0.0.2", "vms/net.10.0.0.4"}, f.leases.Enqueued); diff != "" {
		t.Error(diff)
	}
}
