package ipam

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cmpAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// TestAllocateMatchesModel runs random sequences of taking, wanting and freeing
// against the golden model. After every step the counts must agree and add up,
// no address may have two holders and none outside the plan may be handed out.
func TestAllocateMatchesModel(t *testing.T) {
	t.Parallel()
	eachSeed(t, 150, func(t *testing.T, rng *rand.Rand) {
		p := completePlan(rng)
		if rng.IntN(4) == 0 {
			p = randomDraft(rng) // the arithmetic must hold for bad plans too
		}
		m := newModel(p)
		taken := NewSet()
		var last netip.Addr
		for step := range 400 {
			switch rng.IntN(6) {
			case 0, 1, 2:
				last = stepAllocate(t, m, taken, last)
			case 3:
				stepWant(t, m, taken, anyOf(rng, p.Prefix))
			case 4:
				stepFree(t, m, taken, anyOf(rng, p.Prefix))
			case 5:
				// A lease from before an edit: anywhere, reserved or excluded too.
				a := anyOf(rng, netip.PrefixFrom(p.Prefix.Addr(), p.Prefix.Bits()-1))
				if got, want := taken.Add(a), !m.taken[a]; got != want {
					t.Fatalf("Add(%s) = %v, want %v", a, got, want)
				}
				m.taken[a] = true
				if rng.IntN(3) > 0 {
					stepFree(t, m, taken, a)
				}
			}
			checkCounts(t, step, m, taken)
		}
	})
}

func stepAllocate(t *testing.T, m *model, taken *Set, last netip.Addr) netip.Addr {
	t.Helper()
	got, err := Allocate(m.plan, taken, Request{After: last})
	want, ok := m.next(last)
	if !ok {
		if !errors.Is(err, ErrExhausted) {
			t.Fatalf("Allocate = %s, %v; the model is exhausted", got, err)
		}
		return last
	}
	if err != nil || got != want {
		t.Fatalf("Allocate after %s = %s, %v; want %s (plan %+v)", last, got, err, want, m.plan)
	}
	if m.taken[got] {
		t.Fatalf("%s was handed out twice", got)
	}
	m.taken[got] = true
	taken.Add(got)
	return got
}

func stepWant(t *testing.T, m *model, taken *Set, wanted netip.Addr) {
	t.Helper()
	got, err := Allocate(m.plan, taken, Request{Wanted: wanted})
	if m.isFree(wanted) {
		if err != nil || got != wanted {
			t.Fatalf("Allocate wanting %s = %s, %v; it is free", wanted, got, err)
		}
		m.taken[wanted] = true
		taken.Add(wanted)
		return
	}
	var (
		notIn    *NotInRangeError
		excluded *ExcludedError
		reserved *ReservedError
		held     *TakenError
	)
	var right bool
	switch {
	case m.isReserved(wanted):
		right = errors.As(err, &reserved) && reserved.Addr == wanted
	case !m.inRange(wanted):
		right = errors.As(err, &notIn) && notIn.Addr == wanted
	case m.isExcluded(wanted):
		right = errors.As(err, &excluded) && excluded.Excluded.Contains(wanted)
	default:
		right = errors.As(err, &held) && held.Addr == wanted
	}
	if !right {
		t.Fatalf("Allocate wanting %s: %T %v is not the error the model expects", wanted, err, err)
	}
}

func stepFree(t *testing.T, m *model, taken *Set, a netip.Addr) {
	t.Helper()
	if got, want := taken.Remove(a), m.taken[a]; got != want {
		t.Fatalf("Remove(%s) = %v, want %v", a, got, want)
	}
	delete(m.taken, a)
	if m.isFree(a) {
		if got, err := Allocate(m.plan, taken, Request{Wanted: a}); got != a || err != nil {
			t.Fatalf("a freed address cannot be had again: %s, %v", got, err)
		}
	}
}

func checkCounts(t *testing.T, step int, m *model, taken *Set) {
	t.Helper()
	got := Count(m.plan, taken)
	if diff := cmp.Diff(m.counts(), got); diff != "" {
		t.Fatalf("step %d: counts (-model +got):\n%s", step, diff)
	}
	if got.Used+got.Reserved+got.Excluded+got.Free != got.Size {
		t.Fatalf("step %d: %+v does not add up", step, got)
	}
	if taken.Len() != len(m.taken) {
		t.Fatalf("step %d: Len = %d, want %d", step, taken.Len(), len(m.taken))
	}
}

