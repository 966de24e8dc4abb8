package ledger_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// event is one message of the watch.
type event struct {
	lease   *v1alpha1.IPLease
	deleted bool
}

// world is an API server of leases, a watch of it that lags, and the writes of
// this process that the ledger has not been told of yet. It keeps plain maps and
// knows nothing of how a ledger works.
type world struct {
	rng     *rand.Rand
	book    *ledger.Ledger
	handler cache.ResourceEventHandler
	plans   map[ledger.Key]ipam.Plan

	version, uids int
	server        map[ledger.Key]*v1alpha1.IPLease
	// watched is the informer's store: the server as of the last delivery.
	watched map[ledger.Key]*v1alpha1.IPLease
	queue   []event
	// untold are writes that succeeded and that the ledger will be told of.
	untold []func()
	// reserved are the reservations of workers: true before they create the
	// lease, false between that and telling the ledger.
	reserved map[ledger.Key]map[netip.Addr]bool
}

func newWorld(seed uint64) *world {
	w := &world{
		rng:      rand.New(rand.NewPCG(seed, 48)),
		book:     ledger.New(),
		plans:    map[ledger.Key]ipam.Plan{},
		server:   map[ledger.Key]*v1alpha1.IPLease{},
		watched:  map[ledger.Key]*v1alpha1.IPLease{},
		reserved: map[ledger.Key]map[netip.Addr]bool{},
	}
	w.handler = w.book.EventHandler()

	for _, name := range []string{"small", "large"} {
		pool := ledger.Key{Namespace: "vms", Name: name}
		w.reserved[pool] = map[netip.Addr]bool{}
		plan := ipam.Plan{
			Prefix: netip.MustParsePrefix("10.0.0.0/28"),
			Server: netip.MustParseAddr("10.0.0.1"),
			Range:  ipam.Range{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("10.0.0.6")},
		}

		if name == "large" {
			plan.Range.Last = netip.MustParseAddr("10.0.0.14")
			plan.Excluded = []ipam.Range{{First: netip.MustParseAddr("10.0.0.8"), Last: netip.MustParseAddr("10.0.0.9")}}
		}

		w.plans[pool] = plan
	}

	return w
}

func (w *world) pool() ledger.Key {
	return ledger.Key{Namespace: "vms", Name: []string{"small", "large"}[w.rng.IntN(2)]}
}

func (w *world) stamp(lease *v1alpha1.IPLease) {
	w.version++
	lease.ResourceVersion = strconv.Itoa(w.version)
}

// create creates a lease on the server, or returns nil when the name is taken.
func (w *world) create(pool ledger.Key, address netip.Addr) *v1alpha1.IPLease {
	key := ledger.Key{Namespace: pool.Namespace, Name: pool.Name + "." + address.String()}
	if w.server[key] != nil {
		return nil
	}

	w.uids++
	lease := &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, UID: types.UID(fmt.Sprintf("lease-%d", w.uids)),
			CreationTimestamp: metav1.Unix(int64(w.uids/3), 0),
		},
		Spec: v1alpha1.IPLeaseSpec{PoolName: pool.Name, Address: address.String()},
	}
	w.shuffle(lease)
	w.stamp(lease)
	w.server[key] = lease
	w.queue = append(w.queue, event{lease: lease})

	return lease
}

// shuffle gives the lease some MAC address and owner, or none.
func (w *world) shuffle(lease *v1alpha1.IPLease) {
	lease.Spec.MACAddress = []string{"", "52:54:00:00:00:01", "52-54-00-00-00-01", "5254.0000.0002", "not a mac"}[w.rng.IntN(5)]
	lease.Spec.Owner = nil

	if n := w.rng.IntN(4); n > 0 {
		lease.Spec.Owner = &v1alpha1.LeaseOwner{
			Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: fmt.Sprintf("vm-%d", n),
			UID: types.UID(fmt.Sprintf("owner-%d-%d", n, w.rng.IntN(2))),
		}
	}
}

