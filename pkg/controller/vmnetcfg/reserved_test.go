package vmnetcfg

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

func ofVM(name, nic string) *v1alpha1.LeaseOwner {
	return &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: name, InterfaceName: nic}
}

func reserved(address, mac string, owner *v1alpha1.LeaseOwner) func(*world) {
	return func(w *world) { w.reserve(address, mac, owner) }
}

func endVM(name string) func(*world) {
	return func(w *world) {
		if err := errors.Join(w.vms.Delete("vms", name, nil), w.requests.Delete("vms", name, nil)); err != nil {
			panic(err)
		}
	}
}

func sweep(w *world) { w.sweep() }

// keep has the held address stay with the name of its holder.
func keep(address string) func(*world) {
	return func(w *world) {
		lease := must(w.leases.Get("vms", "net."+address, metav1.GetOptions{}))
		lease.Spec.Reservation = &v1alpha1.LeaseReservation{Owner: lease.Spec.Owner.DeepCopy()}
		must(w.leases.Update(lease))
	}
}

func reservationStories() []story {
	const (
		holds4 = "net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0 fixed"
		holds2 = "net.10.0.0.2 52:54:00:00:00:01 VirtualMachine/one/eth0"
	)

	allocated4 := []string{"eth0 10.0.0.4 Allocated Allocated"}

	return []story{
		{
			name: "for a MAC address", chapters: []func(*world){reserved("10.0.0.4", mac(1), nil), one(eth0(""))},
			status: allocated4, held: []string{holds4}, says: "1 of 1 NICs hold an address",
			writes: []string{"update ipleases vms/net.10.0.0.4", "updateStatus vmnetcfgs vms/one"},
		},
		{
			name: "for a MAC address in another spelling", chapters: []func(*world){reserved("10.0.0.4", "52-54-00-00-00-01", nil), one(eth0(""))},
			status: allocated4, held: []string{holds4},
		},
		{
			name: "for a virtual machine", chapters: []func(*world){reserved("10.0.0.4", "", ofVM("one", "")), one(eth0(""))},
			status: allocated4, held: []string{holds4},
		},
		{
			name:     "for a virtual machine that is yet to take up its request",
			chapters: []func(*world){reserved("10.0.0.4", "", ofVM("one", "")), func(w *world) { w.byHand("one", eth0("")) }},
			status:   allocated4, held: []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachineNetworkConfig/one/eth0 fixed"},
		},
		{
			name: "for a request",
			chapters: []func(*world){
				reserved("10.0.0.4", "", &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVMNetCfg, Namespace: "vms", Name: "one"}),
				one(eth0("")),
			},
			status: allocated4, held: []string{holds4},
		},
		{
			name: "for one NIC of a virtual machine",
			chapters: []func(*world){
				reserved("10.0.0.4", "", ofVM("one", "eth1")), one(eth0(""), eth("eth1", "net", mac(2), "")),
			},
			status: []string{"eth0 10.0.0.2 Allocated Allocated", "eth1 10.0.0.4 Allocated Allocated"},
			held:   []string{holds2, "net.10.0.0.4 52:54:00:00:00:02 VirtualMachine/one/eth1 fixed"},
		},
		{
			name: "one for each NIC, the one for its MAC address before the one for its machine",
			chapters: []func(*world){
				reserved("10.0.0.3", "", ofVM("one", "")), reserved("10.0.0.4", mac(1), nil), one(eth0(""), eth("eth1", "net", mac(2), "")),
			},
			status: []string{"eth0 10.0.0.4 Allocated Allocated", "eth1 10.0.0.3 Allocated Allocated"},
			held:   []string{"net.10.0.0.3 52:54:00:00:00:02 VirtualMachine/one/eth1 fixed", holds4},
		},
		{
			name: "one for a machine with two NICs is given out once",
			chapters: []func(*world){
				reserved("10.0.0.4", "", ofVM("one", "")), one(eth0(""), eth("eth1", "net", mac(2), "")),
			},
			status: []string{"eth0 10.0.0.4 Allocated Allocated", "eth1 10.0.0.2 Allocated Allocated"},
			held:   []string{"net.10.0.0.2 52:54:00:00:00:02 VirtualMachine/one/eth1", holds4},
		},
		{
			name:     "for nobody: never given out",
			chapters: []func(*world){reserved("10.0.0.2", "", nil), one(eth0("10.0.0.2"))},
			status:   []string{"eth0  Pending AddressTaken"}, held: []string{"reserved net.10.0.0.2 "},
			says: "IPLease vms/net.10.0.0.2, which is reserved for nobody; ask for another one",
		},
		{
			name: "all for others: exhausted",
			chapters: []func(*world){
				reserved("10.0.0.2", "", nil), reserved("10.0.0.3", mac(7), nil),
				reserved("10.0.0.4", "", ofVM("two", "")), reserved("10.0.0.5", mac(1), ofVM("two", "")), one(eth0("")),
			},
			status: []string{"eth0  Pending PoolExhausted"}, says: "4 of 4 are used",
			held: []string{
				"reserved net.10.0.0.2 ", "reserved net.10.0.0.3 " + mac(7), "reserved net.10.0.0.4  VirtualMachine/two/",
				"reserved net.10.0.0.5 " + mac(1) + " VirtualMachine/two/",
			},
		},
		{
			name:     "for a namesake in another namespace",
			chapters: []func(*world){reserved("10.0.0.4", "", &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "dev", Name: "one"}), one(eth0("10.0.0.4"))},
			status:   []string{"eth0  Pending AddressTaken"}, held: []string{"reserved net.10.0.0.4  VirtualMachine/one/"},
			says: "reserved for VirtualMachine dev/one",
		},
		{
			name: "wanted and reserved for the NIC", chapters: []func(*world){reserved("10.0.0.4", "", ofVM("one", "")), one(eth0("10.0.0.4"))},
			status: allocated4, held: []string{holds4},
		},
		{
			name: "another one is wanted", chapters: []func(*world){reserved("10.0.0.4", mac(1), nil), one(eth0("10.0.0.2"))},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2, "reserved net.10.0.0.4 " + mac(1)},
		},
		{
			name: "of an excluded address", chapters: []func(*world){
				func(w *world) {
					w.editPool("net", func(pool *poolObject) { pool.Spec.IPv4Config.Pool.Exclude = []string{"10.0.0.4"} })
				},
				reserved("10.0.0.4", mac(1), nil), one(eth0("")),
			},
			status: allocated4, held: []string{holds4},
		},
		{
			name: "of an address out of the range", chapters: []func(*world){reserved("10.0.0.9", mac(1), nil), one(eth0(""))},
			status: []string{"eth0 10.0.0.9 Allocated Allocated"}, held: []string{"net.10.0.0.9 52:54:00:00:00:01 VirtualMachine/one/eth0 fixed"},
		},
		{
			name: "of the server's own address is not given out", chapters: []func(*world){reserved("10.0.0.1", mac(1), nil), one(eth0(""))},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{"reserved net.10.0.0.1 " + mac(1), holds2},
		},
		{
			name: "of an address out of the network is not given out", chapters: []func(*world){reserved("10.0.9.9", mac(1), nil), one(eth0(""))},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2, "reserved net.10.0.9.9 " + mac(1)},
		},
		{
			name:     "a NIC that holds an address keeps it",
			chapters: []func(*world){one(eth0("")), reserved("10.0.0.4", mac(1), nil)},
			status:   []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2, "reserved net.10.0.0.4 " + mac(1)},
		},
		{
			name:     "a NIC that holds an address moves when it asks for the reserved one",
			chapters: []func(*world){one(eth0("")), reserved("10.0.0.4", "", ofVM("one", "")), change(eth0("10.0.0.4"))},
			status:   allocated4, held: []string{holds4},
			writes: []string{"update ipleases vms/net.10.0.0.4", "delete ipleases vms/net.10.0.0.2", "updateStatus vmnetcfgs vms/one"},
		},
		{
			name:     "the machine is deleted: the reservation stays, as it was",
			chapters: []func(*world){reserved("10.0.0.4", "", ofVM("two", "")), two(eth0("")), endVM("two"), sweep, one(eth0("10.0.0.4"))},
			status:   []string{"eth0  Pending AddressTaken"}, held: []string{"reserved net.10.0.0.4  VirtualMachine/two/"},
		},
		{
			name: "the machine is made again before the end of the first is worked off",
			chapters: []func(*world){
				reserved("10.0.0.4", "", ofVM("one", "")), one(eth0("")), endVM("one"), one(eth("eth0", "net", mac(9), "")), sweep,
			},
			status: allocated4, held: []string{"net.10.0.0.4 52:54:00:00:00:09 VirtualMachine/one/eth0 fixed"},
		},
		{
			name: "until then its NIC waits", chapters: []func(*world){
				reserved("10.0.0.4", "", ofVM("one", "")), one(eth0("")), endVM("one"), one(eth("eth0", "net", mac(9), "")),
			},
			status: []string{"eth0  Pending AddressPending"}, says: "is being taken back from an earlier VirtualMachine vms/one",
			held: []string{holds4},
		},
		{
			name: "unless it wants another", chapters: []func(*world){
				reserved("10.0.0.4", "", ofVM("one", "")), one(eth0("")), endVM("one"), one(eth("eth0", "net", mac(9), "10.0.0.3")),
			},
			status: []string{"eth0 10.0.0.3 Allocated Allocated"},
			held:   []string{"net.10.0.0.3 52:54:00:00:00:09 VirtualMachine/one/eth0", holds4},
		},
		{
			name: "a MAC address goes to another machine", chapters: []func(*world){
				reserved("10.0.0.4", mac(1), nil), two(eth0("")), endVM("two"), one(eth0("")), sweep,
			},
			status: allocated4, held: []string{holds4},
		},
		{
			name:     "the NIC is removed: the reservation stays",
			chapters: []func(*world){reserved("10.0.0.4", mac(1), nil), one(eth0("")), change()},
			held:     []string{"reserved net.10.0.0.4 " + mac(1)}, says: "no NIC is on a network with an IPPool",
		},
		{
			name:     "the NIC wants another one: the reservation stays",
			chapters: []func(*world){reserved("10.0.0.4", mac(1), nil), one(eth0("")), change(eth0("10.0.0.3"))},
			status:   []string{"eth0 10.0.0.3 Allocated Allocated"},
			held:     []string{"net.10.0.0.3 52:54:00:00:00:01 VirtualMachine/one/eth0", "reserved net.10.0.0.4 " + mac(1)},
		},
		{
			name: "the NIC gets another MAC address: it keeps the address, and the reservation is still for the first",
			chapters: []func(*world){
				reserved("10.0.0.4", mac(1), nil), one(eth0("")), change(eth("eth0", "net", mac(9), "")), change(),
			},
			held: []string{"reserved net.10.0.0.4 " + mac(1)},
		},
		{
			name: "a held address that a person keeps", chapters: []func(*world){
				two(eth0("10.0.0.4")), keep("10.0.0.4"), endVM("two"), sweep, one(eth0("10.0.0.4")),
			},
			status: []string{"eth0  Pending AddressTaken"}, held: []string{"reserved net.10.0.0.4  VirtualMachine/two/eth0"},
		},
		{
			name: "a paused pool gives no reserved address out", chapters: []func(*world){reserved("10.0.0.4", mac(1), nil), pausePool, one(eth0(""))},
			status: []string{"eth0  Pending PoolPaused"}, held: []string{"reserved net.10.0.0.4 " + mac(1)},
		},
		{
			name: "removed while it is held: the address is the NIC's as any other", chapters: []func(*world){
				reserved("10.0.0.4", mac(1), nil), one(eth0("")), removeLease("net.10.0.0.4"),
			},
			status: allocated4, held: []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0"},
		},
	}
}

