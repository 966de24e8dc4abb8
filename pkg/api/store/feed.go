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
	At   time.Time
	Kind v1.ChangeKind
	Type v1.ChangeType
	// Namespace and Name are the object's; those of an agent are its pool's
	// namespace and its Pod's name.
	Namespace, Name string
}

// feed numbers changes and tells them.
type feed struct {
	// telling is held while subscribers are told.
	telling sync.Mutex

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

// listened tells whether anybody is told of changes.
func (f *feed) listened() bool {
	f.mu.Lock()
	defer f.mu.Unlock()

	return len(f.heard) > 0
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
		// Who is being told just now is told to the end first.
		f.telling.Lock()
		defer f.telling.Unlock()

		f.mu.Lock()
		defer f.mu.Unlock()

		delete(f.heard, id)
	}
}

func (f *feed) tell(change Change) {
	f.telling.Lock()
	defer f.telling.Unlock()

	f.mu.Lock()
	f.last++
	change.Revision = f.last

	heard := make([]func(Change), 0, len(f.heard))
	for _, told := range f.heard {
		heard = append(heard, told)
	}
	f.mu.Unlock()

	for _, told := range heard {
		told(change)
	}
}
