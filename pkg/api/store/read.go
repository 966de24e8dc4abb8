package store

import (
	"net/netip"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// Page says which part of a list is wanted.
type Page struct {
	// Sort is what the list is sorted by, "" for its natural order; a minus in
	// front turns it round.
	Sort string
	// After is where the page before ended; nil for the first page.
	After *Position
	// Limit is the most entries of the page, at least 1.
	Limit int
}

// Listed is a page of a list.
type Listed[T any] struct {
	Items []T
	// Total is how many there are in all pages.
	Total int
	// Next is where this page ends; nil when there is no other one.
	Next *Position
}

// cut makes the page of the bodies of the chosen entries.
func cut[E, T any](chosen []E, total int, more bool, position func(E) Position, body func(E) T) Listed[T] {
	listed := Listed[T]{Items: make([]T, 0, len(chosen)), Total: total}

	for _, entry := range chosen {
		listed.Items = append(listed.Items, body(entry))
	}

	if more {
		end := position(chosen[len(chosen)-1])
		listed.Next = &end
	}

	return listed
}

// sorted returns the entries of a table in their natural order. The slice is
// never changed.
func sorted[E comparable](s *Store, t *table[E]) []E {
	s.mu.RLock()

	if t.clean() {
		defer s.mu.RUnlock()

		return t.sorted
	}

	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()

	t.sort()

	return t.sorted
}

// direction parts what a list is sorted by from the way round. Turned round, the
// natural order is one like the others.
func direction(sort string) (what string, down bool) {
	if sort == "-address" {
		return reverse, true
	}

	what, down = strings.CutPrefix(sort, "-")

	return what, down
}

// Leases returns a page of the leases that are wanted. Sort is address, mac, vm,
// network, state or created. An error is a *QueryError.
func (s *Store) Leases(query LeaseQuery, want Page) (Listed[v1.Lease], error) {
	m, err := query.read()
	if err != nil {
		return Listed[v1.Lease]{}, err
	}

	what, down := direction(want.Sort)
	position := func(entry *leaseEntry) Position { return entry.sorted(what) }

	if what == "" || what == "address" {
		chosen, total, more := inOrder(sorted(s, &s.leases), m.match, (*leaseEntry).position, want.After, want.Limit)

		return cut(chosen, total, more, position, leaseBody), nil
	}

	chosen, total, more := page(sorted(s, &s.leases), m.match, position, down, want.After, want.Limit)

	return cut(chosen, total, more, position, leaseBody), nil
}

func leaseBody(entry *leaseEntry) v1.Lease { return view.Lease(entry.facts) }

// EachLease returns a function that calls do with every lease that is wanted, in
// order, until it fails, and how many there are. What changes meanwhile is not
// seen, however often it is called. An error is a *QueryError.
func (s *Store) EachLease(query LeaseQuery, sort string) (each func(do func(v1.Lease) error) error, total int, err error) {
	m, err := query.read()
	if err != nil {
		return nil, 0, err
	}

	what, down := direction(sort)

	var wanted []*leaseEntry

	for _, entry := range sorted(s, &s.leases) {
		if m.match(entry) {
			wanted = append(wanted, entry)
		}
	}

	if what != "" && what != "address" {
		before := order(down)
		slices.SortFunc(wanted, func(a, b *leaseEntry) int { return before(a.sorted(what), b.sorted(what)) })
	}

	return func(do func(v1.Lease) error) error {
		for _, entry := range wanted {
			if err := do(leaseBody(entry)); err != nil {
				return err
			}
		}

		return nil
	}, len(wanted), nil
}

// Lease returns a lease, or false.
func (s *Store) Lease(key Key) (v1.Lease, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	entry := s.leases.entries[key]
	if entry == nil {
		return v1.Lease{}, false
	}

	return leaseBody(entry), true
}

// DescribeLease returns the body of a lease that the caches may not show yet.
func (s *Store) DescribeLease(lease *v1alpha1.IPLease) v1.Lease {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return view.Lease(s.leaseFacts(lease))
}

// History returns the changes of the lease that this store has seen, newest
// first, from when on they are known, and whether that is since it started.
func (s *Store) History(key Key) (items []v1.HistoryItem, since Since) {
	items, cut := s.history.of(key)
	if cut.IsZero() {
		return items, Since{At: s.started}
	}

	return items, Since{At: cut, Cut: true}
}

// poolBody returns the body of a pool, with mu held.
func (s *Store) poolBody(entry *poolEntry) v1.Pool {
	key := keyOf(entry.pool)
	namespace, name, _ := strings.Cut(entry.network, "/")

	facts := view.PoolFacts{
		Pool: entry.pool, Network: s.networks.entries[Key{Namespace: namespace, Name: name}],
		Problems: entry.problems, Agents: s.agents(key),
	}
	if len(entry.problems) == 0 {
		facts.Counts = s.config.Ledger.Counts(key, entry.plan)
	}

	return view.Pool(facts)
}

// Pool returns a pool, or false.
func (s *Store) Pool(key Key) (v1.Pool, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	entry := s.pools.entries[key]
	if entry == nil {
		return v1.Pool{}, false
	}

	return s.poolBody(entry), true
}

// DescribePool returns the body of a pool that the caches may not show yet.
func (s *Store) DescribePool(pool *v1alpha1.IPPool) v1.Pool {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return s.poolBody(newPoolEntry(pool))
}

// PoolQuery says which pools are wanted. Its zero value is all of them.
type PoolQuery struct {
	// Visible says which namespaces the caller may list; nil for all.
	Visible map[string]bool
	// Namespace is the only one wanted; "" for all.
	Namespace string
	// Network is its name, or namespace/name.
	Network string
	// Text is looked for in names, network and prefix.
	Text string
	// States are the only ones wanted; none for all.
	States []v1.PoolState
}

// Pools returns a page of the pools that are wanted. Sort is name, attention or
// used.
func (s *Store) Pools(query PoolQuery, want Page) Listed[v1.Pool] {
	entries := sorted(s, &s.pools)

	s.mu.RLock()
	defer s.mu.RUnlock()

	text, network := strings.ToLower(query.Text), strings.ToLower(query.Network)

	var bodies []v1.Pool

	for _, entry := range entries {
		switch {
		case query.Visible != nil && !query.Visible[entry.pool.Namespace],
			query.Namespace != "" && entry.pool.Namespace != query.Namespace,
			network != "" && !named(entry.network, network),
			!strings.Contains(entry.text, text):
			continue
		}

		if body := s.poolBody(entry); len(query.States) == 0 || slices.Contains(query.States, body.State) {
			bodies = append(bodies, body)
		}
	}

	all := func(v1.Pool) bool { return true }
	what, down := direction(want.Sort)
	position := func(body v1.Pool) Position { return poolPosition(body, what) }
	chosen, total, more := page(bodies, all, position, down, want.After, want.Limit)

	return cut(chosen, total, more, position, func(body v1.Pool) v1.Pool { return body })
}

// Namespaces returns the namespaces with objects of the kind, in order. Those of
// agents are their pools'.
func (s *Store) Namespaces(kind v1.ChangeKind) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()

	found := sets.New[string]()

	switch kind {
	case v1.ChangePool, v1.ChangeAgent:
		collect(found, s.pools.entries)
	case v1.ChangeLease:
		collect(found, s.leases.entries)
	case v1.ChangeNetwork:
		collect(found, s.networks.entries)
	case v1.ChangeVM:
		collect(found, s.machines.entries)
	}

	return sets.List(found)
}

