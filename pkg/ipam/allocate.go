package ipam

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ErrExhausted says that every address of the range is taken, reserved or
// excluded.
var ErrExhausted = errors.New("no address of the pool is free")

// NotInRangeError says that a wanted address is not one the pool hands out.
type NotInRangeError struct {
	Addr  netip.Addr
	Range Range
}

func (e *NotInRangeError) Error() string {
	if e.Range.IsZero() {
		return fmt.Sprintf("address %s is not in the pool, whose range is empty", e.Addr)
	}
	return fmt.Sprintf("address %s is not in the range of the pool, %s", e.Addr, e.Range)
}

// ExcludedError says that a wanted address is excluded from the pool.
type ExcludedError struct {
	Addr netip.Addr
	// Excluded is the entry of the plan that says so.
	Excluded Range
}

func (e *ExcludedError) Error() string {
	if e.Excluded.Size() == 1 {
		return fmt.Sprintf("address %s is excluded from the pool", e.Addr)
	}
	return fmt.Sprintf("address %s is excluded from the pool, as part of %s", e.Addr, e.Excluded)
}

// ReservedError says that a wanted address belongs to the network itself.
type ReservedError struct {
	Addr netip.Addr
	// Role is RoleServer or RoleRouter.
	Role Role
}

func (e *ReservedError) Error() string {
	if e.Role == RoleServer {
		return fmt.Sprintf("address %s is the address of the DHCP server", e.Addr)
	}
	return fmt.Sprintf("address %s is the address of the router", e.Addr)
}

// TakenError says that a wanted address has a holder.
type TakenError struct {
	Addr netip.Addr
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("address %s is already taken", e.Addr)
}

// Request says what a claimant asks for. The zero value asks for any address.
type Request struct {
	// Wanted, when valid, is the only address that will do.
	Wanted netip.Addr
	// After, when valid and nothing is wanted, is where the last search ended: the
	// search starts at the address behind it, so that an address that has just been
	// freed rests while others are free.
	After netip.Addr
}

// Allocate returns an address of p that taken does not hold. It changes neither;
// the caller adds the address once it has made sure of it.
//
// A wanted address is returned or refused: with *ReservedError, *NotInRangeError,
// *ExcludedError or *TakenError, in this order when several apply. Without one
// the answer is the first free address after req.After, going round at the end
// of the range, or the lowest free one when After is unset or not in the range.
// ErrExhausted is returned exactly when no address is free.
func Allocate(p Plan, taken *Set, req Request) (netip.Addr, error) {
	if req.Wanted.IsValid() {
		wanted := canonical(req.Wanted)
		return wanted, check(p, taken, wanted)
	}
	span := p.span()
	blocked := p.blocked()
	if after := canonical(req.After); span.Contains(after) {
		if a, ok := firstFree(Range{First: after.Next(), Last: span.Last}, taken, blocked); ok {
			return a, nil
		}
		// Round once: what is left to look at ends with After itself.
		span.Last = after
	}
	if a, ok := firstFree(span, taken, blocked); ok {
		return a, nil
	}
	return netip.Addr{}, ErrExhausted
}

func check(p Plan, taken *Set, wanted netip.Addr) error {
	switch role := p.Role(wanted); role {
	case RoleServer, RoleRouter:
		return &ReservedError{Addr: wanted, Role: role}
	case RoleExcluded:
		entry, _ := p.exclusion(wanted)
		return &ExcludedError{Addr: wanted, Excluded: entry}
	case RoleFree:
		if taken.Has(wanted) {
			return &TakenError{Addr: wanted}
		}
		return nil
	default:
		return &NotInRangeError{Addr: wanted, Range: p.span()}
	}
}

// firstFree returns the lowest address of r that is neither taken nor in one of
// the blocked ranges, which must be disjoint and ascending. Its cost grows with
// the blocked ranges and the words of the bitmap in between, not with r.
func firstFree(r Range, taken *Set, blocked []Range) (netip.Addr, bool) {
	if !r.IsValid() {
		return netip.Addr{}, false
	}
	first, last := numberOf(r.First), numberOf(r.Last)
	i, _ := slices.BinarySearchFunc(blocked, first, func(b Range, n number) int {
		return numberOf(b.Last).compare(n)
	})
	for _, b := range blocked[i:] {
		gapEnd := numberOf(b.First)
		if gapEnd.compare(last) > 0 {
			break
		}
		// The gap before b ends one short of it; an empty gap finds nothing.
		if n, ok := taken.nextClear(first, last); !ok {
			return netip.Addr{}, false
		} else if n.compare(gapEnd) < 0 {
			return n.addr(), true
		}
		blockEnd := numberOf(b.Last)
		if blockEnd.compare(last) >= 0 {
			return netip.Addr{}, false
		}
		if first.compare(blockEnd) <= 0 {
			first = blockEnd.next()
		}
	}
	if n, ok := taken.nextClear(first, last); ok {
		return n.addr(), true
	}
	return netip.Addr{}, false
}
