package view

import (
	"fmt"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// LeaseFacts is what is known of one lease.
type LeaseFacts struct {
	Lease *v1alpha1.IPLease
	// PoolExists tells whether its pool does.
	PoolExists bool
	// Network is the pool's as "namespace/name"; "" when the pool is gone.
	Network string
	// OwnerExists tells whether the owner with that very UID does. It says
	// nothing of a lease that is reserved.
	OwnerExists bool
	// Fixed tells whether the owner's request asks for this address.
	Fixed bool
	// Declined tells whether the guest has declined the address lately.
	Declined bool
}

// LeaseState returns one word for how the lease is.
func LeaseState(facts LeaseFacts) v1.LeaseState {
	switch {
	case !facts.PoolExists:
		return v1.LeaseOrphaned
	case facts.Declined:
		return v1.LeaseConflict
	case convert.Reserved(facts.Lease):
		return v1.LeaseReserved
	case !facts.OwnerExists:
		return v1.LeaseOrphaned
	default:
		return v1.LeaseAllocated
	}
}

// Lease returns the body of a lease.
func Lease(facts LeaseFacts) v1.Lease {
	lease := facts.Lease
	body := v1.Lease{
		Namespace: lease.Namespace, Name: lease.Name, UID: string(lease.UID),
		Pool: lease.Spec.PoolName, Network: facts.Network,
		Address: lease.Spec.Address, MAC: Spelling(lease.Spec.MACAddress),
		State: LeaseState(facts), Origin: string(lease.Spec.Origin), Fixed: facts.Fixed,
		Owner: leaseOwner(lease.Spec.Owner), Comment: lease.Annotations[v1alpha1.AnnotationComment],
		CreatedAt: utc(lease.CreationTimestamp),
	}

	if kept := lease.Spec.Reservation; kept != nil {
		body.Reservation = &v1.LeaseReservation{MAC: Spelling(kept.MACAddress), Owner: leaseOwner(kept.Owner)}
	}

	body.Message = leaseMessage(facts, body.State)

	return body
}

func leaseMessage(facts LeaseFacts, state v1.LeaseState) string {
	lease := facts.Lease

	switch {
	case state == v1.LeaseConflict:
		return "the guest has declined the address, because another machine uses it; find that machine, or release the address"
	case !facts.PoolExists:
		return fmt.Sprintf("its IPPool %s is gone, so nobody answers with the address; it is freed when its owner ends, or delete it",
			lease.Spec.PoolName)
	case state == v1.LeaseOrphaned:
		return fmt.Sprintf("%s is gone, so the address is about to be freed", convert.OwnerName(lease.Spec.Owner))
	case state == v1.LeaseReserved:
		return reservedFor(convert.ReservationOf(lease))
	case lease.Spec.Reservation != nil:
		return "when its owner ends the address is not free: it " + reservedFor(lease.Spec.Reservation)
	default:
		return ""
	}
}

func reservedFor(kept *v1alpha1.LeaseReservation) string {
	text := "is kept for "

	switch {
	case kept.Owner == nil && kept.MACAddress == "":
		return text + "nobody; delete the lease to free it"
	case kept.Owner == nil:
		return text + "MAC address " + Spelling(kept.MACAddress)
	case kept.Owner.InterfaceName != "":
		return text + convert.OwnerName(kept.Owner) + ", interface " + kept.Owner.InterfaceName
	default:
		return text + convert.OwnerName(kept.Owner)
	}
}

func leaseOwner(owner *v1alpha1.LeaseOwner) *v1.LeaseOwner {
	if owner == nil {
		return nil
	}

	return &v1.LeaseOwner{
		Kind: owner.Kind, Namespace: owner.Namespace, Name: owner.Name, UID: string(owner.UID), Interface: owner.InterfaceName,
	}
}

// Spelling writes a MAC address in lower case with colons. What cannot be read
// stays as it is, so that a person sees the mistake.
func Spelling(mac string) string {
	parsed, err := dhcp.ParseMAC(mac)

	switch {
	case err != nil:
		return mac
	case parsed.IsZero():
		return ""
	default:
		return parsed.String()
	}
}
