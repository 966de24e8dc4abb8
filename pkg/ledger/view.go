package ledger

import (
	"iter"
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// Reserve chooses an address of the pool and marks it as taken until the lease
// is put in or Release is called, so that no other worker chooses it meanwhile.
// The search begins after the address that was chosen last. It returns the
// errors of ipam.Allocate.
func (l *Ledger) Reserve(pool Key, plan ipam.Plan, wanted netip.Addr) (netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	p := l.page(pool)

	address, err := ipam.Allocate(plan, &p.taken, ipam.Request{Wanted: wanted, After: p.last})
	if err != nil {
		return netip.Addr{}, err //nolint:wrapcheck // the sentence is for the user as it is
	}

	p.taken.Add(address)
	p.reserved[address] = struct{}{}

	if !wanted.IsValid() {
		p.last = address
	}

	return address, nil
}

// Release takes a reservation back after the lease could not be created. It
// does nothing when a lease for the address has been put in meanwhile.
//
// The next search begins with the address again: when it is not known whether
// the lease was created, as after a lost connection, the next attempt finds it
// instead of taking a second address for the same NIC.
func (l *Ledger) Release(pool Key, address netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()

	p := l.page(pool)

	if _, reserved := p.reserved[address]; reserved {
		delete(p.reserved, address)
		p.taken.Remove(address)

		if p.last == address {
			p.last = address.Prev()
		}
	}
}

// Get returns the lease of that key, or nil.
func (l *Ledger) Get(key Key) *v1alpha1.IPLease {
	l.mu.RLock()
	defer l.mu.RUnlock()

	return l.leases[key]
}

// Held returns the leases whose owner has one of the UIDs, oldest first. It
// returns no reservations, whose owner has none.
func (l *Ledger) Held(uids ...types.UID) []*v1alpha1.IPLease {
	l.mu.RLock()
	defer l.mu.RUnlock()

	var held []*v1alpha1.IPLease
	for _, uid := range slices.Compact(uids) {
		held = append(held, l.all(maps.Keys(l.uids[uid]))...)
	}

	return oldestFirst(held)
}

// OfOwner returns the leases whose owner has that kind and name, whatever its
// UID, oldest first.
func (l *Ledger) OfOwner(owner OwnerKey) []*v1alpha1.IPLease {
	l.mu.RLock()
	defer l.mu.RUnlock()

	return oldestFirst(l.all(maps.Keys(l.owners[owner])))
}

// all returns the leases of the keys, in their order.
func (l *Ledger) all(keys iter.Seq[Key]) []*v1alpha1.IPLease {
	var leases []*v1alpha1.IPLease
	for key := range keys {
		leases = append(leases, l.leases[key])
	}

	return leases
}

// OfPool returns the leases of the pool in the order of their addresses.
func (l *Ledger) OfPool(pool Key) []*v1alpha1.IPLease {
	l.mu.RLock()
	defer l.mu.RUnlock()

	p := l.pools[pool]
	if p == nil {
		return nil
	}

	leases := make([]*v1alpha1.IPLease, 0, len(p.addresses))

	for address := range p.taken.All() {
		if key, held := p.addresses[address]; held {
			leases = append(leases, l.leases[key])
		}
	}

	return leases
}

// Holder returns the lease of that address in the pool, or nil.
func (l *Ledger) Holder(pool Key, address netip.Addr) *v1alpha1.IPLease {
	l.mu.RLock()
	defer l.mu.RUnlock()

	p := l.pools[pool]
	if p == nil {
		return nil
	}

	return l.leases[p.addresses[address.Unmap()]]
}

// OfMAC returns the leases of that MAC address in the pool, oldest first.
func (l *Ledger) OfMAC(pool Key, mac dhcp.MAC) []*v1alpha1.IPLease {
	l.mu.RLock()
	defer l.mu.RUnlock()

	p := l.pools[pool]
	if p == nil {
		return nil
	}

	return oldestFirst(l.all(slices.Values(p.macs[mac])))
}

// Counts returns how the addresses of the pool's plan are divided. Addresses
// that are about to be created count as used.
func (l *Ledger) Counts(pool Key, plan ipam.Plan) ipam.Counts {
	l.mu.RLock()
	defer l.mu.RUnlock()

	p := l.pools[pool]
	if p == nil {
		return ipam.Count(plan, nil)
	}

	return ipam.Count(plan, &p.taken)
}

// EventHandler returns the handler that fills the ledger from an informer of
// IPLeases.
func (l *Ledger) EventHandler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if lease, ok := object.(*v1alpha1.IPLease); ok {
				l.Put(lease)
			}
		},
		UpdateFunc: func(_, object any) {
			if lease, ok := object.(*v1alpha1.IPLease); ok {
				l.Put(lease)
			}
		},
		DeleteFunc: func(object any) {
			// A deletion that the watch missed comes as the last known state.
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}

			if lease, ok := object.(*v1alpha1.IPLease); ok {
				l.Drop(lease)
			}
		},
	}
}
