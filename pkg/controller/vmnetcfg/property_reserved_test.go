package vmnetcfg

import (
	"fmt"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
)

// reservation makes or removes a reservation: for a MAC address or a machine,
// that are there, were or will be, or for nobody.
func (h *history) reservation() {
	address := fmt.Sprintf("10.0.0.%d", 2+h.rng.IntN(6))
	name := "net." + address

	if lease, err := h.leases.Get("vms", name, metav1.GetOptions{}); err == nil {
		if convert.ReservationOf(lease) != nil {
			delete(h.kept, name)
			h.forgetHolder(lease)

			if err := h.leases.Delete("vms", name, nil); err != nil {
				h.t.Fatal(err)
			}
		}

		return
	}

	switch h.rng.IntN(3) {
	case 0:
		h.reserve(address, mac(1+h.rng.IntN(h.macs+2)), nil)
	case 1:
		h.reserve(address, "", ofVM(fmt.Sprintf("vm-%d", 1+h.rng.IntN(h.machines+1)), []string{"", "a"}[h.rng.IntN(2)]))
	default:
		h.reserve(address, "", nil)
	}

	h.kept[name] = convert.ReservationOf(must(h.leases.Get("vms", name, metav1.GetOptions{})))
}

// forgetHolder notes that a lease was deleted by hand: its holder may be given
// another address, if somebody is quicker.
func (h *history) forgetHolder(lease *v1alpha1.IPLease) {
	if owner := lease.Spec.Owner; owner != nil {
		delete(h.told, owner.Name+" "+owner.InterfaceName+" vms/"+lease.Spec.PoolName)
	}
}

// reservations must outlive everything but a person, and no NIC may hold what
// is kept for another.
func (h *history) reservations() {
	h.t.Helper()

	found := map[string]*v1alpha1.LeaseReservation{}

	for _, lease := range h.leases.All() {
		reservation := convert.ReservationOf(lease)
		if reservation == nil {
			continue
		}

		found[lease.Name] = reservation

		// A NIC that was given another MAC address keeps what it holds.
		if owner := reservation.Owner; !convert.Reserved(lease) && owner != nil && owner.Name != lease.Spec.Owner.Name ||
			!convert.Reserved(lease) && owner == nil && reservation.MACAddress == "" {
			h.t.Fatalf("%s is reserved for %+v and held by %+v", lease.Name, reservation, lease.Spec)
		}
	}

	if diff := cmp.Diff(h.kept, found); diff != "" {
		h.t.Fatalf("reservations (-made +found):\n%s", diff)
	}
}

// leftAlone makes sure that a reservation has no NIC that it is for and that
// holds nothing.
func (h *history) leftAlone(lease *v1alpha1.IPLease) {
	h.t.Helper()

	for _, request := range h.requests.All() {
		for i, status := range request.Status.NetworkConfigs {
			if status.AllocatedIPAddress != "" || status.NetworkName != "vms/"+lease.Spec.PoolName {
				continue
			}

			n, err := h.managers[0].observeNIC(request, request.Spec.NetworkConfigs[i], nil)
			if err == nil && n.rival == nil && n.refusal == nil && n.reservation(nil) != nil {
				h.t.Fatalf("%s %s has no address although %s is reserved for it: %+v", request.Name, status.InterfaceName, lease.Name, status)
			}
		}
	}
}
