// Package ledger is one process's view of all IPLeases: who holds what, what is
// taken in each pool, and which MAC address is answered where.
//
// The IPLease objects are the truth. The ledger is filled from the watch and
// runs ahead of it by the process's own writes, because a controller that has
// just created a lease must not choose again while the watch is still on its
// way. It can be thrown away at any time and fills itself anew.
package ledger

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// Key names an object.
type Key = types.NamespacedName

// OwnerKey names the owner of leases, whatever its UID.
type OwnerKey struct{ Kind, Namespace, Name string }

// Ledger is the view of all leases. Make one with New. It is safe for
// concurrent use. The leases that it returns are shared and must not be changed.
type Ledger struct {
	mu     sync.RWMutex
	leases map[Key]*v1alpha1.IPLease
	pools  map[Key]*page
	uids   map[types.UID]map[Key]struct{}
	owners map[OwnerKey]map[Key]struct{}

	// gone holds the UIDs of leases that this process deleted while the watch
	// may still bring news of them.
	gone map[types.UID]struct{}

	// seen is the newest resource version that the watch has brought. What is
	// older than that the watch has told already.
	seen uint64

	watchers []func(Change)
}

// Change tells what happened to a lease.
type Change struct {
	// Pool is the lease's pool.
	Pool Key
	// Address is the lease's address; invalid if the lease has none that can
	// be read.
	Address netip.Addr
	// Before is the lease as it was, nil when it is new.
	Before *v1alpha1.IPLease
	// After is the lease as it is, nil when it was freed.
	After *v1alpha1.IPLease
}

// page is what the ledger knows of one pool.
type page struct {
	// taken has every held address and those that were reserved and are about
	// to be created.
	taken ipam.Set
	// reserved are the addresses in taken that have no lease yet.
	reserved map[netip.Addr]struct{}
	// addresses finds the lease of an address.
	addresses map[netip.Addr]Key
	// macs finds the leases of a MAC address; usually there is one.
	macs map[dhcp.MAC][]Key
	// last is the address that was chosen last; the next search begins after it.
	last netip.Addr
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{
		leases: map[Key]*v1alpha1.IPLease{},
		pools:  map[Key]*page{},
		uids:   map[types.UID]map[Key]struct{}{},
		owners: map[OwnerKey]map[Key]struct{}{},
		gone:   map[types.UID]struct{}{},
	}
}

// KeyOf returns the lease's key.
func KeyOf(lease *v1alpha1.IPLease) Key {
	return Key{Namespace: lease.Namespace, Name: lease.Name}
}

// PoolOf returns the key of the lease's pool.
func PoolOf(lease *v1alpha1.IPLease) Key {
	return Key{Namespace: lease.Namespace, Name: lease.Spec.PoolName}
}

// AddressOf returns the lease's address, or the invalid address if it cannot be
// read.
func AddressOf(lease *v1alpha1.IPLease) netip.Addr { return read(lease).Address }

// read returns what of the lease can be read; the rest is told by who serves it.
func read(lease *v1alpha1.IPLease) convert.Held {
	held, _ := convert.Lease(lease)

	return held
}

// Watch registers a function that is told of every change from then on. It is
// called without the ledger's lock held and must return soon.
func (l *Ledger) Watch(watcher func(Change)) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.watchers = append(slices.Clone(l.watchers), watcher)
}

// Put enters a lease as the watch brought it. Older news than what is known is
// ignored.
func (l *Ledger) Put(lease *v1alpha1.IPLease) {
	l.enter(lease, fromWatch)
}

// Written enters a lease that this process has just created, or found created,
// after Reserve. It is ignored when the watch has already seen the lease come
// and go.
func (l *Ledger) Written(lease *v1alpha1.IPLease) {
	l.enter(lease, fromCreate)
}

// Updated enters a lease that this process has just updated. It is ignored when
// the watch has already seen the lease go: its address may be reserved for
// another one by now.
func (l *Ledger) Updated(lease *v1alpha1.IPLease) {
	l.enter(lease, fromUpdate)
}

// origin tells where the news of a lease comes from.
type origin int

const (
	fromWatch origin = iota
	fromCreate
	fromUpdate
)

func (l *Ledger) enter(lease *v1alpha1.IPLease, from origin) {
	change, changed := l.enterLocked(lease, from)
	if changed {
		l.tell(change)
	}
}

func (l *Ledger) enterLocked(lease *v1alpha1.IPLease, from origin) (Change, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	key := KeyOf(lease)
	before := l.leases[key]

	switch {
	case from == fromWatch:
		l.seen = max(l.seen, version(lease))
	case before == nil && (from == fromUpdate || !l.expects(lease)):
		return Change{}, false
	default:
	}

	if _, gone := l.gone[lease.UID]; gone {
		return Change{}, false
	}

	if before != nil {
		if !newer(lease, before) {
			return Change{}, false
		}

		l.unlink(before)
	}

	l.link(lease)

	return Change{Pool: PoolOf(lease), Address: AddressOf(lease), Before: before, After: lease}, true
}

