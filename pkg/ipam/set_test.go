package ipam

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scattered returns addresses that crowd around the edges of chunks and families
// as well as ones spread over a /8.
func scattered(rng *rand.Rand) netip.Addr {
	switch rng.IntN(5) {
	case 0:
		return netip.AddrFrom4([4]byte{10, 0, byte(15 + rng.IntN(2)*16), byte(250 + rng.IntN(6))})
	case 1:
		return netip.AddrFrom4([4]byte{10, 0, byte(16 * rng.IntN(3)), byte(rng.IntN(4))})
	case 2:
		return netip.AddrFrom4([4]byte{255, 255, 255, byte(rng.IntN(256))})
	case 3:
		return netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(rng.IntN(2)), 14: byte(rng.IntN(32)), 15: byte(rng.IntN(8))})
	default:
		return netip.AddrFrom4([4]byte{10, byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))})
	}
}

func TestSetMatchesMap(t *testing.T) {
	t.Parallel()
	eachSeed(t, 25, func(t *testing.T, rng *rand.Rand) {
		s := &Set{}
		golden := map[netip.Addr]bool{}
		for range 1500 {
			a := scattered(rng)
			if rng.IntN(3) == 0 {
				if got, want := s.Remove(a), golden[a]; got != want {
					t.Fatalf("Remove(%s) = %v, want %v", a, got, want)
				}
				delete(golden, a)
			} else {
				if got, want := s.Add(a), !golden[a]; got != want {
					t.Fatalf("Add(%s) = %v, want %v", a, got, want)
				}
				golden[a] = true
			}
			if s.Has(a) != golden[a] || s.Len() != len(golden) {
				t.Fatalf("Has(%s) = %v, Len = %d; want %v, %d", a, s.Has(a), s.Len(), golden[a], len(golden))
			}
		}
		sorted := make([]netip.Addr, 0, len(golden))
		for a := range golden {
			sorted = append(sorted, a)
		}
		slices.SortFunc(sorted, netip.Addr.Compare)
		if diff := cmp.Diff(sorted, slices.Collect(s.All()), cmpAddrs); diff != "" {
			t.Fatalf("All (-want +got):\n%s", diff)
		}
		for range 200 {
			r := rangeOfTwo(scattered(rng), scattered(rng))
			var want uint64
			for a := range golden {
				if r.First.Is4() == r.Last.Is4() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0 {
					want++
				}
			}
			if got := s.LenIn(r); got != want {
				t.Fatalf("LenIn(%s) = %d, want %d", r, got, want)
			}
		}
		for _, a := range sorted {
			s.Remove(a)
		}
		if s.Len() != 0 || len(s.chunks) != 0 {
			t.Fatalf("an emptied set holds %d addresses in %d chunks", s.Len(), len(s.chunks))
		}
	})
}

// TestNextClearMatchesScan compares the word scan with a walk.
func TestNextClearMatchesScan(t *testing.T) {
	t.Parallel()
	eachSeed(t, 25, func(t *testing.T, rng *rand.Rand) {
		s := &Set{}
		base := addr("10.0.0.0")
		window := make([]netip.Addr, 0, 3*chunkSize)
		for a := base; len(window) < cap(window); a = a.Next() {
			window = append(window, a)
		}
		// Long runs, so that whole words and whole chunks are full.
		for range 12 {
			from := rng.IntN(len(window))
			for i := from; i < min(from+rng.IntN(chunkSize*3/2), len(window)); i++ {
				s.Add(window[i])
			}
		}
		for range 300 {
			i, j := rng.IntN(len(window)), rng.IntN(len(window))
			want := netip.Addr{}
			for k := i; k <= j; k++ {
				if !s.Has(window[k]) {
					want = window[k]
					break
				}
			}
			n, ok := s.nextClear(numberOf(window[i]), numberOf(window[j]))
			if ok != want.IsValid() || (ok && n.addr() != want) {
				t.Fatalf("nextClear(%s, %s) = %s, %v; want %s", window[i], window[j], n.addr(), ok, want)
			}
		}
	})
}

func TestSetZeroNilAndInvalid(t *testing.T) {
	t.Parallel()
	var none *Set
	if none.Has(addr("10.0.0.1")) || none.Len() != 0 || none.LenIn(rangeOf(t, "10.0.0.0/8")) != 0 || none.Remove(addr("10.0.0.1")) {
		t.Error("a nil set is not empty")
	}
	for a := range none.All() {
		t.Errorf("a nil set yields %s", a)
	}
	var s Set
	if s.Add(netip.Addr{}) || s.Has(netip.Addr{}) || s.Remove(netip.Addr{}) || s.Len() != 0 {
		t.Error("the invalid address was taken")
	}
	if !s.Add(addr("10.0.0.1")) || s.Add(addr("10.0.0.1")) || s.Len() != 1 {
		t.Error("the zero value is not ready for use")
	}
	if got := s.LenIn(Range{First: addr("10.0.0.9"), Last: addr("10.0.0.1")}); got != 0 {
		t.Errorf("LenIn of a range back to front = %d", got)
	}
}

