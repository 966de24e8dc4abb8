package agent

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// declineBackOff is how long a declined address is not offered. Without it,
// client and server would go round in circles of OFFER and DECLINE.
const declineBackOff = 10 * time.Minute

// maxQuarantined bounds the memory; beyond it declines are only counted.
const maxQuarantined = 4096

// quarantine remembers declined addresses. Reading it takes no lock.
type quarantine struct {
	mu    sync.Mutex
	until map[netip.Addr]time.Time
	// set is what readers see; it is replaced, never changed.
	set atomic.Pointer[map[netip.Addr]struct{}]
	// next is when the first entry expires, in Unix nanoseconds; 0 is never.
	next atomic.Int64
}

// add puts an address into quarantine from now on, and reports whether it was
// not there before.
func (q *quarantine) add(a netip.Addr, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.prune(now)
	_, had := q.until[a]
	if !had && len(q.until) >= maxQuarantined {
		return false
	}
	if q.until == nil {
		q.until = map[netip.Addr]time.Time{}
	}
	q.until[a] = now.Add(declineBackOff)
	q.publish()
	return !had
}

// current returns the addresses in quarantine. The caller must not change the
// map.
func (q *quarantine) current(now time.Time) map[netip.Addr]struct{} {
	if next := q.next.Load(); next != 0 && now.UnixNano() >= next {
		q.mu.Lock()
		q.prune(now)
		q.publish()
		q.mu.Unlock()
	}
	if set := q.set.Load(); set != nil {
		return *set
	}
	return nil
}

func (q *quarantine) prune(now time.Time) {
	maps.DeleteFunc(q.until, func(_ netip.Addr, until time.Time) bool { return !now.Before(until) })
}

func (q *quarantine) publish() {
	set := make(map[netip.Addr]struct{}, len(q.until))
	next := int64(0)
	for a, until := range q.until {
		set[a] = struct{}{}
		if n := until.UnixNano(); next == 0 || n < next {
			next = n
		}
	}
	q.set.Store(&set)
	q.next.Store(next)
}