// some returns one of the server's leases, or nil.
func (w *world) some() *v1alpha1.IPLease {
	keys := slices.SortedFunc(maps.Keys(w.server), func(a, b ledger.Key) int { return compare(a.String(), b.String()) })
	if len(keys) == 0 {
		return nil
	}

	return w.server[keys[w.rng.IntN(len(keys))]]
}

func compare(a, b string) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}

	return 0
}

func (w *world) update() *v1alpha1.IPLease {
	before := w.some()
	if before == nil {
		return nil
	}

	lease := before.DeepCopy()
	w.shuffle(lease)
	w.stamp(lease)
	w.server[ledger.KeyOf(lease)] = lease
	w.queue = append(w.queue, event{lease: lease})

	return lease
}

func (w *world) remove() *v1alpha1.IPLease {
	lease := w.some()
	if lease == nil {
		return nil
	}

	delete(w.server, ledger.KeyOf(lease))

	last := lease.DeepCopy()
	w.stamp(last)
	w.queue = append(w.queue, event{lease: last, deleted: true})

	return lease
}

// soon has the ledger told now, or some time later.
func (w *world) soon(tell func()) {
	if w.rng.IntN(3) == 0 {
		tell()
	} else {
		w.untold = append(w.untold, tell)
	}
}

// met ends the reservation of a lease that the ledger has been told of.
func (w *world) met(lease *v1alpha1.IPLease) {
	if w.book.Get(ledger.KeyOf(lease)) != nil {
		delete(w.reserved[ledger.PoolOf(lease)], ledger.AddressOf(lease))
	}
}

// deliver brings the next message of the watch.
func (w *world) deliver() {
	if len(w.queue) == 0 {
		return
	}

	next := w.queue[0]
	w.queue = w.queue[1:]
	key := ledger.KeyOf(next.lease)
	before := w.watched[key]

	switch {
	case next.deleted:
		delete(w.watched, key)
		w.handler.OnDelete(next.lease)
	case before == nil:
		w.watched[key] = next.lease
		w.handler.OnAdd(next.lease, false)
	default:
		w.watched[key] = next.lease
		w.handler.OnUpdate(before, next.lease)
	}

	w.met(next.lease)
}

// relist is what an informer does after a watch broke: what went meanwhile comes
// as a tombstone with its last known state, the rest as it is now. It returns
// false when a lease that the ledger was told of by this process alone would be
// missed: no informer can tell of its end.
func (w *world) relist() bool {
	for _, missed := range w.queue {
		key := ledger.KeyOf(missed.lease)
		if uid := missed.lease.UID; !is(w.server[key], uid) && !is(w.watched[key], uid) {
			return false
		}
	}

	w.queue = nil

	for key, lease := range w.watched {
		if w.server[key] == nil {
			delete(w.watched, key)
			w.handler.OnDelete(cache.DeletedFinalStateUnknown{Key: key.String(), Obj: lease})
		}
	}

	for key, lease := range w.server {
		if before := w.watched[key]; before != nil {
			w.handler.OnUpdate(before, lease)
		} else {
			w.handler.OnAdd(lease, false)
		}

		w.watched[key] = lease
		w.met(lease)
	}

	return true
}

func is(lease *v1alpha1.IPLease, uid types.UID) bool { return lease != nil && lease.UID == uid }

// reserve is the first half of an allocation.
func (w *world) reserve(t *testing.T) {
	t.Helper()

	pool := w.pool()

	var wanted netip.Addr
	if w.rng.IntN(4) == 0 {
		wanted = netip.AddrFrom4([4]byte{10, 0, 0, byte(w.rng.IntN(16))})
	}

	address, err := w.book.Reserve(pool, w.plans[pool], wanted)
	if err != nil {
		return
	}

	if _, twice := w.reserved[pool][address]; twice {
		t.Fatalf("%s of %s was reserved twice", address, pool)
	}

	if holder := w.book.Holder(pool, address); holder != nil {
		t.Fatalf("%s of %s was reserved although %s holds it", address, pool, holder.Name)
	}

	w.reserved[pool][address] = true
}

