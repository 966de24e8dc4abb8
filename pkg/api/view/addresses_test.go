package view

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// naiveState is the state of one address, in other words than AddressRuns.
func naiveState(plan ipam.Plan, held map[netip.Addr]v1.AddressState, a netip.Addr) v1.AddressState {
	state, taken := held[a]

	switch {
	case taken && (a == plan.Server || a == plan.Router):
		return v1.AddressConflict
	case taken:
		return state
	case a == plan.Server:
		return v1.AddressServer
	case a == plan.Router:
		return v1.AddressRouter
	case !plan.Usable().Contains(a) || !plan.Range.Contains(a):
		return v1.AddressOutside
	case slices.ContainsFunc(plan.Excluded, func(r ipam.Range) bool { return r.Contains(a) }):
		return v1.AddressExcluded
	default:
		return v1.AddressFree
	}
}

// The runs cover from..to without gaps or overlaps and agree with a look at each
// address, whatever the plan and the leases are.
func TestAddressRuns(t *testing.T) {
	t.Parallel()

	dice := rand.New(rand.NewPCG(5, 6))

	for round := range 400 {
		bits := 24 + dice.IntN(9) // down to a single address
		prefix := netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), bits)
		whole := ipam.RangeOf(prefix)
		size := int(whole.Size())
		any4 := func() netip.Addr { return address(number(whole.First) + uint64(dice.IntN(size))) }
		span := func() ipam.Range {
			a, b := any4(), any4()
			if b.Less(a) {
				a, b = b, a
			}

			return ipam.Range{First: a, Last: b}
		}

		plan := ipam.Plan{Prefix: prefix, Range: span()}
		if dice.IntN(3) > 0 {
			plan.Server = any4()
		}

		if dice.IntN(3) > 0 {
			plan.Router = any4()
		}

		for range dice.IntN(4) {
			plan.Excluded = append(plan.Excluded, span())
		}

		states := []v1.AddressState{v1.AddressLeased, v1.AddressReserved, v1.AddressConflict}
		model := map[netip.Addr]v1.AddressState{}

		for range dice.IntN(size + 1) {
			model[any4()] = states[dice.IntN(3)]
		}

		var held []HeldAddress
		for a, state := range model {
			one := HeldAddress{Address: a, State: state}
			if round%2 == 0 {
				one.Lease = &v1.Lease{Address: a.String()}
			}

			held = append(held, one)
		}

		slices.SortFunc(held, func(x, y HeldAddress) int { return x.Address.Compare(y.Address) })

		window := span()
		runs := AddressRuns(plan, window.First, window.Last, held)
		checkRuns(t, fmt.Sprintf("round %d: %+v %s", round, plan, window), runs, window, func(a netip.Addr) v1.AddressState {
			return naiveState(plan, model, a)
		}, model, round%2 == 0)
	}
}

func checkRuns(t *testing.T, what string, runs []v1.AddressRun, window ipam.Range, state func(netip.Addr) v1.AddressState,
	held map[netip.Addr]v1.AddressState, detail bool,
) {
	t.Helper()

	next, total := window.First, uint64(0)

	for i, run := range runs {
		first, last := netip.MustParseAddr(run.First), netip.MustParseAddr(run.Last)
		if first != next || last.Less(first) || run.Count != (ipam.Range{First: first, Last: last}).Size() {
			t.Fatalf("%s: run %d is %+v, want one from %s", what, i, run, next)
		}

		for a := first; ; a = a.Next() {
			if got := state(a); got != run.State {
				t.Fatalf("%s: %s is %s in %+v, want %s", what, a, run.State, run, got)
			}

			_, taken := held[a]
			if taken && detail != (run.Lease != nil) || run.Lease != nil && (run.Count != 1 || run.Lease.Address != a.String()) {
				t.Fatalf("%s: %s has lease %+v in %+v", what, a, run.Lease, run)
			}

			if a == last {
				break
			}
		}

		if i > 0 && runs[i-1].State == run.State && runs[i-1].Lease == nil && run.Lease == nil {
			t.Fatalf("%s: runs %d and %d could be one", what, i-1, i)
		}

		next = last.Next()
		total += run.Count
	}

	if next != window.Last.Next() {
		t.Fatalf("%s: the runs end before %s", what, next)
	}

	var counted uint64
	for _, count := range AddressCounts(runs) {
		counted += count
	}

	if counted != total || total != window.Size() {
		t.Fatalf("%s: %d counted, %d in runs, want %d", what, counted, total, window.Size())
	}
}

// A /16 with few leases is a short answer, and so is the last network there is.
func TestAddressRunsAreShort(t *testing.T) {
	t.Parallel()

	prefix := netip.MustParsePrefix("255.255.0.0/16")
	whole := ipam.RangeOf(prefix)
	plan, err := ipam.Plan{Prefix: prefix}.Complete()
	if err != nil {
		t.Fatal(err)
	}

	runs := AddressRuns(plan, whole.First, whole.Last, []HeldAddress{{Address: netip.MustParseAddr("255.255.7.7"), State: v1.AddressLeased}})
	if len(runs) != 6 || runs[5].Last != "255.255.255.255" {
		t.Errorf("runs are %+v", runs)
	}
}
