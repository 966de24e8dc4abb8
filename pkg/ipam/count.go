package ipam

// Counts says where the addresses of a pool are. For every range of fewer than
// 2^64 addresses
//
//	Used + Reserved + Excluded + Free == Size
//
// holds whatever the plan and the set are.
type Counts struct {
	// Size is the number of addresses in the range.
	Size uint64
	// Used is the number of addresses of the range that are taken, also when they
	// are excluded or reserved.
	Used uint64
	// Reserved is 0, 1 or 2: the server and the router, as far as they are in the
	// range and not taken.
	Reserved uint64
	// Excluded is the number of addresses of the range that are excluded and
	// neither taken nor reserved. Overlapping exclusions count once.
	Excluded uint64
	// Free is the number of addresses Allocate can still return.
	Free uint64
	// Outside is the number of addresses taken that are not in the range.
	Outside uint64
}

// Count returns where the addresses of p are, given the ones taken. Its cost
// grows with the exclusions and the size of the bitmap, not with the range.
func Count(p Plan, taken *Set) Counts {
	span := p.span()
	c := Counts{Size: span.Size(), Used: taken.LenIn(span)}
	c.Outside = uint64(taken.Len()) - c.Used

	for _, r := range merge(p.reserved()) {
		c.Reserved += idle(r, span, taken)
	}
	var blocked uint64
	for _, r := range p.blocked() {
		blocked += idle(r, span, taken)
	}
	c.Excluded = blocked - c.Reserved
	c.Free = c.Size - c.Used - blocked
	return c
}

// idle returns the number of addresses of r and span that are not taken.
func idle(r, span Range, taken *Set) uint64 {
	shared := r.intersect(span)
	return shared.Size() - taken.LenIn(shared)
}
