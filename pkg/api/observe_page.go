package api

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// observePools asks the agents of several pools side by side about the leases of
// which pools has the places, and writes into them what was seen.
func (a *API) observePools(call *Call, pools map[types.NamespacedName][]int, leases []v1.Lease) ([]v1.Gap, error) {
	keys := slices.SortedFunc(maps.Keys(pools), func(x, y types.NamespacedName) int { return cmp.Compare(x.String(), y.String()) })
	missing := make([][]v1.Gap, len(keys))

	err := together(len(keys), func(at int) error {
		var nics []Watched

		for _, i := range pools[keys[at]] {
			if nic, ok := watched(leases[i]); ok {
				nics = append(nics, nic)
			}
		}

		seen := a.observe(call.Context(), keys[at], nics, pageDeadline)
		missing[at] = seen.Gaps

		for _, i := range pools[keys[at]] {
			observed := v1.Observed{Why: "the lease names no address that can be read"}
			if nic, ok := watched(leases[i]); ok {
				observed = seen.of(nic)
			}

			leases[i].Observed = &observed
		}

		return nil
	})
	gaps := slices.Concat(missing...)

	slices.SortFunc(gaps, func(x, y v1.Gap) int { return cmp.Compare(x.Source, y.Source) })

	return gaps, err
}
