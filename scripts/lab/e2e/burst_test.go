package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// burstSize is how many machines the guest cluster has.
const burstSize = 20

// TestGuestClusterBurst: the machines of a guest cluster come all at once, as
// Rancher's node driver makes them, and go all at once.
func TestGuestClusterBurst(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "burst")
	w.add(w.network("front", 120, "172.20.20.0/24"), w.network("back", 121, "172.20.21.0/24"))

	free := map[string]int64{"front": w.served("front").Available, "back": w.served("back").Available}
	machines := make([]*unstructured.Unstructured, burstSize)

	for i := range machines {
		vm, err := guest.VM(guest.VMSpec{
			Namespace: w.namespace, Name: fmt.Sprintf("node-%02d", i), Halted: true,
			NICs: []guest.VMNIC{{Network: "front", MAC: mac(120, i)}, {Network: "back", MAC: mac(121, i)}},
		})
		w.must(err)

		machines[i] = vm
	}

	start := time.Now()
	w.must(w.Harvester.CreateBurst(w.ctx, machines))

	created := time.Since(start)

	for pool := range free {
		w.heldIn(pool, burstSize)
	}

	allocated := time.Since(start)

	for _, vm := range machines {
		w.holds(vm.GetName(), 2)
	}

	for pool, before := range free {
		held, err := w.watch.Leases(w.ctx, w.namespace, pool)
		w.must(err)

		addresses := map[netip.Addr]string{}

		for _, lease := range held {
			if other, twice := addresses[lease.Address]; twice {
				t.Errorf("%s is held by %s and %s", lease.Address, other, lease.Owner)
			}

			addresses[lease.Address] = lease.Owner
		}

		if seen := w.used(pool, burstSize); seen.Used+seen.Available != before {
			t.Errorf("pool %s: %d used and %d available, %d in all before", pool, seen.Used, seen.Available, before)
		}
	}

	t.Logf("%d machines with two NICs each were created in %s; all %d addresses were held %s after the first", burstSize, seconds(created), 2*burstSize, seconds(allocated))

	start = time.Now()
	w.must(w.Harvester.DeleteBurst(w.ctx, machines))

	deleted := time.Since(start)

	for pool, before := range free {
		w.heldIn(pool, 0)

		if seen := w.used(pool, 0); seen.Available != before {
			t.Errorf("pool %s has %d available after its machines' end, before %d", pool, seen.Available, before)
		}
	}

	t.Logf("they were deleted in %s; all addresses were free %s after the first", seconds(deleted), seconds(time.Since(start)))
}

// heldIn waits until the pool has that many leases.
func (w *world) heldIn(pool string, want int) {
	w.t.Helper()
	w.until(poolTimeout, fmt.Sprintf("%d leases of pool %s", want, pool), func() (bool, string) {
		held, err := w.watch.Leases(w.ctx, w.namespace, pool)

		return err == nil && len(held) == want, fmt.Sprintf("%d leases (%v)", len(held), err)
	})
}
