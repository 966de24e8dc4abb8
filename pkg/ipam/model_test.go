package ipam

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// model is the golden model: a list of every address of a small prefix and a map
// of the taken ones. It shares no code with the package, only its types.
type model struct {
	plan  Plan
	hosts []netip.Addr // addresses of the range, ascending
	taken map[netip.Addr]bool
}

func newModel(p Plan) *model {
	m := &model{plan: p, taken: map[netip.Addr]bool{}}
	var all []netip.Addr
	for a := p.Prefix.Masked().Addr(); a.IsValid() && p.Prefix.Contains(a); a = a.Next() {
		all = append(all, a)
	}
	if len(all) < 4 || !p.Range.First.IsValid() || !p.Range.Last.IsValid() {
		return m
	}
	usable := all[1:]
	if all[0].Is4() {
		usable = all[1 : len(all)-1]
	}
	for _, a := range usable {
		if p.Range.First.Compare(a) <= 0 && a.Compare(p.Range.Last) <= 0 {
			m.hosts = append(m.hosts, a)
		}
	}
	return m
}

func (m *model) isReserved(a netip.Addr) bool { return a == m.plan.Server || a == m.plan.Router }

func (m *model) isExcluded(a netip.Addr) bool {
	for _, r := range m.plan.Excluded {
		if r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0 {
			return true
		}
	}
	return false
}

func (m *model) inRange(a netip.Addr) bool {
	return slices.Contains(m.hosts, a)
}

func (m *model) isFree(a netip.Addr) bool {
	return m.inRange(a) && !m.isReserved(a) && !m.isExcluded(a) && !m.taken[a]
}

// next is next-fit the long way: everything behind after, then everything.
func (m *model) next(after netip.Addr) (netip.Addr, bool) {
	for _, behind := range []bool{true, false} {
		for _, a := range m.hosts {
			if behind && (!m.inRange(after) || a.Compare(after) <= 0) {
				continue
			}
			if m.isFree(a) {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

func (m *model) counts() Counts {
	c := Counts{Size: uint64(len(m.hosts))}
	for _, a := range m.hosts {
		switch {
		case m.taken[a]:
			c.Used++
		case m.isReserved(a):
			c.Reserved++
		case m.isExcluded(a):
			c.Excluded++
		default:
			c.Free++
		}
	}
	c.Outside = uint64(len(m.taken)) - c.Used
	return c
}

// anyOf returns a random address of the prefix.
func anyOf(rng *rand.Rand, p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	for range rng.IntN(1 << (a.BitLen() - p.Bits())) {
		a = a.Next()
	}
	return a
}

func rangeOfTwo(a, b netip.Addr) Range {
	if b.Less(a) {
		a, b = b, a
	}
	return Range{First: a, Last: b}
}

// randomPlan returns a plan Validate accepts, with every field set or unset at
// random. The prefix has 4 to 256 addresses, at times 512.
func randomPlan(rng *rand.Rand) Plan {
	for {
		p := randomDraft(rng)
		if len(p.Validate()) == 0 {
			return p
		}
	}
}

// randomDraft is randomPlan without the promise that the plan is any good.
func randomDraft(rng *rand.Rand) Plan {
	hostBits := 2 + rng.IntN(7)
	if rng.IntN(20) == 0 {
		hostBits = 9
	}
	var p Plan
	if rng.IntN(5) == 0 {
		base := [16]byte{0: 0xfd, 13: byte(rng.IntN(256)), 14: byte(rng.IntN(256)), 15: byte(rng.IntN(256))}
		p.Prefix = netip.PrefixFrom(netip.AddrFrom16(base), 128-hostBits).Masked()
	} else {
		base := [4]byte{10, byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))}
		p.Prefix = netip.PrefixFrom(netip.AddrFrom4(base), 32-hostBits).Masked()
	}
	if rng.IntN(2) == 0 {
		p.Server = anyOf(rng, p.Prefix)
	}
	if rng.IntN(2) == 0 {
		p.Router = anyOf(rng, p.Prefix)
		if rng.IntN(8) == 0 {
			p.Router = p.Server
		}
	}
	switch rng.IntN(4) {
	case 0:
		p.Range.First = anyOf(rng, p.Prefix)
	case 1:
		p.Range.Last = anyOf(rng, p.Prefix)
	case 2:
		p.Range = rangeOfTwo(anyOf(rng, p.Prefix), anyOf(rng, p.Prefix))
	}
	for range rng.IntN(5) {
		r := rangeOfTwo(anyOf(rng, p.Prefix), anyOf(rng, p.Prefix))
		if rng.IntN(2) == 0 {
			r.Last = r.First
		}
		p.Excluded = append(p.Excluded, r)
	}
	return p
}

// completePlan returns a random plan after Complete.
func completePlan(rng *rand.Rand) Plan {
	for {
		if p, err := randomPlan(rng).Complete(); err == nil {
			return p
		}
	}
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2131)) }

// eachSeed runs one subtest per seed, named after it so that a failure can be
// repeated alone.
func eachSeed(t *testing.T, seeds int, test func(t *testing.T, rng *rand.Rand)) {
	t.Helper()
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			t.Parallel()
			test(t, seeded(uint64(seed)))
		})
	}
}

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func addrs(ss ...string) []netip.Addr {
	out := make([]netip.Addr, len(ss))
	for i, s := range ss {
		out[i] = addr(s)
	}
	return out
}

func rangeOf(t testing.TB, s string) Range {
	t.Helper()
	if s == "" {
		return Range{}
	}
	r, err := ParseRange(s)
	if err != nil {
		t.Fatalf("ParseRange(%q): %v", s, err)
	}
	return r
}

// draft writes plans in tests as their author would.
type draft struct {
	cidr, server, router, start, end string
	exclude                          []string
}

func (d draft) plan(t testing.TB) Plan {
	t.Helper()
	p := Plan{
		Prefix: netip.MustParsePrefix(d.cidr),
		Server: addr(d.server),
		Router: addr(d.router),
		Range:  Range{First: addr(d.start), Last: addr(d.end)},
	}
	for _, e := range d.exclude {
		p.Excluded = append(p.Excluded, rangeOf(t, e))
	}
	return p
}
