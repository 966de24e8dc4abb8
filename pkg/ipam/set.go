package ipam

import (
	"iter"
	"math/bits"
	"net/netip"
	"slices"
)

// A chunk covers 4,096 consecutive addresses with one bit each: 512 bytes. A /20
// is one chunk, a full /8 is 4,096 of them (2 MiB), an empty one is none.
const (
	chunkBits  = 12
	chunkSize  = 1 << chunkBits
	chunkWords = chunkSize / 64
)

type chunk struct {
	base  number // the chunk's first address
	used  int    // how many bits are set, never 0
	words *[chunkWords]uint64
}

// Set is the set of addresses that are taken. It is a bitmap over the address
// space of which only the parts that hold an address exist, so it belongs to no
// plan: addresses outside a range are kept like any other and the same Set stays
// true when the range is edited.
//
// The zero value is the empty set, ready for use. A nil *Set is the empty set
// for every method that only reads. A Set is not safe for concurrent use and must
// not be copied once it has been changed.
type Set struct {
	chunks []chunk // ascending by base
	size   int
}

// NewSet returns a set of the addresses. Repeated ones count once; invalid ones
// are left out.
func NewSet(addrs ...netip.Addr) *Set {
	s := &Set{}
	for _, a := range addrs {
		s.Add(a)
	}
	return s
}

// Add takes a and tells whether it was free before. The invalid address is never
// added.
func (s *Set) Add(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	n := numberOf(a)
	i, found := s.find(n)
	if !found {
		s.chunks = slices.Insert(s.chunks, i, chunk{base: chunkBase(n), words: new([chunkWords]uint64)})
	}
	c := &s.chunks[i]
	word, mask := bitOf(n)
	if c.words[word]&mask != 0 {
		return false
	}
	c.words[word] |= mask
	c.used++
	s.size++
	return true
}

// Remove frees a and tells whether it was taken before.
func (s *Set) Remove(a netip.Addr) bool {
	if !s.Has(a) {
		return false
	}
	n := numberOf(a)
	i, _ := s.find(n)
	c := &s.chunks[i]
	word, mask := bitOf(n)
	c.words[word] &^= mask
	c.used--
	s.size--
	if c.used == 0 {
		s.chunks = slices.Delete(s.chunks, i, i+1)
	}
	return true
}

// Has tells whether a is taken.
func (s *Set) Has(a netip.Addr) bool {
	if s == nil || !a.IsValid() {
		return false
	}
	n := numberOf(a)
	i, found := s.find(n)
	if !found {
		return false
	}
	word, mask := bitOf(n)
	return s.chunks[i].words[word]&mask != 0
}

// Len returns the number of addresses taken.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.size
}

// LenIn returns the number of addresses of r that are taken.
func (s *Set) LenIn(r Range) uint64 {
	if s == nil || !r.IsValid() {
		return 0
	}
	first, last := numberOf(r.First), numberOf(r.Last)
	i, _ := s.find(first)
	var total uint64
	for ; i < len(s.chunks) && s.chunks[i].base.compare(last) <= 0; i++ {
		c := &s.chunks[i]
		from, to := 0, chunkSize-1
		if chunkBase(first) == c.base {
			from = offset(first)
		}
		if chunkBase(last) == c.base {
			to = offset(last)
		}
		total += uint64(c.count(from, to))
	}
	return total
}

// All yields the addresses taken, in ascending order, IPv4 before IPv6 of the
// global range. The set must not be changed meanwhile.
func (s *Set) All() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if s == nil {
			return
		}
		for _, c := range s.chunks {
			for w, word := range c.words {
				for ; word != 0; word &= word - 1 {
					at := c.base
					at.lo |= uint64(w*64 + bits.TrailingZeros64(word))
					if !yield(at.addr()) {
						return
					}
				}
			}
		}
	}
}

// nextClear returns the first address from first to last that is not taken. It
// looks at no more than the chunks in between, and at one count for a full one.
func (s *Set) nextClear(first, last number) (number, bool) {
	if first.compare(last) > 0 {
		return number{}, false
	}
	if s == nil {
		return first, true
	}
	at := first
	i, _ := s.find(at)
	for ; i < len(s.chunks) && s.chunks[i].base == chunkBase(at); i++ {
		c := &s.chunks[i]
		if bit := c.firstClear(offset(at)); bit < chunkSize {
			at = number{hi: at.hi, lo: c.base.lo | uint64(bit)}
			return at, at.compare(last) <= 0
		}
		end := number{hi: at.hi, lo: c.base.lo | (chunkSize - 1)}
		if last.compare(end) <= 0 {
			return number{}, false
		}
		at = end.next()
	}
	return at, true
}

// find returns the index of the chunk that covers n, or where it would be.
func (s *Set) find(n number) (int, bool) {
	return slices.BinarySearchFunc(s.chunks, chunkBase(n), func(c chunk, base number) int {
		return c.base.compare(base)
	})
}

func chunkBase(n number) number { return number{hi: n.hi, lo: n.lo &^ (chunkSize - 1)} }

func offset(n number) int { return int(n.lo & (chunkSize - 1)) }

func bitOf(n number) (word int, mask uint64) {
	o := offset(n)
	return o / 64, 1 << (o % 64)
}

// firstClear returns the first bit at or after from that is not set, chunkSize
// when there is none.
func (c *chunk) firstClear(from int) int {
	if c.used == chunkSize {
		return chunkSize
	}
	word := from / 64
	unset := ^c.words[word] & (^uint64(0) << (from % 64))
	for unset == 0 {
		if word++; word == chunkWords {
			return chunkSize
		}
		unset = ^c.words[word]
	}
	return word*64 + bits.TrailingZeros64(unset)
}

// count returns the number of bits set from first to last, both included.
func (c *chunk) count(first, last int) int {
	if first == 0 && last == chunkSize-1 {
		return c.used
	}
	total := 0
	for w := first / 64; w <= last/64; w++ {
		word := c.words[w]
		if w == first/64 {
			word &= ^uint64(0) << (first % 64)
		}
		if w == last/64 {
			word &= ^uint64(0) >> (63 - last%64)
		}
		total += bits.OnesCount64(word)
	}
	return total
}
