package view

import (
	"encoding/binary"
	"net/netip"
	"slices"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// HeldAddress is an address of a pool that somebody holds or uses.
type HeldAddress struct {
	Address netip.Addr
	// State is leased, reserved or conflict.
	State v1.AddressState
	// Lease is its lease, when runs are to tell it.
	Lease *v1.Lease
}

// AddressRuns returns the addresses of an IPv4 plan from first to last as runs,
// in order and without gaps. Held must be in the order of addresses. A held
// address with a Lease is a run of its own.
func AddressRuns(plan ipam.Plan, first, last netip.Addr, held []HeldAddress) []v1.AddressRun {
	runs := []v1.AddressRun{}
	from, to := number(first), number(last)

	// Between two cuts every address has the same role.
	at := cuts(plan, from, to)
	next := 0

	for next < len(held) && number(held[next].Address) < from {
		next++
	}

	for i, begin := range at {
		end := to
		if i+1 < len(at) {
			end = at[i+1] - 1
		}

		state := stateOf(plan.Role(address(begin)))

		for ; next < len(held) && number(held[next].Address) <= end; next++ {
			n := number(held[next].Address)
			if n > begin {
				runs = add(runs, begin, n-1, state, nil)
			}

			if n >= begin { // else it is there twice
				runs = add(runs, n, n, overlaid(state, held[next].State), held[next].Lease)
				begin = n + 1
			}
		}

		if begin <= end {
			runs = add(runs, begin, end, state, nil)
		}
	}

	return runs
}

// AddressCounts counts the addresses of each state.
func AddressCounts(runs []v1.AddressRun) map[v1.AddressState]uint64 {
	counts := map[v1.AddressState]uint64{}
	for _, run := range runs {
		counts[run.State] += run.Count
	}

	return counts
}

// overlaid is the state of a held address. What the plan says of it counts only
// where two would answer to one address.
func overlaid(planned, held v1.AddressState) v1.AddressState {
	if planned == v1.AddressServer || planned == v1.AddressRouter {
		return v1.AddressConflict
	}

	return held
}

func stateOf(role ipam.Role) v1.AddressState {
	switch role {
	case ipam.RoleServer:
		return v1.AddressServer
	case ipam.RoleRouter:
		return v1.AddressRouter
	case ipam.RoleExcluded:
		return v1.AddressExcluded
	case ipam.RoleFree:
		return v1.AddressFree
	default:
		return v1.AddressOutside
	}
}

// cuts returns where the role of addresses from first to last may change,
// ascending, from itself first.
func cuts(plan ipam.Plan, from, to uint64) []uint64 {
	at := []uint64{from}
	mark := func(first, last netip.Addr) {
		if !first.Is4() || !last.Is4() {
			return
		}

		for _, n := range []uint64{number(first), number(last) + 1} {
			if n > from && n <= to {
				at = append(at, n)
			}
		}
	}

	for _, one := range []netip.Addr{plan.Server, plan.Router, plan.Network(), plan.Broadcast()} {
		mark(one, one)
	}

	for _, one := range append([]ipam.Range{ipam.RangeOf(plan.Prefix), plan.Range}, plan.Excluded...) {
		mark(one.First, one.Last)
	}

	slices.Sort(at)

	return slices.Compact(at)
}

// add appends a run, or lengthens the last one if it is the same.
func add(runs []v1.AddressRun, first, last uint64, state v1.AddressState, lease *v1.Lease) []v1.AddressRun {
	if i := len(runs) - 1; i >= 0 && lease == nil && runs[i].Lease == nil && runs[i].State == state {
		runs[i].Last = address(last).String()
		runs[i].Count += last - first + 1

		return runs
	}

	return append(runs, v1.AddressRun{
		First: address(first).String(), Last: address(last).String(), Count: last - first + 1, State: state, Lease: lease,
	})
}

// number is an IPv4 address as a number; 0 for what is none.
func number(a netip.Addr) uint64 {
	if a = a.Unmap(); !a.Is4() {
		return 0
	}

	raw := a.As4()

	return uint64(binary.BigEndian.Uint32(raw[:]))
}

func address(n uint64) netip.Addr {
	var raw [4]byte

	binary.BigEndian.PutUint32(raw[:], uint32(n)) //nolint:gosec // of an address, so it fits

	return netip.AddrFrom4(raw)
}
