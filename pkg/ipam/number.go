package ipam

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
)

// number is an address as an unsigned integer of 128 bits. IPv4 addresses are
// held in their IPv4-mapped form, so that both families share one number line
// and no two addresses share a number.
type number struct{ hi, lo uint64 }

// numberOf returns the number of a, which must be valid.
func numberOf(a netip.Addr) number {
	b := a.As16()
	return number{hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:])}
}

// addr is the inverse of numberOf, in canonical form.
func (n number) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	return netip.AddrFrom16(b).Unmap()
}

func (n number) compare(o number) int {
	switch {
	case n.hi != o.hi:
		if n.hi < o.hi {
			return -1
		}
		return 1
	case n.lo != o.lo:
		if n.lo < o.lo {
			return -1
		}
		return 1
	default:
		return 0
	}
}

// next returns n+1; the largest number wraps to zero, which callers rule out by
// comparing with their upper bound before they step.
func (n number) next() number {
	lo, carry := bits.Add64(n.lo, 1, 0)
	return number{hi: n.hi + carry, lo: lo}
}

// distance returns n-o for o <= n, held at the largest uint64 when the
// difference needs more bits.
func (n number) distance(o number) uint64 {
	lo, borrow := bits.Sub64(n.lo, o.lo, 0)
	hi, _ := bits.Sub64(n.hi, o.hi, borrow)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// canonical returns a in the only spelling the package computes with: unmapped
// and without a zone. The invalid address stays invalid.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// family names the address family of a for use in sentences.
func family(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "IPv4"
	}
	return "IPv6"
}
