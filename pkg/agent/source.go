package agent

import (
	"context"
	"sync"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// State is one complete view of a pool: never a difference to an earlier one.
type State struct {
	// Network is the pool as the wire needs it. NTP servers given by host
	// name are already resolved.
	Network dhcp.Network `json:"network"`
	// Entries are the pool's leases, the oldest first: where two contradict
	// each other, the earlier one is served.
	Entries []dhcp.Entry `json:"entries"`
	// Generation is the pool's metadata.generation that the view is built
	// from. It is only reported.
	Generation int64 `json:"generation"`
	// Withdrawn says that the pool is not to be served any more: it is
	// deleted or stopped. The other fields are then ignored, the answering
	// ends at once and the snapshot on disk is removed.
	Withdrawn bool `json:"-"`
}

// Source delivers the pool that an agent serves.
type Source interface {
	// Run calls update with the first complete view, once it is synced, and
	// again after every change of the pool or its leases, until ctx ends; it
	// then returns nil. It must not call update before its caches are
	// synced: a partial view would take leases away.
	//
	// update keeps only the latest view and returns at once, so that it may
	// be called from informer handlers as often as they like. It is safe for
	// concurrent use; the caller must not change a State after handing it
	// over.
	//
	// An error is logged, and Run is called again after a pause; meanwhile
	// the agent answers from the last view.
	Run(ctx context.Context, update func(State)) error
	// Fresh reports whether the last view given to update is known to be
	// current: the watches are connected and have said so less than 30
	// seconds ago. No NAK is sent otherwise. It is called for every packet
	// of a known client: it must be fast and safe for concurrent use.
	Fresh() bool
}

// mailbox holds the latest of the values put in; older ones are overwritten.
type mailbox[T any] struct {
	mu     sync.Mutex
	latest *T
	full   chan struct{}
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{full: make(chan struct{}, 1)} }

// put never blocks.
func (m *mailbox[T]) put(v T) {
	m.mu.Lock()
	m.latest = &v
	m.mu.Unlock()
	select {
	case m.full <- struct{}{}:
	default:
	}
}

// take returns the latest value, or nil if there is none since the last time.
func (m *mailbox[T]) take() *T {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.latest
	m.latest = nil
	return v
}