func collect[E any](into sets.Set[string], entries map[Key]E) {
	for key := range entries {
		into.Insert(key.Namespace)
	}
}

// Addresses returns the address map of a pool from first to last, which default
// to the ends of its prefix. With detail, each held address is a run of its own
// with its lease. It returns false when there is no such pool. Errors are a
// *PlanError when its plan cannot be read, and a *QueryError for the ends.
func (s *Store) Addresses(key Key, first, last netip.Addr, detail bool) (v1.AddressMap, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	entry := s.pools.entries[key]
	if entry == nil {
		return v1.AddressMap{}, false, nil
	}

	if len(entry.problems) > 0 {
		return v1.AddressMap{}, true, &PlanError{Key: key, Problems: entry.problems}
	}

	first, last, err := within(entry, first, last, detail)
	if err != nil {
		return v1.AddressMap{}, true, err
	}

	declined := s.heard[key].Declined
	leases := s.config.Ledger.OfPool(key)
	held := make([]view.HeldAddress, 0, len(leases)+len(declined))

	for _, lease := range leases {
		address := ledger.AddressOf(lease)
		if address.Less(first) || last.Less(address) {
			continue
		}

		held = append(held, s.heldAddress(lease, address, detail))
	}

	for _, address := range declined {
		if s.config.Ledger.Holder(key, address) == nil && !address.Less(first) && !last.Less(address) {
			held = append(held, view.HeldAddress{Address: address, State: v1.AddressConflict})
		}
	}

	slices.SortStableFunc(held, func(a, b view.HeldAddress) int { return a.Address.Compare(b.Address) })

	runs := view.AddressRuns(entry.plan, first, last, held)

	return v1.AddressMap{
		CIDR: entry.plan.Prefix.Masked().String(), From: first.String(), To: last.String(), Runs: runs, Counts: view.AddressCounts(runs),
	}, true, nil
}

func (s *Store) heldAddress(lease *v1alpha1.IPLease, address netip.Addr, detail bool) view.HeldAddress {
	facts := s.leaseFacts(lease)
	held := view.HeldAddress{Address: address, State: v1.AddressLeased}

	switch view.LeaseState(facts) {
	case v1.LeaseReserved:
		held.State = v1.AddressReserved
	case v1.LeaseConflict:
		held.State = v1.AddressConflict
	default:
	}

	if detail {
		body := view.Lease(facts)
		held.Lease = &body
	}

	return held
}

// networkBody returns the body of a network, with mu held.
func (s *Store) networkBody(network *nadv1.NetworkAttachmentDefinition) v1.Network {
	return view.Network(s.networkFacts(network))
}