func TestReservations(t *testing.T) {
	t.Parallel()
	tell(t, reservationStories())
}

// TestReservationIsToldToWhoHoldsAnother: a NIC keeps its address, and a person
// can read how to get the reserved one.
func TestReservationIsToldToWhoHoldsAnother(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.pool("net")
	w.vm("one", eth0(""))

	m := w.manager()
	m.settle(t)
	w.reserve("10.0.0.4", mac(1), nil)
	m.settle(t)

	request := must(w.requests.Get("vms", "one", metav1.GetOptions{}))
	if said := request.Status.NetworkConfigs[0].Message; !strings.Contains(said, "10.0.0.4 is reserved for this NIC, too; ask for that address") {
		t.Errorf("the NIC is told %q", said)
	}
}

// TestReservationWakes: a reservation wakes the requests of its MAC address and
// of its machine, and so does its return.
func TestReservationWakes(t *testing.T) {
	t.Parallel()

	for name, does := range map[string]struct {
		before, then func(*world)
	}{
		"for a MAC address":   {before: func(*world) {}, then: reserved("10.0.0.4", "52-54-00-00-00-01", nil)},
		"for a machine":       {before: func(*world) {}, then: reserved("10.0.0.4", "", ofVM("one", ""))},
		"returned, a MAC's":   {before: func(w *world) { held(w, mac(1), nil) }, then: sweep},
		"returned, a machine": {before: func(w *world) { held(w, "", ofVM("one", "")) }, then: sweep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld()
			w.pool("net")
			does.before(w)
			w.vm("other", eth("eth0", "net", mac(2), ""))
			w.vm("one", eth0(""))

			m := w.manager()
			w.requests.Enqueued = nil

			does.then(w)
			m.sync()

			if diff := cmp.Diff([]string{"vms/one"}, slices.Compact(w.requests.Enqueued)); diff != "" {
				t.Errorf("woken (-want +got):\n%s", diff)
			}
		})
	}
}

