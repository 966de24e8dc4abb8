package stream

import (
	"sync"
	"sync/atomic"

	"github.com/freehold-net/freehold/pkg/api/store"
)

// event is one change that may be told to many readers.
type event struct {
	sequence uint64
	change   store.Change

	once sync.Once
	data []byte
}

// bytes are the event as it is sent, encoded for the first who asks.
func (e *event) bytes(encode func(*event) []byte) []byte {
	e.once.Do(func() { e.data = encode(e) })

	return e.data
}

// ring keeps the last changes. Its readers have a position each and nothing
// else, so that a slow one costs no more than a fast one. It is safe for
// concurrent use.
type ring struct {
	mu     sync.Mutex
	events []*event
	// last is the sequence of the newest event, 0 before the first.
	last uint64
	// wake is closed at the next event.
	wake chan struct{}
	// readers counts who would be woken.
	readers atomic.Int32
}

func newRing(size int) *ring {
	return &ring{events: make([]*event, size), wake: make(chan struct{})}
}

// add appends a change in place of the oldest one. It does not block.
func (r *ring) add(change store.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.last++
	r.events[r.last%uint64(len(r.events))] = &event{sequence: r.last, change: change}

	if r.readers.Load() > 0 {
		close(r.wake)
		r.wake = make(chan struct{})
	}
}

// newest is the sequence of the newest event.
func (r *ring) newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.last
}

// after fills batch with the events behind the position and returns how many they
// are. When there are none, wake is closed as soon as there is one. It is not ok
// when events behind the position are no longer known, or the position has not
// been yet.
func (r *ring) after(position uint64, batch []*event) (count int, wake <-chan struct{}, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()

	size := uint64(len(r.events))
	if position > r.last || r.last-position > size {
		return 0, nil, false
	}

	for count < len(batch) && position < r.last {
		position++
		batch[count] = r.events[position%size]
		count++
	}

	return count, r.wake, true
}
