package convert

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Claim is a NIC that asks for a reserved address. Its fields are compared with
// what the reservation says; what is zero fits no reservation that asks for it.
type Claim struct {
	Namespace string
	// VirtualMachine and Request are the names of those that the NIC is of.
	VirtualMachine, Request string
	Interface               string
	MAC                     dhcp.MAC
}

// Reserved tells whether the lease is held by nobody: a person keeps its
// address for somebody, or for nobody at all.
func Reserved(lease *v1alpha1.IPLease) bool {
	return lease.Spec.Owner == nil || lease.Spec.Owner.UID == ""
}

// ReservationOf returns for whom the address is kept, whoever holds it now, or
// nil when it is free as soon as its owner ends. The result shares memory with
// the lease and must not be changed.
func ReservationOf(lease *v1alpha1.IPLease) *v1alpha1.LeaseReservation {
	if lease.Spec.Reservation == nil && Reserved(lease) {
		return &v1alpha1.LeaseReservation{MACAddress: lease.Spec.MACAddress, Owner: lease.Spec.Owner}
	}

	return lease.Spec.Reservation
}

// Fits tells whether an address is kept for that NIC: all that the reservation
// says must be so, and one that says nothing, or whose MAC address cannot be
// read, is for nobody.
func Fits(reservation *v1alpha1.LeaseReservation, claim Claim) bool {
	if reservation == nil {
		return false
	}

	mac, err := MAC(reservation.MACAddress)
	if err != nil || !mac.IsZero() && mac != claim.MAC {
		return false
	}

	owner := reservation.Owner
	if owner == nil {
		return !mac.IsZero()
	}

	var name string

	switch owner.Kind {
	case v1alpha1.OwnerVirtualMachine:
		name = claim.VirtualMachine
	case v1alpha1.OwnerVMNetCfg:
		name = claim.Request
	default: // what a later version wrote
	}

	return owner.Name != "" && owner.Name == name && owner.Namespace == claim.Namespace &&
		(owner.InterfaceName == "" || owner.InterfaceName == claim.Interface)
}

// TakenUp returns the lease as it is when owner holds the address that was
// reserved. It remembers the reservation, which outlives the owner.
func TakenUp(lease *v1alpha1.IPLease, owner v1alpha1.LeaseOwner, mac dhcp.MAC) *v1alpha1.IPLease {
	taken := lease.DeepCopy()
	taken.Spec.Reservation = ReservationOf(lease).DeepCopy()
	taken.Spec.Owner = &owner
	taken.Spec.MACAddress = mac.String()

	return taken
}

// Returned returns the lease as the reservation that it goes back to when its
// owner ends, or nil when the address is free then.
func Returned(lease *v1alpha1.IPLease) *v1alpha1.IPLease {
	if lease.Spec.Reservation == nil {
		return nil
	}

	returned := lease.DeepCopy()
	returned.Spec.MACAddress = lease.Spec.Reservation.MACAddress
	returned.Spec.Owner = lease.Spec.Reservation.Owner.DeepCopy()
	returned.Spec.Reservation = nil

	if returned.Spec.Owner != nil {
		returned.Spec.Owner.UID = ""
	}

	return returned
}

// Holder names in words who holds the lease or for whom it is reserved.
func Holder(lease *v1alpha1.IPLease) string {
	if !Reserved(lease) {
		return OwnerName(lease.Spec.Owner)
	}

	reservation := ReservationOf(lease)
	name := types.NamespacedName{Namespace: lease.Namespace, Name: lease.Name}

	switch {
	case reservation.Owner != nil && reservation.Owner.InterfaceName != "":
		return fmt.Sprintf("IPLease %s, which is reserved for %s (interface %s)", name, OwnerName(reservation.Owner), reservation.Owner.InterfaceName)
	case reservation.Owner != nil:
		return fmt.Sprintf("IPLease %s, which is reserved for %s", name, OwnerName(reservation.Owner))
	case reservation.MACAddress != "":
		return fmt.Sprintf("IPLease %s, which is reserved for MAC address %s", name, reservation.MACAddress)
	default:
		return fmt.Sprintf("IPLease %s, which is reserved for nobody", name)
	}
}

// OwnerName is "kind namespace/name".
func OwnerName(owner *v1alpha1.LeaseOwner) string {
	return owner.Kind + " " + owner.Namespace + "/" + owner.Name
}
