package ippool

import (
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// mostNamed is how many leases or users a message names; the rest is counted.
const mostNamed = 10

func keyOf(pool *v1alpha1.IPPool) ledger.Key {
	return ledger.Key{Namespace: pool.Namespace, Name: pool.Name}
}

// judgeLeases refuses a plan that takes held addresses away from their holders.
// For a new pool that is every lease under its name that the plan does not give
// out, because leases outlive a pool that was deleted by force; but not one that
// a person keeps out of the range or excluded from it, as people may.
func (w World) judgeLeases(pool, old *v1alpha1.IPPool, plan ipam.Plan, verdict *review.Verdict) {
	var before ipam.Plan
	if old != nil {
		// With an old plan that cannot be read everything held is looked at.
		before, _ = convert.PoolPlan(&old.Spec)
	}

	var held []netip.Addr

	for _, lease := range w.Leases.OfPool(keyOf(pool)) {
		if address := ledger.AddressOf(lease); address.IsValid() {
			held = append(held, address)
		}
	}

	var strands []string

	for _, strand := range ipam.Stranded(before, plan, held) {
		lease := w.Leases.Holder(keyOf(pool), strand.Addr)
		holder := holderOf(lease)

		switch strand.Role {
		case ipam.RoleServer:
			verdict.Refuse(occupied("serverIP", "server", strand.Addr, holder))
		case ipam.RoleRouter:
			verdict.Refuse(occupied("router", "router", strand.Addr, holder))
		default:
			apart := strand.Role == ipam.RoleExcluded || strand.Role == ipam.RoleOutOfRange
			if old == nil && apart && lease != nil && convert.ReservationOf(lease) != nil {
				continue
			}

			strands = append(strands, fmt.Sprintf("%s of %s %s", strand.Addr, holder, strand.Reason))
		}
	}

	if len(strands) > 0 {
		verdict.Refuse(field.Invalid(configPath().Child("pool"), plan.Range.String(), fmt.Sprintf(
			"would cut off %s: %s; keep these addresses in the range and out of exclude, or remove their holders first",
			count(len(strands), "held address", "held addresses"), enumerate(strands))))
	}
}

// occupied is the problem of a server or router address that a guest holds.
func occupied(name, what string, address netip.Addr, holder string) *field.Error {
	return field.Invalid(configPath().Child(name), address.String(), fmt.Sprintf(
		"%s ip %s is already occupied by %s; choose another address, or remove the holder first", what, address, holder))
}

// holderOf names who holds a lease, which may have gone meanwhile.
func holderOf(lease *v1alpha1.IPLease) string {
	switch {
	case lease == nil:
		return "somebody"
	case convert.Reserved(lease) || lease.Spec.Owner.InterfaceName == "":
		return convert.Holder(lease)
	default:
		return convert.Holder(lease) + " (interface " + lease.Spec.Owner.InterfaceName + ")"
	}
}

// enumerate joins the first items and counts the rest.
func enumerate(items []string) string {
	if len(items) <= mostNamed {
		return strings.Join(items, ", ")
	}

	return fmt.Sprintf("%s and %d more", strings.Join(items[:mostNamed], ", "), len(items)-mostNamed)
}

func count(number int, one, many string) string {
	if number == 1 {
		return "1 " + one
	}

	return fmt.Sprintf("%d %s", number, many)
}