// TestAllocateUntilExhausted fills a pool, which must take exactly as many
// addresses as Count promised, then frees them and fills it again.
func TestAllocateUntilExhausted(t *testing.T) {
	t.Parallel()
	eachSeed(t, 60, func(t *testing.T, rng *rand.Rand) {
		p := completePlan(rng)
		taken := NewSet()
		for round := range 2 {
			free := Count(p, taken).Free
			var held []netip.Addr
			var last netip.Addr
			for range free {
				a, err := Allocate(p, taken, Request{After: last})
				if err != nil {
					t.Fatalf("round %d: %v after %d of %d addresses", round, err, len(held), free)
				}
				if p.Role(a) != RoleFree || !taken.Add(a) {
					t.Fatalf("round %d: %s is %s or has a holder", round, a, p.Role(a))
				}
				held = append(held, a)
				last = a
			}
			if a, err := Allocate(p, taken, Request{After: last}); !errors.Is(err, ErrExhausted) {
				t.Fatalf("round %d: Allocate from a full pool = %s, %v", round, a, err)
			}
			for _, a := range held {
				taken.Remove(a)
			}
		}
		if diff := cmp.Diff(NewSet().Len(), taken.Len()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestOrderOfInsertionDoesNotMatter builds one set along two histories.
func TestOrderOfInsertionDoesNotMatter(t *testing.T) {
	t.Parallel()
	eachSeed(t, 60, func(t *testing.T, rng *rand.Rand) {
		p := completePlan(rng)
		var held []netip.Addr
		for range rng.IntN(80) {
			held = append(held, anyOf(rng, p.Prefix))
		}
		straight := NewSet(held...)
		detour := NewSet()
		for range 40 {
			detour.Add(anyOf(rng, p.Prefix))
		}
		rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for a := range slices.Values(slices.Collect(detour.All())) {
			if !slices.Contains(held, a) {
				detour.Remove(a)
			}
		}
		for _, a := range held {
			detour.Add(a)
		}
		if diff := cmp.Diff(slices.Collect(straight.All()), slices.Collect(detour.All()), cmpAddrs); diff != "" {
			t.Fatalf("the sets differ:\n%s", diff)
		}
		after := anyOf(rng, p.Prefix)
		a, errA := Allocate(p, straight, Request{After: after})
		b, errB := Allocate(p, detour, Request{After: after})
		if a != b || !errors.Is(errB, errA) {
			t.Fatalf("Allocate = %s, %v and %s, %v", a, errA, b, errB)
		}
		if diff := cmp.Diff(Count(p, straight), Count(p, detour)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestFreedAddressRests pins next-fit: while another address is free, one that
// has just been freed is not handed out.
func TestFreedAddressRests(t *testing.T) {
	t.Parallel()
	eachSeed(t, 40, func(t *testing.T, rng *rand.Rand) {
		p := completePlan(rng)
		taken := NewSet()
		var last netip.Addr
		var held []netip.Addr
		for range 300 {
			free := Count(p, taken).Free
			a, err := Allocate(p, taken, Request{After: last})
			if err == nil {
				taken.Add(a)
				held = append(held, a)
				last = a
			}
			if len(held) == 0 || (err == nil && rng.IntN(2) == 0) {
				continue
			}
			i := rng.IntN(len(held))
			freed := held[i]
			held = slices.Delete(held, i, i+1)
			taken.Remove(freed)
			next, err := Allocate(p, taken, Request{After: last})
			if err != nil {
				t.Fatalf("nothing is free right after %s was freed: %v", freed, err)
			}
			// The one exception is an address that was due anyway: the freed one lies
			// between the last answer and the next free address.
			if next == freed && free > 1 {
				m := newModel(p)
				for a := range taken.All() {
					m.taken[a] = true
				}
				if due, _ := m.next(last); due != freed {
					t.Fatalf("%s was freed and handed out again, %s was due", freed, due)
				}
			}
		}
	})
}

func TestNextFitGoesRound(t *testing.T) {
	t.Parallel()
	p := draft{cidr: "10.0.0.0/29", server: "10.0.0.1", start: "10.0.0.1", end: "10.0.0.6", exclude: []string{"10.0.0.4"}}.plan(t)
	tests := []struct{ name, after, want string }{
		{"unset starts at the lowest", "", "10.0.0.2"},
		{"the one behind", "10.0.0.2", "10.0.0.3"},
		{"over an exclusion", "10.0.0.3", "10.0.0.5"},
		{"round at the end", "10.0.0.6", "10.0.0.2"},
		{"below the range", "10.0.0.0", "10.0.0.2"},
		{"above the range", "10.0.0.7", "10.0.0.2"},
		{"another network", "192.168.7.7", "10.0.0.2"},
		{"another family", "2001:db8::1", "10.0.0.2"},
		{"IPv4 in IPv6 notation", "::ffff:10.0.0.3", "10.0.0.5"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Allocate(p, nil, Request{After: addr(tc.after)})
			if err != nil || got != addr(tc.want) {
				t.Errorf("Allocate after %q = %s, %v; want %s", tc.after, got, err, tc.want)
			}
		})
	}

	t.Run("the address itself comes last", func(t *testing.T) {
		t.Parallel()
		taken := NewSet(addrs("10.0.0.2", "10.0.0.5", "10.0.0.6")...)
		if got, err := Allocate(p, taken, Request{After: addr("10.0.0.3")}); err != nil || got != addr("10.0.0.3") {
			t.Errorf("Allocate = %s, %v; want the only free address, 10.0.0.3", got, err)
		}
	})
	t.Run("freeing in a circle uses every address", func(t *testing.T) {
		t.Parallel()
		var order []netip.Addr
		var last netip.Addr
		for range 5 {
			a, err := Allocate(p, NewSet(), Request{After: last})
			if err != nil {
				t.Fatal(err)
			}
			order = append(order, a)
			last = a
		}
		if diff := cmp.Diff(addrs("10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6", "10.0.0.2"), order, cmpAddrs); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAllocateWanted(t *testing.T) {
	t.Parallel()
	p := draft{
		cidr: "192.168.48.0/24", server: "192.168.48.2", router: "192.168.48.1",
		start: "192.168.48.2", end: "192.168.48.99",
		exclude: []string{"192.168.48.10-192.168.48.19", "192.168.48.30"},
	}.plan(t)
	taken := NewSet(addrs("192.168.48.50", "192.168.48.30", "192.168.48.2")...)
	tests := []struct{ name, wanted, err string }{
		{"free", "192.168.48.51", ""},
		{"first of the range after the server", "192.168.48.3", ""},
		{"last of the range", "192.168.48.99", ""},
		{"IPv4 in IPv6 notation", "::ffff:192.168.48.51", ""},
		{"taken", "192.168.48.50", "address 192.168.48.50 is already taken"},
		{"server, even when taken", "192.168.48.2", "address 192.168.48.2 is the address of the DHCP server"},
		{"router, out of the range", "192.168.48.1", "address 192.168.48.1 is the address of the router"},
		{"excluded by a range", "192.168.48.15", "address 192.168.48.15 is excluded from the pool, as part of 192.168.48.10-192.168.48.19"},
		{"excluded alone, even when taken", "192.168.48.30", "address 192.168.48.30 is excluded from the pool"},
		{"above the range", "192.168.48.100", "address 192.168.48.100 is not in the range of the pool, 192.168.48.2-192.168.48.99"},
		{"network", "192.168.48.0", "address 192.168.48.0 is not in the range of the pool, 192.168.48.2-192.168.48.99"},
		{"broadcast", "192.168.48.255", "address 192.168.48.255 is not in the range of the pool, 192.168.48.2-192.168.48.99"},
		{"another network", "10.0.0.1", "address 10.0.0.1 is not in the range of the pool, 192.168.48.2-192.168.48.99"},
		{"another family", "2001:db8::1", "address 2001:db8::1 is not in the range of the pool, 192.168.48.2-192.168.48.99"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Allocate(p, taken, Request{Wanted: addr(tc.wanted), After: addr("192.168.48.60")})
			if tc.err == "" {
				if err != nil || got != addr(tc.wanted).Unmap() {
					t.Errorf("Allocate = %s, %v", got, err)
				}
				return
			}
			if err == nil || err.Error() != tc.err {
				t.Errorf("error is %q, want %q", err, tc.err)
			}
		})
	}
}

func FuzzAllocateFree(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(uint64(7), []byte("take and give back, take and give back"))
	f.Add(uint64(42), []byte{0xff, 0x80, 0x01, 0, 0, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		if len(script) > 400 {
			script = script[:400]
		}
		rng := seeded(seed)
		p := randomDraft(rng)
		m := newModel(p)
		taken := NewSet()
		var last netip.Addr
		for step, b := range script {
			switch b % 4 {
			case 0, 1:
				last = stepAllocate(t, m, taken, last)
			case 2:
				stepWant(t, m, taken, anyOf(rng, p.Prefix))
			case 3:
				stepFree(t, m, taken, anyOf(rng, p.Prefix))
			}
			checkCounts(t, step, m, taken)
		}
	})
}
