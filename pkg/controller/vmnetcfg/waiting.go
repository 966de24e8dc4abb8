package vmnetcfg

import (
	"slices"
	"sync"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// wakeLimit bounds how many of the requests that wait for any address one freed
// address wakes, those first that waited longest. Each address that they do not
// take wakes the next ones when it is freed.
const wakeLimit = 64

// wait is what a request waits for: any address of the pool, or else a certain
// change in it, such as the end of the lease that has its wanted address.
type wait struct {
	pool ledger.Key
	any  bool
}

// waiting remembers which requests wait for what, in the order in which they
// began to wait, so that a freed address is given out at once and nobody polls.
// It is safe for concurrent use. It may be lost: every request is looked at
// again when a manager starts to lead.
type waiting struct {
	mu    sync.Mutex
	lines map[wait][]ledger.Key
}

func newWaiting() *waiting {
	return &waiting{lines: map[wait][]ledger.Key{}}
}

// set records what the request waits for now, and nothing else.
func (w *waiting) set(request ledger.Key, waits []wait) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for line, requests := range w.lines {
		if at := slices.Index(requests, request); at >= 0 && !slices.Contains(waits, line) {
			w.lines[line] = slices.Delete(requests, at, at+1)
			if len(w.lines[line]) == 0 {
				delete(w.lines, line)
			}
		}
	}

	for _, line := range waits {
		if !slices.Contains(w.lines[line], request) {
			w.lines[line] = append(w.lines[line], request)
		}
	}
}

// woken returns the requests that a freed address of the pool may help: those
// that wait for a certain one, all of them, and the first of those that wait
// for any.
func (w *waiting) woken(pool ledger.Key) []ledger.Key {
	w.mu.Lock()
	defer w.mu.Unlock()

	anyone := w.lines[wait{pool: pool, any: true}]

	return slices.Concat(w.lines[wait{pool: pool}], anyone[:min(len(anyone), wakeLimit)])
}

// waitsFor returns what could help the NICs.
func waitsFor(results []result) []wait {
	var waits []wait

	for _, r := range results {
		if r.refusal == nil || r.nic.pool == nil {
			continue
		}

		switch r.refusal.reason {
		case v1alpha1.ReasonPoolExhausted:
			waits = append(waits, wait{pool: r.nic.pool.key, any: true})
		case v1alpha1.ReasonAddressTaken, v1alpha1.ReasonMACConflict:
			waits = append(waits, wait{pool: r.nic.pool.key})
		default:
		}
	}

	return waits
}
