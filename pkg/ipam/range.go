package ipam

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Range is the addresses from First to Last, both included. The zero value is
// "no range": it contains nothing. A Range whose ends are of two families, or
// whose First lies behind its Last, is not valid and contains nothing either.
type Range struct {
	First netip.Addr
	Last  netip.Addr
}

// RangeOf returns all addresses of p, network and broadcast address included,
// or the zero Range when p is not valid. Host bits of p are ignored.
func RangeOf(p netip.Prefix) Range {
	if !p.IsValid() {
		return Range{}
	}
	first := p.Masked().Addr()
	raw := first.AsSlice()
	for i := range raw {
		switch host := p.Bits() - i*8; {
		case host <= 0:
			raw[i] = 0xff
		case host < 8:
			raw[i] |= 0xff >> host
		}
	}
	last, _ := netip.AddrFromSlice(raw)
	return Range{First: canonical(first), Last: canonical(last)}
}

// ParseRange reads one address ("10.0.0.5"), two joined by a hyphen
// ("10.0.0.5-10.0.0.9") or a prefix ("10.0.0.4/30", which means every address of
// it). Blanks around each part are ignored. The error is a sentence that names
// the text and says how to write it.
func ParseRange(s string) (Range, error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return Range{}, errors.New("the range is empty; write one address, first-last, or a CIDR")
	}
	if strings.Contains(text, "/") {
		return parsePrefixRange(text)
	}
	first, last, isPair := strings.Cut(text, "-")
	if !isPair {
		last = first
	}
	var r Range
	var err error
	if r.First, err = parseAddr(first); err != nil {
		return Range{}, err
	}
	if r.Last, err = parseAddr(last); err != nil {
		return Range{}, err
	}
	if family(r.First) != family(r.Last) {
		return Range{}, fmt.Errorf("range %q mixes IPv4 and IPv6; both ends must be of one family", text)
	}
	if r.Last.Less(r.First) {
		return Range{}, fmt.Errorf("range %q ends before it starts; write %s-%s", text, r.Last, r.First)
	}
	return r, nil
}

func parsePrefixRange(text string) (Range, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a CIDR; write an address, a slash and the number of network bits", text)
	}
	if p.Addr().Is4In6() {
		return Range{}, fmt.Errorf("%q is an IPv4 prefix in IPv6 notation; write it as IPv4", text)
	}
	if p.Masked() != p {
		return Range{}, fmt.Errorf("%q has host bits set; write %s for the whole network or %s for the one address", text, p.Masked(), p.Addr())
	}
	return RangeOf(p), nil
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address; write it like 192.0.2.10 or 2001:db8::10", strings.TrimSpace(text))
	}
	if a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q has a zone; write the address without %%%s", strings.TrimSpace(text), a.Zone())
	}
	return a.Unmap(), nil
}

// IsZero tells whether neither end is set.
func (r Range) IsZero() bool { return !r.First.IsValid() && !r.Last.IsValid() }

// IsValid tells whether both ends are set, of one family and in order.
func (r Range) IsValid() bool {
	return r.First.IsValid() && r.Last.IsValid() &&
		family(r.First) == family(r.Last) &&
		canonical(r.First).Compare(canonical(r.Last)) <= 0
}

// Contains tells whether a is in r. An invalid a is in no range.
func (r Range) Contains(a netip.Addr) bool {
	if !a.IsValid() || !r.IsValid() || family(a) != family(r.First) {
		return false
	}
	n := numberOf(a)
	return numberOf(r.First).compare(n) <= 0 && n.compare(numberOf(r.Last)) <= 0
}

// Overlaps tells whether r and o share an address.
func (r Range) Overlaps(o Range) bool { return r.intersect(o).IsValid() }

// Size returns the number of addresses in r, 0 when r is not valid. It stays at
// the largest uint64 for IPv6 ranges of 2^64 addresses and more.
func (r Range) Size() uint64 {
	if !r.IsValid() {
		return 0
	}
	d := numberOf(r.Last).distance(numberOf(r.First))
	if d == math.MaxUint64 {
		return d
	}
	return d + 1
}

// String writes r as ParseRange reads it: "a" or "a-b". An end that is not set
// is left blank.
func (r Range) String() string {
	if r.IsZero() {
		return ""
	}
	if r.First == r.Last {
		return r.First.String()
	}
	return spell(r.First) + "-" + spell(r.Last)
}

// spell writes a, and nothing when a is not set.
func spell(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// intersect returns the addresses r and o share, or the zero Range.
func (r Range) intersect(o Range) Range {
	if !r.IsValid() || !o.IsValid() {
		return Range{}
	}
	shared := Range{First: canonical(r.First), Last: canonical(r.Last)}
	if first := canonical(o.First); shared.First.Less(first) {
		shared.First = first
	}
	if last := canonical(o.Last); last.Less(shared.Last) {
		shared.Last = last
	}
	if !shared.IsValid() {
		return Range{}
	}
	return shared
}

// merge returns the union of the valid ranges as disjoint ranges in ascending
// order. Ranges that touch become one, so the result is as short as it can be.
func merge(ranges []Range) []Range {
	sorted := make([]Range, 0, len(ranges))
	for _, r := range ranges {
		if r.IsValid() {
			sorted = append(sorted, Range{First: canonical(r.First), Last: canonical(r.Last)})
		}
	}
	slices.SortFunc(sorted, func(a, b Range) int {
		return cmp.Or(numberOf(a.First).compare(numberOf(b.First)), numberOf(a.Last).compare(numberOf(b.Last)))
	})
	merged := sorted[:0]
	for _, r := range sorted {
		if n := len(merged); n > 0 && touches(merged[n-1], r) {
			if merged[n-1].Last.Less(r.Last) {
				merged[n-1].Last = r.Last
			}
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// touches tells, for a.First <= b.First, whether b overlaps a or follows it
// without a gap. The last address of a family is followed by nothing.
func touches(a, b Range) bool {
	if a.Contains(b.First) {
		return true
	}
	next := a.Last.Next()
	return next.IsValid() && next == b.First
}
