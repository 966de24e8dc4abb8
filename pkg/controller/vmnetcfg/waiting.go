package vmnetcfg

import (
	"slices"
	"sync"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// wakeLimit bounds how many waiting requests one freed address wakes. The ones
// that waited longest come first; each address that they do not take wakes the
// next ones when it is freed.
const wakeLimit = 64

// waiting remembers which requests wait for a change in which pool, in the
// order in which they began to wait, so that a freed address is given out at
// once and nobody polls. It is safe for concurrent use. It may be lost: every
// request is looked at again when a manager starts to lead.
type waiting struct {
	mu    sync.Mutex
	pools map[ledger.Key][]ledger.Key
}

func newWaiting() *waiting {
	return &waiting{pools: map[ledger.Key][]ledger.Key{}}
}

// set records in which pools the request waits now, and in no others.
func (w *waiting) set(request ledger.Key, pools []ledger.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for pool, requests := range w.pools {
		if at := slices.Index(requests, request); at >= 0 && !slices.Contains(pools, pool) {
			w.pools[pool] = slices.Delete(requests, at, at+1)
			if len(w.pools[pool]) == 0 {
				delete(w.pools, pool)
			}
		}
	}

	for _, pool := range pools {
		if !slices.Contains(w.pools[pool], request) {
			w.pools[pool] = append(w.pools[pool], request)
		}
	}
}

// first returns the requests that have waited longest in the pool.
func (w *waiting) first(pool ledger.Key) []ledger.Key {
	w.mu.Lock()
	defer w.mu.Unlock()

	requests := w.pools[pool]

	return slices.Clone(requests[:min(len(requests), wakeLimit)])
}

// waitsIn returns the pools whose change could help the NICs.
func waitsIn(results []result) []ledger.Key {
	var pools []ledger.Key

	for _, r := range results {
		if r.refusal == nil || r.nic.pool == nil {
			continue
		}

		switch r.refusal.reason {
		case v1alpha1.ReasonPoolExhausted, v1alpha1.ReasonAddressTaken, v1alpha1.ReasonMACConflict:
			pools = append(pools, r.nic.pool.key)
		default:
		}
	}

	return pools
}
