package store

import (
	"cmp"
	"net/netip"
	"slices"
)

// Position is where an entry is in the order of a list. It is what a page ends
// at, so that the next one goes on behind it whatever came and went meanwhile.
type Position struct {
	// Key is what the list is sorted by, "" for its natural order.
	Key string `json:"k,omitempty"`
	// Address breaks ties, and so do Namespace and Name, in this order.
	Address   netip.Addr `json:"a,omitzero"`
	Namespace string     `json:"s,omitempty"`
	Name      string     `json:"n,omitempty"`
}

func (p Position) compare(o Position) int {
	if order := cmp.Compare(p.Key, o.Key); order != 0 {
		return order
	}

	return p.compareTies(o)
}

func (p Position) compareTies(o Position) int {
	if order := p.Address.Compare(o.Address); order != 0 {
		return order
	}

	return cmp.Or(cmp.Compare(p.Namespace, o.Namespace), cmp.Compare(p.Name, o.Name))
}

// table holds entries by key and, sorted, as a slice that is never changed once
// it was handed out. Many changes cost one pass over it, when it is read next.
type table[E comparable] struct {
	entries  map[Key]E
	position func(E) Position

	sorted  []E
	added   map[E]struct{}
	removed map[E]struct{}
}

func newTable[E comparable](position func(E) Position) table[E] {
	return table[E]{entries: map[Key]E{}, position: position, added: map[E]struct{}{}, removed: map[E]struct{}{}}
}

// put enters an entry in the place of the one of that key, which it returns.
func (t *table[E]) put(key Key, entry E) (before E, had bool) {
	before, had = t.drop(key)
	t.entries[key] = entry
	t.added[entry] = struct{}{}

	return before, had
}

// drop removes the entry of that key and returns it.
func (t *table[E]) drop(key Key) (before E, had bool) {
	before, had = t.entries[key]
	if !had {
		return before, false
	}

	delete(t.entries, key)

	if _, fresh := t.added[before]; fresh {
		delete(t.added, before)
	} else {
		t.removed[before] = struct{}{}
	}

	return before, true
}

// clean tells whether the sorted slice is up to date.
func (t *table[E]) clean() bool { return len(t.added) == 0 && len(t.removed) == 0 }

// sort brings the sorted slice up to date. The one that was handed out before
// stays as it is.
func (t *table[E]) sort() {
	if t.clean() {
		return
	}

	byPosition := func(a, b E) int { return t.position(a).compare(t.position(b)) }

	fresh := make([]E, 0, len(t.added))
	for entry := range t.added {
		fresh = append(fresh, entry)
	}

	slices.SortFunc(fresh, byPosition)

	gone := make([]E, 0, len(t.removed))
	for entry := range t.removed {
		gone = append(gone, entry)
	}

	slices.SortFunc(gone, byPosition)

	// What lies between two changes is copied without a look at it.
	merged := make([]E, 0, len(t.entries))
	rest := t.sorted

	for len(fresh) > 0 || len(gone) > 0 {
		removes := len(gone) > 0 && (len(fresh) == 0 || byPosition(gone[0], fresh[0]) <= 0)

		next := fresh
		if removes {
			next = gone
		}

		at, _ := slices.BinarySearchFunc(rest, next[0], byPosition)
		merged = append(merged, rest[:at]...)
		rest = rest[at:]

		if removes {
			rest, gone = rest[1:], gone[1:]
		} else {
			merged, fresh = append(merged, fresh[0]), fresh[1:]
		}
	}

	merged = append(merged, rest...)
	t.sorted = merged
	clear(t.added)
	clear(t.removed)
}

// order compares positions, by their keys the other way round with down.
func order(down bool) func(a, b Position) int {
	if !down {
		return Position.compare
	}

	return func(a, b Position) int {
		if byKey := cmp.Compare(b.Key, a.Key); byKey != 0 {
			return byKey
		}

		return a.compareTies(b)
	}
}

// page returns the entries that match, at most limit of them, in the order of
// their positions behind after, and how many match in all.
func page[E any](all []E, match func(E) bool, position func(E) Position, down bool, after *Position, limit int) (chosen []E, total int, more bool) {
	before := order(down)
	byOrder := func(a, b E) int { return before(position(a), position(b)) }

	// The best ones are kept in a buffer that is cut when it is full. Once it
	// was, most entries are compared with the last that was kept, and no more.
	var (
		last   *Position
		behind int
	)

	for _, entry := range all {
		if !match(entry) {
			continue
		}

		total++

		at := position(entry)
		if after != nil && before(at, *after) <= 0 {
			continue
		}

		behind++

		if last != nil && before(at, *last) > 0 {
			continue
		}

		chosen = append(chosen, entry)

		if len(chosen) > 2*limit {
			slices.SortFunc(chosen, byOrder)
			chosen = chosen[:limit]
			end := position(chosen[limit-1])
			last = &end
		}
	}

	slices.SortFunc(chosen, byOrder)

	return chosen[:min(len(chosen), limit)], total, behind > limit
}

// inOrder is page for a list that is in the order of the positions.
func inOrder[E any](all []E, match func(E) bool, position func(E) Position, after *Position, limit int) (chosen []E, total int, more bool) {
	begin := 0
	if after != nil {
		begin, _ = slices.BinarySearchFunc(all, *after, func(entry E, at Position) int {
			return cmp.Or(position(entry).compare(at), -1) // behind it, not at it
		})
	}

	for i, entry := range all {
		if !match(entry) {
			continue
		}

		total++

		switch {
		case i < begin:
		case len(chosen) < limit:
			chosen = append(chosen, entry)
		default:
			more = true
		}
	}

	return chosen, total, more
}
