package vmnetcfg

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// observeLeases finds what in the pool concerns the NIC beside its own leases:
// another owner's of the same MAC address, and addresses that are reserved for
// it.
func (h *Handler) observeLeases(n *nic, request *v1alpha1.VirtualMachineNetworkConfig, uids []types.UID) {
	claim := claimOf(*n, request)
	others := func(lease *v1alpha1.IPLease) bool {
		return !convert.Reserved(lease) && !slices.Contains(uids, lease.Spec.Owner.UID)
	}

	for _, lease := range h.ledger.OfMAC(n.pool.key, n.mac) {
		if n.mayTake(lease, claim) {
			n.reserved = append(n.reserved, lease)
		} else if n.rival == nil && others(lease) {
			n.rival = lease
		}
	}

	for _, lease := range h.namesakes(n.pool.key, claim) {
		if n.mayTake(lease, claim) && !slices.Contains(n.reserved, lease) {
			n.reserved = append(n.reserved, lease)
		} else if n.promised == nil && others(lease) && convert.Fits(convert.ReservationOf(lease), claim) {
			n.promised = lease
		}
	}
}

// namesakes returns the leases of the pool whose owner has the name of the NIC's
// virtual machine or request, whatever its UID.
func (h *Handler) namesakes(pool ledger.Key, claim convert.Claim) []*v1alpha1.IPLease {
	leases := slices.Concat(
		h.ledger.OfOwner(ledger.OwnerKey{Kind: v1alpha1.OwnerVirtualMachine, Namespace: claim.Namespace, Name: claim.VirtualMachine}),
		h.ledger.OfOwner(ledger.OwnerKey{Kind: v1alpha1.OwnerVMNetCfg, Namespace: claim.Namespace, Name: claim.Request}),
	)

	return slices.DeleteFunc(leases, func(lease *v1alpha1.IPLease) bool { return ledger.PoolOf(lease) != pool })
}

// claimOf is what the NIC shows to get a reserved address. The machine is the one
// that owns the request, or the one that it names while it was made by hand.
func claimOf(n nic, request *v1alpha1.VirtualMachineNetworkConfig) convert.Claim {
	claim := convert.Claim{
		Namespace: request.Namespace, VirtualMachine: request.Spec.VMName, Request: request.Name,
		Interface: n.config.InterfaceName, MAC: n.mac,
	}
	if owner := kube.VMOwner(request); owner != nil {
		claim.VirtualMachine = owner.Name
	}

	return claim
}

// mayTake tells whether nobody holds the lease and it is kept for the NIC. A
// person may keep addresses out of the range or excluded from it, but not those
// that would break the network.
func (n nic) mayTake(lease *v1alpha1.IPLease, claim convert.Claim) bool {
	if !convert.Reserved(lease) || !convert.Fits(convert.ReservationOf(lease), claim) {
		return false
	}

	switch n.pool.plan.Role(ledger.AddressOf(lease)) {
	case ipam.RoleFree, ipam.RoleExcluded, ipam.RoleOutOfRange:
		return true
	default:
		return false
	}
}

// reservation returns the reserved lease that the NIC takes: the one that it
// wants, or any if it wants none. Those in used are another NIC's.
func (n nic) reservation(used map[*v1alpha1.IPLease]bool) *v1alpha1.IPLease {
	for _, lease := range n.reserved {
		if !used[lease] && (!n.wanted.IsValid() || n.wanted == ledger.AddressOf(lease)) {
			return lease
		}
	}

	return nil
}

// awaited tells whether the NIC should wait for the address that is promised.
func (n nic) awaited() bool {
	return n.promised != nil && (!n.wanted.IsValid() || n.wanted == ledger.AddressOf(n.promised))
}

func awaitedRefusal(n nic) *refusal {
	return &refusal{reason: v1alpha1.ReasonPending, message: fmt.Sprintf(
		"%s is reserved for this NIC and is being taken back from an earlier %s", n.promised.Spec.Address, convert.OwnerName(n.promised.Spec.Owner))}
}

// tellReservation notes an address that is reserved for a NIC that holds another
// one. It keeps what it holds: nothing but its owner moves a NIC.
func (s *step) tellReservation(used map[*v1alpha1.IPLease]bool) {
	if s.lease == nil || s.refusal != nil || s.move {
		return
	}

	if lease := s.nic.reservation(used); lease != nil {
		s.note = fmt.Sprintf("%s is reserved for this NIC, too; ask for that address to move there", lease.Spec.Address)
	}
}
