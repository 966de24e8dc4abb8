// Package store is the REST API's index of what the caches hold: sorted,
// searchable, and with a feed of what changes. It is filled by the events of the
// caches and can be thrown away at any time.
package store

import (
	"sync"
	"time"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// Change is one entry of the feed.
type Change struct {
	// Revision counts the changes of this store from 1 on, without gaps.
	Revision uint64
	// At is when the store learned of it.
	At        time.Time
	Kind      v1.ChangeKind
	Type      v1.ChangeType
	Namespace string
	Name      string
}

// Store is the index. Make one with New. It is safe for concurrent use.
type Store struct {
	clock func() time.Time
	feed  feed
}

// Config is what a Store works with.
type Config struct {
	// Clock is time.Now, but in tests.
	Clock func() time.Time
	// ManagedByDefault says whether networks without the managed-dhcp annotation
	// get a pool, as the manager is told.
	ManagedByDefault bool
}

// New returns an empty store.
func New(config Config) *Store {
	return &Store{clock: config.Clock}
}

// Revision is that of the last change; 0 before the first.
func (s *Store) Revision() uint64 { return s.feed.revision() }

// Subscribe has the function told of every change from then on, in order and
// one at a time, after the index shows it. It is called with a lock of the feed
// held: it must return at once and not call Subscribe or its cancel. The
// returned function ends the subscription.
func (s *Store) Subscribe(told func(Change)) (cancel func()) { return s.feed.subscribe(told) }

// feed numbers changes and tells them.
type feed struct {
	mu    sync.Mutex
	last  uint64
	next  int
	heard map[int]func(Change)
}

func (f *feed) revision() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.last
}

func (f *feed) subscribe(told func(Change)) func() {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.heard == nil {
		f.heard = map[int]func(Change){}
	}

	id := f.next
	f.next++
	f.heard[id] = told

	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()

		delete(f.heard, id)
	}
}

func (f *feed) tell(change Change) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.last++
	change.Revision = f.last

	for _, told := range f.heard {
		told(change)
	}
}