// settle is the second half of an allocation: the create succeeds, fails, or
// finds that another was first.
func (w *world) settle() {
	for pool, reserved := range w.reserved {
		for address, waits := range reserved {
			if !waits || w.rng.IntN(3) == 0 {
				continue
			}

			delete(reserved, address)

			if w.rng.IntN(4) == 0 {
				w.book.Release(pool, address)

				continue
			}

			if lease := w.create(pool, address); lease != nil {
				// Until the ledger is told, the reservation stands.
				reserved[address] = false
				w.soon(func() {
					w.book.Written(lease)
					w.met(lease)
				})

				continue
			}

			w.book.Written(w.server[ledger.Key{Namespace: pool.Namespace, Name: pool.Name + "." + address.String()}])
			w.book.Release(pool, address)
		}
	}
}

func (w *world) step(t *testing.T) {
	t.Helper()

	switch w.rng.IntN(12) {
	case 0, 1:
		w.reserve(t)
	case 2:
		w.settle()
	case 3: // another process allocates
		w.create(w.pool(), netip.AddrFrom4([4]byte{10, 0, 0, byte(w.rng.IntN(16))}))
	case 4: // we change a lease
		if lease := w.update(); lease != nil {
			w.soon(func() { w.book.Updated(lease) })
		}
	case 5: // another changes a lease
		w.update()
	case 6: // we free a lease, perhaps two workers at once
		if lease := w.remove(); lease != nil {
			w.soon(func() { w.book.Deleted(lease) })

			if w.rng.IntN(3) == 0 {
				w.soon(func() { w.book.Deleted(lease) })
			}
		}
	case 7: // another frees a lease
		w.remove()
	case 8: // the ledger is told of a write of ours, in any order
		if n := len(w.untold); n > 0 {
			at := w.rng.IntN(n)
			tell := w.untold[at]
			w.untold = slices.Delete(w.untold, at, at+1)
			tell()
		}
	case 9: // the informer repeats itself
		for _, lease := range w.watched {
			w.handler.OnUpdate(lease, lease)
		}
	case 10:
		if w.rng.IntN(8) == 0 {
			w.relist()
		}
	default:
		for range w.rng.IntN(4) {
			w.deliver()
		}
	}
}

// contents is what a ledger says of itself, every index asked in its own way.
type contents struct {
	ByAddress, ByMAC, ByOwner, ByUID, ByKey map[string]string
}

// expected are the contents of a ledger that holds these leases.
func expected(leases []*v1alpha1.IPLease) contents {
	c := emptyContents()

	for _, lease := range leases {
		as := string(lease.UID) + "@" + lease.ResourceVersion
		c.ByKey[lease.Name] = as
		c.ByAddress[lease.Spec.PoolName+" "+lease.Spec.Address] = as

		if mac, err := dhcp.ParseMAC(lease.Spec.MACAddress); err == nil {
			c.ByMAC[lease.Spec.PoolName+" "+mac.String()+" "+lease.Name] = as
		}

		if owner := lease.Spec.Owner; owner != nil {
			c.ByOwner[owner.Name+" "+lease.Name] = as
			c.ByUID[string(owner.UID)+" "+lease.Name] = as
		}
	}

	return c
}

func emptyContents() contents {
	return contents{
		ByAddress: map[string]string{}, ByMAC: map[string]string{}, ByOwner: map[string]string{},
		ByUID: map[string]string{}, ByKey: map[string]string{},
	}
}

