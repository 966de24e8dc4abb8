package ipam

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAllocateFromUnusablePlan: a plan nobody completed or checked hands nothing
// out, and says so instead of panicking.
func TestAllocateFromUnusablePlan(t *testing.T) {
	t.Parallel()
	plans := map[string]Plan{
		"zero":              {},
		"no range":          {Prefix: netip.MustParsePrefix("10.0.0.0/24")},
		"no end":            {Prefix: netip.MustParsePrefix("10.0.0.0/24"), Range: Range{First: addr("10.0.0.1")}},
		"no prefix":         {Range: Range{First: addr("10.0.0.1"), Last: addr("10.0.0.9")}},
		"no address at all": draft{cidr: "10.0.0.1/32", start: "10.0.0.1", end: "10.0.0.1"}.plan(t),
		"/31":               draft{cidr: "10.0.0.0/31", start: "10.0.0.0", end: "10.0.0.1"}.plan(t),
		"back to front":     draft{cidr: "10.0.0.0/24", start: "10.0.0.9", end: "10.0.0.1"}.plan(t),
		"elsewhere":         draft{cidr: "10.0.0.0/24", start: "10.0.1.1", end: "10.0.1.9"}.plan(t),
		"two families":      draft{cidr: "10.0.0.0/24", start: "10.0.0.1", end: "fd00::1"}.plan(t),
		"network only":      draft{cidr: "10.0.0.0/24", start: "10.0.0.0", end: "10.0.0.0"}.plan(t),
		"broadcast only":    draft{cidr: "10.0.0.0/24", start: "10.0.0.255", end: "10.0.0.255"}.plan(t),
	}
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a, err := Allocate(p, nil, Request{After: addr("10.0.0.1")}); !errors.Is(err, ErrExhausted) {
				t.Errorf("Allocate = %s, %v; want ErrExhausted", a, err)
			}
			var notIn *NotInRangeError
			if a, err := Allocate(p, nil, Request{Wanted: addr("10.0.0.3")}); !errors.As(err, &notIn) {
				t.Errorf("Allocate wanting 10.0.0.3 = %s, %v; want NotInRangeError", a, err)
			} else if want := "address 10.0.0.3 is not in the pool, whose range is empty"; err.Error() != want {
				t.Errorf("error is %q, want %q", err, want)
			}
			if diff := cmp.Diff(Counts{Outside: 1}, Count(p, NewSet(addr("10.0.0.3")))); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAllocateArithmetic holds the cases that other allocators' suites taught the
// field: odd alignments, unsorted and overlapping exclusions, holes, and ranges
// written with the network and broadcast address.
func TestAllocateArithmetic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		plan  draft
		taken []string
		want  string
	}{
		{"first of an empty network", draft{cidr: "192.168.1.0/24", start: "192.168.1.1", end: "192.168.1.254"}, nil, "192.168.1.1"},
		{"exclude a prefix", draft{cidr: "192.168.0.0/29", start: "192.168.0.1", end: "192.168.0.6", exclude: []string{"192.168.0.0/30"}}, nil, "192.168.0.4"},
		{"exclude one address", draft{cidr: "192.168.0.0/29", start: "192.168.0.1", end: "192.168.0.6", exclude: []string{"192.168.0.1"}}, nil, "192.168.0.2"},
		{"exclude unsorted", draft{
			cidr: "192.168.0.0/28", start: "192.168.0.1", end: "192.168.0.14",
			exclude: []string{"192.168.0.0/30", "192.168.0.6/31", "192.168.0.8/31", "192.168.0.4/30"},
		}, nil, "192.168.0.10"},
		{"exclude unsorted with the end", draft{
			cidr: "192.168.0.0/28", start: "192.168.0.1", end: "192.168.0.14",
			exclude: []string{"192.168.0.0/30", "192.168.0.14/31", "192.168.0.4/30", "192.168.0.6/31", "192.168.0.8/31"},
		}, nil, "192.168.0.10"},
		{"rest taken", draft{cidr: "192.168.0.0/29", start: "192.168.0.1", end: "192.168.0.6", exclude: []string{"192.168.0.0/30"}}, []string{"192.168.0.4", "192.168.0.5", "192.168.0.6"}, ""},
		{"rest excluded", draft{cidr: "192.168.0.0/29", start: "192.168.0.1", end: "192.168.0.6", exclude: []string{"192.168.0.4/30"}}, []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"}, ""},
		{"range starts at the network address", draft{cidr: "192.168.0.0/29", start: "192.168.0.0", end: "192.168.0.6"}, nil, "192.168.0.1"},
		{"range ends behind the network", draft{cidr: "192.168.0.0/29", start: "192.168.0.0", end: "192.168.0.8"}, nil, "192.168.0.1"},
		{"end of range inside an exclusion", draft{cidr: "192.168.0.0/28", start: "192.168.0.1", end: "192.168.0.6", exclude: []string{"192.168.0.4/30"}}, []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"}, ""},
		{"after a block", draft{cidr: "192.168.0.0/28", start: "192.168.0.1", end: "192.168.0.6"}, []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"}, "192.168.0.4"},
		{"into a hole", draft{cidr: "192.168.0.0/28", start: "192.168.0.1", end: "192.168.0.6"}, []string{"192.168.0.1", "192.168.0.2", "192.168.0.5"}, "192.168.0.3"},
		{"range of one", draft{cidr: "192.168.0.0/28", start: "192.168.0.6", end: "192.168.0.6"}, nil, "192.168.0.6"},
		{"range of one, taken", draft{cidr: "192.168.0.0/28", start: "192.168.0.6", end: "192.168.0.6"}, []string{"192.168.0.6"}, ""},
		{"top of the address space", draft{cidr: "255.255.255.0/24", start: "255.255.255.254", end: "255.255.255.254"}, nil, "255.255.255.254"},
		{"top of the address space, excluded to the end", draft{cidr: "255.255.255.0/24", start: "255.255.255.1", end: "255.255.255.254", exclude: []string{"255.255.255.1-255.255.255.255"}}, nil, ""},
		{"IPv6", draft{cidr: "caa5::/112", start: "caa5::1", end: "caa5::ffff"}, nil, "caa5::1"},
		{"IPv6 leading zeroes", draft{cidr: "fd::/116", start: "fd::1", end: "fd::fff"}, nil, "fd::1"},
		{"IPv6 exclude", draft{cidr: "100::2:0/125", start: "100::2:1", end: "100::2:7", exclude: []string{"100::2:0/126"}}, nil, "100::2:4"},
		{"IPv6 rest taken", draft{cidr: "100::2:0/125", start: "100::2:1", end: "100::2:7", exclude: []string{"100::2:4/126"}}, []string{"100::2:1", "100::2:2", "100::2:3"}, ""},
		{"IPv6 very large exclude", draft{cidr: "2001:db8::/30", start: "2001:db8::1", end: "2001:dbb:ffff:ffff:ffff:ffff:ffff:ffff", exclude: []string{"2001:db8::/32"}}, nil, "2001:db9::"},
		{"IPv6 top of the address space", draft{cidr: "ffff:ffff::/32", start: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", end: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, ""},
		{"IPv6 top of the address space, excluded to the end", draft{cidr: "ffff:ffff::/32", start: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0", end: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", exclude: []string{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124"}}, nil, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Allocate(tc.plan.plan(t), NewSet(addrs(tc.taken...)...), Request{})
			if tc.want == "" {
				if !errors.Is(err, ErrExhausted) {
					t.Errorf("Allocate = %s, %v; want ErrExhausted", got, err)
				}
				return
			}
			if err != nil || got != addr(tc.want) {
				t.Errorf("Allocate = %s, %v; want %s", got, err, tc.want)
			}
		})
	}
}

// TestAllocateInLargePools fills all but a few addresses of pools up to a /8 and
// finds what is left wherever it is.
func TestAllocateInLargePools(t *testing.T) {
	t.Parallel()
	for _, cidr := range []string{"10.1.0.0/16", "10.0.0.0/8"} {
		t.Run(cidr, func(t *testing.T) {
			t.Parallel()
			p, err := Plan{Prefix: netip.MustParsePrefix(cidr)}.Complete()
			if err != nil {
				t.Fatal(err)
			}
			taken := full(RangeOf(p.Prefix))
			taken.Remove(RangeOf(p.Prefix).First)
			taken.Remove(RangeOf(p.Prefix).Last)
			if got := Count(p, taken); got.Free != 0 || got.Used != got.Size {
				t.Fatalf("counts of a full pool: %+v", got)
			}
			for _, hole := range []netip.Addr{p.Range.First.Next(), p.Range.Last, addr("10.1.79.255"), addr("10.1.80.0")} {
				taken.Remove(hole)
				for _, after := range []netip.Addr{{}, p.Range.First, hole, p.Range.Last} {
					if got, err := Allocate(p, taken, Request{After: after}); err != nil || got != hole {
						t.Errorf("Allocate after %s = %s, %v; want the one hole, %s", after, got, err, hole)
					}
				}
				taken.Add(hole)
				if got, err := Allocate(p, taken, Request{}); !errors.Is(err, ErrExhausted) {
					t.Errorf("Allocate = %s, %v; want ErrExhausted", got, err)
				}
			}
		})
	}
}

// full returns the set of all addresses of r, whole chunks at a time.
func full(r Range) *Set {
	s := &Set{}
	for base := numberOf(r.First); base.compare(numberOf(r.Last)) <= 0; base.lo += chunkSize {
		c := chunk{base: base, used: chunkSize, words: new([chunkWords]uint64)}
		for i := range c.words {
			c.words[i] = ^uint64(0)
		}
		s.chunks = append(s.chunks, c)
		s.size += chunkSize
	}
	return s
}

// TestCountWhenServerIsRouter: one address is reserved once, whatever the plan
// says twice. Validate refuses such a plan, but the counts must add up.
func TestCountWhenServerIsRouter(t *testing.T) {
	t.Parallel()
	p := draft{cidr: "10.0.0.0/29", server: "10.0.0.1", router: "10.0.0.1", start: "10.0.0.1", end: "10.0.0.6", exclude: []string{"10.0.0.1-10.0.0.2"}}.plan(t)
	if diff := cmp.Diff(Counts{Size: 6, Reserved: 1, Excluded: 1, Free: 4}, Count(p, nil)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
