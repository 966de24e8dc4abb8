package convert

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

func reservedFor(kind, namespace, name, nic string) *v1alpha1.LeaseOwner {
	return &v1alpha1.LeaseOwner{Kind: kind, Namespace: namespace, Name: name, InterfaceName: nic}
}

func TestFits(t *testing.T) {
	t.Parallel()

	claim := Claim{
		Namespace: "vms", VirtualMachine: "web", Request: "web-request", Interface: "eth0",
		MAC: dhcp.MAC{0x52, 0x54, 0, 0, 0, 1},
	}

	const vm, request = v1alpha1.OwnerVirtualMachine, v1alpha1.OwnerVMNetCfg

	for name, tc := range map[string]struct {
		reservation *v1alpha1.LeaseReservation
		want        bool
	}{
		"none":                        {nil, false},
		"for nobody":                  {&v1alpha1.LeaseReservation{}, false},
		"its MAC address":             {&v1alpha1.LeaseReservation{MACAddress: "52:54:00:00:00:01"}, true},
		"in another spelling":         {&v1alpha1.LeaseReservation{MACAddress: "5254.0000.0001"}, true},
		"another MAC address":         {&v1alpha1.LeaseReservation{MACAddress: "52:54:00:00:00:02"}, false},
		"a MAC address that is none":  {&v1alpha1.LeaseReservation{MACAddress: "00:00:00:00:00:00"}, false},
		"its machine":                 {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "vms", "web", "")}, true},
		"its machine and NIC":         {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "vms", "web", "eth0")}, true},
		"another NIC of it":           {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "vms", "web", "eth1")}, false},
		"another machine":             {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "vms", "db", "")}, false},
		"a namesake":                  {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "dev", "web", "")}, false},
		"a machine called as it":      {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "vms", "web-request", "")}, false},
		"its request":                 {&v1alpha1.LeaseReservation{Owner: reservedFor(request, "vms", "web-request", "")}, true},
		"no name":                     {&v1alpha1.LeaseReservation{Owner: reservedFor(vm, "vms", "", "")}, false},
		"a kind of a later version":   {&v1alpha1.LeaseReservation{Owner: reservedFor("Pod", "vms", "web", "")}, false},
		"its machine and MAC address": {&v1alpha1.LeaseReservation{MACAddress: "52:54:00:00:00:01", Owner: reservedFor(vm, "vms", "web", "")}, true},
		"its machine, another MAC":    {&v1alpha1.LeaseReservation{MACAddress: "52:54:00:00:00:02", Owner: reservedFor(vm, "vms", "web", "")}, false},
		"its MAC, another machine":    {&v1alpha1.LeaseReservation{MACAddress: "52:54:00:00:00:01", Owner: reservedFor(vm, "vms", "db", "")}, false},
	} {
		if got := Fits(tc.reservation, claim); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}

	if Fits(&v1alpha1.LeaseReservation{Owner: reservedFor(v1alpha1.OwnerVMNetCfg, "vms", "", "")}, Claim{Namespace: "vms"}) {
		t.Error("a claim without names fits a reservation without one")
	}
}

// TestThereAndBack: a reservation that was taken up, by however many one after
// the other, goes back to what it was.
func TestThereAndBack(t *testing.T) {
	t.Parallel()

	for name, spec := range map[string]v1alpha1.IPLeaseSpec{
		"for nobody":        {},
		"for a MAC address": {MACAddress: "5254.0000.0001"},
		"for a machine":     {Owner: reservedFor(v1alpha1.OwnerVirtualMachine, "vms", "web", "eth0")},
		"for both":          {MACAddress: "5254.0000.0001", Owner: reservedFor(v1alpha1.OwnerVirtualMachine, "vms", "web", "")},
	} {
		spec.PoolName, spec.Address = "net", "10.0.0.2"
		made := &v1alpha1.IPLease{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.2"}, Spec: spec}
		before := made.DeepCopy()

		if !Reserved(made) || Returned(made) != nil {
			t.Errorf("%s: it is held before anybody came", name)
		}

		owner := v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "web", UID: "1", InterfaceName: "eth0"}
		taken := TakenUp(made, owner, dhcp.MAC{0x52, 0x54, 0, 0, 0, 9})

		if Reserved(taken) || *taken.Spec.Owner != owner || taken.Spec.MACAddress != "52:54:00:00:00:09" {
			t.Errorf("%s: taken up it is %+v", name, taken.Spec)
		}

		if diff := cmp.Diff(ReservationOf(made), ReservationOf(taken)); diff != "" {
			t.Errorf("%s: the reservation was changed:\n%s", name, diff)
		}

		if diff := cmp.Diff(before, Returned(taken)); diff != "" {
			t.Errorf("%s: returned (-made +returned):\n%s", name, diff)
		}

		if diff := cmp.Diff(before, made); diff != "" {
			t.Errorf("%s: the lease itself was changed:\n%s", name, diff)
		}
	}

	// A person keeps an address that is held, and copies its owner.
	kept := &v1alpha1.IPLease{Spec: v1alpha1.IPLeaseSpec{
		Owner:       &v1alpha1.LeaseOwner{Name: "web", UID: "1"},
		Reservation: &v1alpha1.LeaseReservation{Owner: &v1alpha1.LeaseOwner{Name: "web", UID: "1"}},
	}}
	if !Reserved(Returned(kept)) || kept.Spec.Reservation.Owner.UID == "" {
		t.Error("a reservation with a UID must go back to one that nobody holds, and stay what it was")
	}

	if plain := (&v1alpha1.IPLease{Spec: v1alpha1.IPLeaseSpec{Owner: &v1alpha1.LeaseOwner{UID: "1"}}}); Returned(plain) != nil || ReservationOf(plain) != nil {
		t.Error("a lease that nobody reserved is no reservation")
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()

	held := reservedFor(v1alpha1.OwnerVirtualMachine, "vms", "web", "eth0")
	held.UID = "1"

	for want, spec := range map[string]v1alpha1.IPLeaseSpec{
		"VirtualMachine vms/web":                                                                  {Owner: held},
		"IPLease vms/net.10.0.0.2, which is reserved for nobody":                                  {},
		"IPLease vms/net.10.0.0.2, which is reserved for MAC address 52:54:00:00:00:01":           {MACAddress: "52:54:00:00:00:01"},
		"IPLease vms/net.10.0.0.2, which is reserved for VirtualMachine vms/web":                  {Owner: reservedFor(v1alpha1.OwnerVirtualMachine, "vms", "web", "")},
		"IPLease vms/net.10.0.0.2, which is reserved for VirtualMachine vms/web (interface eth0)": {Owner: reservedFor(v1alpha1.OwnerVirtualMachine, "vms", "web", "eth0")},
	} {
		if got := Holder(&v1alpha1.IPLease{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0.2"}, Spec: spec}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