// ask asks a ledger through every one of its views.
func ask(w *world) contents {
	c := emptyContents()
	as := func(lease *v1alpha1.IPLease) string { return string(lease.UID) + "@" + lease.ResourceVersion }

	for pool := range w.plans {
		for _, lease := range w.book.OfPool(pool) {
			c.ByAddress[pool.Name+" "+lease.Spec.Address] = as(lease)
		}

		for last := range 16 {
			address := netip.AddrFrom4([4]byte{10, 0, 0, byte(last)})
			key := ledger.Key{Namespace: pool.Namespace, Name: pool.Name + "." + address.String()}

			if lease := w.book.Get(key); lease != nil {
				c.ByKey[lease.Name] = as(lease)
			}

			if held, got := w.book.Holder(pool, address), w.book.Get(key); held != got {
				panic(fmt.Sprintf("Holder and Get of %s disagree", key))
			}
		}

		for _, text := range []string{"52:54:00:00:00:01", "52:54:00:00:00:02"} {
			mac, _ := dhcp.ParseMAC(text)
			for _, lease := range w.book.OfMAC(pool, mac) {
				c.ByMAC[pool.Name+" "+text+" "+lease.Name] = as(lease)
			}
		}
	}

	for n := 1; n < 4; n++ {
		owner := ledger.OwnerKey{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: fmt.Sprintf("vm-%d", n)}
		for _, lease := range w.book.OfOwner(owner) {
			c.ByOwner[owner.Name+" "+lease.Name] = as(lease)
		}

		for epoch := range 2 {
			uid := fmt.Sprintf("owner-%d-%d", n, epoch)
			for _, lease := range w.book.Held(types.UID(uid)) {
				c.ByUID[uid+" "+lease.Name] = as(lease)
			}
		}
	}

	return c
}

// check asks for what must be so at every moment: all indexes tell of the same
// leases, and the counts add up.
func (w *world) check(t *testing.T) {
	t.Helper()

	var known []*v1alpha1.IPLease

	for pool, plan := range w.plans {
		leases := w.book.OfPool(pool)
		known = append(known, leases...)

		taken := ipam.NewSet()
		for _, lease := range leases {
			if address := ledger.AddressOf(lease); address.IsValid() {
				taken.Add(address)
			}
		}

		for address := range w.reserved[pool] {
			taken.Add(address)
		}

		counts := w.book.Counts(pool, plan)
		if sum := counts.Used + counts.Free + counts.Reserved + counts.Excluded; sum != counts.Size {
			t.Fatalf("I4 of %s: %+v add up to %d", pool, counts, sum)
		}

		if want := ipam.Count(plan, taken); counts != want {
			t.Fatalf("counts of %s are %+v, want %+v: held and reserved are %v", pool, counts, want, slices.Collect(taken.All()))
		}
	}

	if diff := cmp.Diff(expected(known), ask(w)); diff != "" {
		t.Fatalf("indexes disagree (-from OfPool +from the others):\n%s", diff)
	}
}

// TestLedgerFollowsTheServer: whatever the order in which the watch and our own
// writes tell of the leases, no address is reserved twice, the indexes and
// counts agree at every step, and once everything was told the ledger is the
// server's content: no ghosts, nothing forgotten.
func TestLedgerFollowsTheServer(t *testing.T) {
	t.Parallel()

	for seed := range uint64(25) {
		w := newWorld(seed)

		for range 120 {
			w.step(t)
			w.check(t)
		}

		for len(w.untold) > 0 || len(w.queue) > 0 {
			if n := len(w.untold); n > 0 && w.rng.IntN(2) == 0 {
				w.untold[n-1]()
				w.untold = w.untold[:n-1]
			}

			w.deliver()
			w.check(t)
		}

		for pool, reserved := range w.reserved {
			for address := range reserved {
				w.book.Release(pool, address)
				delete(reserved, address)
			}
		}

		w.check(t)

		if diff := cmp.Diff(expected(slices.Collect(maps.Values(w.server))), ask(w)); diff != "" {
			t.Fatalf("seed %d: ledger differs from the server (-server +ledger):\n%s", seed, diff)
		}
	}
}