// TestSetHasOneSpelling: a second spelling is not a second holder.
func TestSetHasOneSpelling(t *testing.T) {
	t.Parallel()
	s := NewSet(addr("::ffff:10.0.0.1"), addr("10.0.0.1"), addr("fe80::1%eth0"), addr("fe80::1"), netip.Addr{})
	if diff := cmp.Diff(addrs("10.0.0.1", "fe80::1"), slices.Collect(s.All()), cmpAddrs); diff != "" {
		t.Error(diff)
	}
	if !s.Has(addr("::ffff:10.0.0.1")) || !s.Has(addr("fe80::1%eth1")) || !s.Remove(addr("::ffff:10.0.0.1")) || s.Len() != 1 {
		t.Error("spellings are told apart")
	}
}

func TestSetAllStopsEarly(t *testing.T) {
	t.Parallel()
	var got []netip.Addr
	for a := range NewSet(addrs("10.0.0.3", "10.0.0.1", "10.9.0.1")...).All() {
		got = append(got, a)
		if len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff(addrs("10.0.0.1", "10.0.0.3"), got, cmpAddrs); diff != "" {
		t.Error(diff)
	}
}

// TestSetIsLazy pins the memory of a set: nothing when empty, one chunk for a
// few neighbours, chunks in proportion when spread out.
func TestSetIsLazy(t *testing.T) {
	t.Parallel()
	s := NewSet(addrs("10.0.0.1", "10.0.0.2", "10.0.15.255")...)
	if len(s.chunks) != 1 {
		t.Errorf("3 neighbours take %d chunks", len(s.chunks))
	}
	s.Add(addr("10.255.255.254"))
	if len(s.chunks) != 2 {
		t.Errorf("2 places take %d chunks", len(s.chunks))
	}
}

func benchmarkPlan(b *testing.B) Plan {
	b.Helper()
	p, err := Plan{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Router: addr("10.1.0.1")}.Complete()
	if err != nil {
		b.Fatal(err)
	}
	p.Excluded = []Range{rangeOf(b, "10.1.7.0/24"), rangeOf(b, "10.1.200.4")}
	return p
}

// BenchmarkAllocate finds the next address with 60,000 of a /16 taken.
func BenchmarkAllocate(b *testing.B) {
	p := benchmarkPlan(b)
	filled := func() *Set {
		s := NewSet()
		a := p.Range.First
		for range 60000 {
			s.Add(a)
			a = a.Next()
		}
		return s
	}
	b.Run("lowest", func(b *testing.B) {
		s := filled()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Allocate(p, s, Request{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("nextFitWithTurnover", func(b *testing.B) {
		s := filled()
		last, oldest := p.Range.First, p.Range.First
		b.ReportAllocs()
		for b.Loop() {
			a, err := Allocate(p, s, Request{After: last})
			if err != nil {
				b.Fatal(err)
			}
			s.Add(a)
			s.Remove(oldest)
			last, oldest = a, oldest.Next()
			if !p.Range.Contains(oldest) {
				oldest = p.Range.First
			}
		}
	})
	b.Run("exhausted", func(b *testing.B) {
		s := full(RangeOf(p.Prefix))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Allocate(p, s, Request{After: p.Range.First}); err == nil {
				b.Fatal("a full pool handed out an address")
			}
		}
	})
}

// BenchmarkAllocateExhaustedSlash8 looks through 16.7 million taken addresses.
func BenchmarkAllocateExhaustedSlash8(b *testing.B) {
	p, err := Plan{Prefix: netip.MustParsePrefix("10.0.0.0/8")}.Complete()
	if err != nil {
		b.Fatal(err)
	}
	s := full(RangeOf(p.Prefix))
	for b.Loop() {
		if _, err := Allocate(p, s, Request{After: p.Range.First}); err == nil {
			b.Fatal("a full pool handed out an address")
		}
	}
}

func BenchmarkCount(b *testing.B) {
	p := benchmarkPlan(b)
	s := NewSet()
	a := p.Range.First
	for range 60000 {
		s.Add(a)
		a = a.Next()
	}
	b.ReportAllocs()
	for b.Loop() {
		if Count(p, s).Used == 0 {
			b.Fatal("nothing counted")
		}
	}
}