// held has a machine that is gone hold a reserved address.
func held(w *world, mac string, owner *v1alpha1.LeaseOwner) {
	must(w.leases.Create(&v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.4"},
		Spec: v1alpha1.IPLeaseSpec{
			PoolName: "net", Address: "10.0.0.4", MACAddress: "52:54:00:00:00:44",
			Owner:       &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "gone", UID: "gone"},
			Reservation: &v1alpha1.LeaseReservation{MACAddress: mac, Owner: owner},
		},
	}))
}

// TestTwoTakeOneReservation: of two NICs that a reservation fits, each looked at
// by its own manager at the same time, one gets it and the other one another.
func TestTwoTakeOneReservation(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.pool("net")
	w.reserve("10.0.0.4", mac(1), nil)
	w.byHand("one", eth("", "net", mac(1), ""))
	w.byHand("two", eth("", "net", mac(1), ""))

	first, second := w.manager(), w.manager()
	if err := first.reconcile(t, "vms/one"); err != nil {
		t.Fatal(err)
	}

	if err := second.reconcile(t, "vms/two"); !apierrors.IsConflict(err) {
		t.Errorf("the second one gets %v, want a conflict", err)
	}

	second.settle(t)

	want := []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachineNetworkConfig/one/ fixed"}
	if diff := cmp.Diff(want, w.held()); diff != "" {
		t.Errorf("leases (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff([]string{"Pending MACConflict"}, w.status("two")); diff != "" {
		t.Errorf("status of the other (-want +got):\n%s", diff)
	}
}
