package api

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// observePools asks the agents of several pools side by side about the leases of
// which pools has the places, and writes into them what was seen.
func (a *API) observePools(call *Call, pools map[types.NamespacedName][]int, leases []v1.Lease) []v1.Gap {
	var (
		group errgroup.Group
		mu    sync.Mutex
		gaps  []v1.Gap
	)

	group.SetLimit(reviews)

	for _, pool := range slices.SortedFunc(maps.Keys(pools), func(x, y types.NamespacedName) int {
		return cmp.Compare(x.String(), y.String())
	}) {
		group.Go(func() error {
			var nics []Watched

			for _, i := range pools[pool] {
				if nic, ok := watched(leases[i]); ok {
					nics = append(nics, nic)
				}
			}

			seen := a.observe(call.Context(), pool, nics, pageDeadline)

			for _, i := range pools[pool] {
				observed := v1.Observed{Why: "the lease names no address that can be read"}
				if nic, ok := watched(leases[i]); ok {
					observed = seen.of(nic)
				}

				leases[i].Observed = &observed
			}

			mu.Lock()
			defer mu.Unlock()

			gaps = append(gaps, seen.Gaps...)

			return nil
		})
	}

	_ = group.Wait() // what fails is in the gaps

	slices.SortFunc(gaps, func(x, y v1.Gap) int { return cmp.Compare(x.Source, y.Source) })

	return gaps
}