// expects tells whether a lease that this process has created, and that is not
// in the ledger, is still on its way: its address is reserved and the watch has
// not come so far. If it has, the lease was seen to come and go, and the
// reservation is another worker's.
func (l *Ledger) expects(lease *v1alpha1.IPLease) bool {
	_, reserved := l.page(PoolOf(lease)).reserved[AddressOf(lease)]
	number := version(lease)

	return reserved && (number == 0 || number > l.seen)
}

// Drop removes a lease that the watch says is gone.
func (l *Ledger) Drop(lease *v1alpha1.IPLease) {
	l.remove(lease, false)
}

// Deleted removes a lease that this process has deleted on the API server. News
// of it that the watch still brings is ignored.
func (l *Ledger) Deleted(lease *v1alpha1.IPLease) {
	l.remove(lease, true)
}

func (l *Ledger) remove(lease *v1alpha1.IPLease, ahead bool) {
	change, changed := l.removeLocked(lease, ahead)
	if changed {
		l.tell(change)
	}
}

func (l *Ledger) removeLocked(lease *v1alpha1.IPLease, ahead bool) (Change, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if !ahead {
		delete(l.gone, lease.UID)
		l.seen = max(l.seen, version(lease))
	}

	before := l.leases[KeyOf(lease)]
	if before == nil || before.UID != lease.UID {
		return Change{}, false
	}

	if ahead {
		l.gone[lease.UID] = struct{}{}
	}

	l.unlink(before)

	return Change{Pool: PoolOf(before), Address: AddressOf(before), Before: before}, true
}

func (l *Ledger) tell(change Change) {
	l.mu.RLock()
	watchers := l.watchers
	l.mu.RUnlock()

	for _, watcher := range watchers {
		watcher(change)
	}
}

func (l *Ledger) link(lease *v1alpha1.IPLease) {
	key := KeyOf(lease)
	l.leases[key] = lease

	if owner := lease.Spec.Owner; owner != nil {
		if owner.UID != "" { // else it is reserved for whoever has the name
			add(l.uids, owner.UID, key)
		}

		add(l.owners, OwnerKey{Kind: owner.Kind, Namespace: owner.Namespace, Name: owner.Name}, key)
	}

	p := l.page(PoolOf(lease))
	held := read(lease)

	if held.Address.IsValid() {
		p.taken.Add(held.Address)
		p.addresses[held.Address] = key
		delete(p.reserved, held.Address)
	}

	if !held.MAC.IsZero() {
		p.macs[held.MAC] = append(p.macs[held.MAC], key)
	}
}

func (l *Ledger) unlink(lease *v1alpha1.IPLease) {
	key := KeyOf(lease)
	delete(l.leases, key)

	if owner := lease.Spec.Owner; owner != nil {
		remove(l.uids, owner.UID, key)
		remove(l.owners, OwnerKey{Kind: owner.Kind, Namespace: owner.Namespace, Name: owner.Name}, key)
	}

	p := l.page(PoolOf(lease))
	held := read(lease)

	if held.Address.IsValid() {
		p.taken.Remove(held.Address)
		delete(p.addresses, held.Address)
	}

	if !held.MAC.IsZero() {
		p.macs[held.MAC] = slices.DeleteFunc(p.macs[held.MAC], func(other Key) bool { return other == key })
		if len(p.macs[held.MAC]) == 0 {
			delete(p.macs, held.MAC)
		}
	}
}

func (l *Ledger) page(pool Key) *page {
	p := l.pools[pool]
	if p == nil {
		p = &page{
			reserved:  map[netip.Addr]struct{}{},
			addresses: map[netip.Addr]Key{},
			macs:      map[dhcp.MAC][]Key{},
		}
		l.pools[pool] = p
	}

	return p
}

func add[K comparable](index map[K]map[Key]struct{}, at K, key Key) {
	if index[at] == nil {
		index[at] = map[Key]struct{}{}
	}

	index[at][key] = struct{}{}
}

func remove[K comparable](index map[K]map[Key]struct{}, at K, key Key) {
	delete(index[at], key)

	if len(index[at]) == 0 {
		delete(index, at)
	}
}

// newer tells whether lease is news to one who knows known, which has the same
// name. An object that was deleted and made again has another UID and a higher
// version; a late word of the first must not hide the second.
func newer(lease, known *v1alpha1.IPLease) bool {
	if lease.UID == known.UID {
		return version(lease) > version(known)
	}

	return version(lease) >= version(known)
}

// version is the object's resource version as a number. Kubernetes promises
// since 1.35 that they can be compared, and they always could.
func version(lease *v1alpha1.IPLease) uint64 {
	number, err := strconv.ParseUint(lease.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}

	return number
}

// oldestFirst sorts leases by creation and then by name, so that every process
// and every pass sees one order.
func oldestFirst(leases []*v1alpha1.IPLease) []*v1alpha1.IPLease {
	slices.SortFunc(leases, func(a, b *v1alpha1.IPLease) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}

		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})

	return leases
}
