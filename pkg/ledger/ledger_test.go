package ledger_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/ledger"
)

var vlan = ledger.Key{Namespace: "vms", Name: "vlan"}

func lease(last byte, uid string, version int) *v1alpha1.IPLease {
	address := netip.AddrFrom4([4]byte{10, 0, 0, last}).String()

	return &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: vlan.Namespace, Name: vlan.Name + "." + address, UID: types.UID(uid), ResourceVersion: strconv.Itoa(version),
		},
		Spec: v1alpha1.IPLeaseSpec{
			PoolName: vlan.Name, Address: address, MACAddress: fmt.Sprintf("52:54:00:00:00:%02x", last),
			Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm", UID: "vm-uid"},
		},
	}
}

func plan() ipam.Plan {
	return ipam.Plan{
		Prefix: netip.MustParsePrefix("10.0.0.0/24"),
		Server: netip.MustParseAddr("10.0.0.1"),
		Range:  ipam.Range{First: netip.MustParseAddr("10.0.0.2"), Last: netip.MustParseAddr("10.0.0.4")},
	}
}

func uidOf(lease *v1alpha1.IPLease) string {
	if lease == nil {
		return "nobody"
	}

	return string(lease.UID) + "@" + lease.ResourceVersion
}

// TestNews: each row is a story of one name, and who holds it in the end.
func TestNews(t *testing.T) {
	t.Parallel()

	older, newer, next := lease(2, "a", 5), lease(2, "a", 7), lease(2, "b", 9)
	tests := []struct {
		name string
		do   func(*ledger.Ledger)
		want string
	}{
		{"added", func(l *ledger.Ledger) { l.Put(older) }, "a@5"},
		{"updated", func(l *ledger.Ledger) { l.Put(older); l.Put(newer) }, "a@7"},
		{"late news are no news", func(l *ledger.Ledger) { l.Put(newer); l.Put(older) }, "a@7"},
		{"deleted", func(l *ledger.Ledger) { l.Put(older); l.Drop(newer) }, "nobody"},
		{"made again", func(l *ledger.Ledger) { l.Put(older); l.Drop(newer); l.Put(next) }, "b@9"},
		{"made again while the watch was away", func(l *ledger.Ledger) { l.Put(older); l.Put(next) }, "b@9"},
		{"the end of the first one does not end the second", func(l *ledger.Ledger) { l.Put(next); l.Drop(newer) }, "b@9"},
		{"our late word of the first does not hide the second", func(l *ledger.Ledger) { l.Put(older); l.Put(next); l.Updated(newer) }, "b@9"},
		{"we deleted it, the watch still tells of it", func(l *ledger.Ledger) { l.Put(older); l.Deleted(older); l.Put(newer) }, "nobody"},
		{"two workers deleted it", func(l *ledger.Ledger) { l.Put(older); l.Deleted(older); l.Deleted(older); l.Put(newer) }, "nobody"},
		{"we deleted it, another made it again", func(l *ledger.Ledger) { l.Put(older); l.Deleted(older); l.Put(next) }, "b@9"},
		{"our update is ahead of the watch", func(l *ledger.Ledger) { l.Put(older); l.Updated(newer); l.Put(older) }, "a@7"},
		{"our update of what is gone", func(l *ledger.Ledger) { l.Put(older); l.Drop(older); l.Updated(newer) }, "nobody"},
		{"our update of what is gone and reserved again", func(l *ledger.Ledger) {
			l.Put(older)
			l.Drop(older)
			reserve(l, older)
			l.Updated(newer)
		}, "nobody"},
		{"created after reserving", func(l *ledger.Ledger) { reserve(l, older); l.Written(older) }, "a@5"},
		{"created, seen to come and go, and only then told", func(l *ledger.Ledger) {
			reserve(l, older)
			l.Put(older)
			l.Drop(newer)
			l.Written(older)
		}, "nobody"},
		{"as before, and reserved by another worker since", func(l *ledger.Ledger) {
			reserve(l, older)
			l.Put(older)
			l.Drop(newer)
			reserve(l, older)
			l.Written(older)
		}, "nobody"},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			book := ledger.New()
			tc.do(book)

			if got := uidOf(book.Get(ledger.KeyOf(older))); got != tc.want {
				t.Errorf("held by %s, want %s", got, tc.want)
			}
		})
	}
}

func reserve(book *ledger.Ledger, wanted *v1alpha1.IPLease) {
	if _, err := book.Reserve(vlan, plan(), ledger.AddressOf(wanted)); err != nil {
		panic(err)
	}
}

func TestReserveGoesRoundAndStops(t *testing.T) {
	t.Parallel()

	book := ledger.New()

	var got []string

	for range 3 {
		address, err := book.Reserve(vlan, plan(), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}

		got = append(got, address.String())
	}

	if diff := cmp.Diff([]string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}, got); diff != "" {
		t.Error(diff)
	}

	if _, err := book.Reserve(vlan, plan(), netip.Addr{}); !errors.Is(err, ipam.ErrExhausted) {
		t.Errorf("a fourth of three: %v", err)
	}

	var taken *ipam.TakenError
	if _, err := book.Reserve(vlan, plan(), netip.MustParseAddr("::ffff:10.0.0.3")); !errors.As(err, &taken) {
		t.Errorf("a reserved one, wanted in another spelling: %v", err)
	}

	if counts := book.Counts(vlan, plan()); counts.Used != 3 || counts.Free != 0 {
		t.Errorf("reserved addresses are used: %+v", counts)
	}
}

// TestReleaseComesBackFirst: after a create whose outcome is not known, the next
// attempt must meet the lease that may exist, and not take a second address.
func TestReleaseComesBackFirst(t *testing.T) {
	t.Parallel()

	book := ledger.New()

	for range 2 {
		address, err := book.Reserve(vlan, plan(), netip.Addr{})
		if err != nil || address.String() != "10.0.0.2" {
			t.Fatalf("reserved %s, %v; want 10.0.0.2 both times", address, err)
		}

		book.Release(vlan, address)
	}

	if again, err := book.Reserve(vlan, plan(), netip.Addr{}); err != nil || again.String() != "10.0.0.2" {
		t.Fatalf("reserved %s, %v", again, err)
	}

	held := lease(2, "a", 5)
	book.Put(held)
	book.Release(vlan, ledger.AddressOf(held))

	if got, _ := book.Reserve(vlan, plan(), netip.Addr{}); got.String() != "10.0.0.3" {
		t.Errorf("a release gave a held address away: %s", got)
	}
}

// TestFreedAddressesRest: an address that was freed is given out again only
// when the search has come round.
func TestFreedAddressesRest(t *testing.T) {
	t.Parallel()

	book := ledger.New()
	first := lease(2, "a", 1)
	reserveNext(t, book, "10.0.0.2")
	book.Written(first)
	book.Deleted(first)
	reserveNext(t, book, "10.0.0.3")
	reserveNext(t, book, "10.0.0.4")
	reserveNext(t, book, "10.0.0.2")
}

func reserveNext(t *testing.T, book *ledger.Ledger, want string) {
	t.Helper()

	if got, err := book.Reserve(vlan, plan(), netip.Addr{}); err != nil || got.String() != want {
		t.Fatalf("reserved %s, %v; want %s", got, err, want)
	}
}

// TestOldestFirst: order is by age and then by name, whatever came first.
func TestOldestFirst(t *testing.T) {
	t.Parallel()

	a, b, c := lease(4, "a", 1), lease(2, "b", 2), lease(3, "c", 3)
	c.CreationTimestamp = metav1.Unix(9, 0)
	want := []string{"vlan.10.0.0.2", "vlan.10.0.0.4", "vlan.10.0.0.3"}

	for _, order := range [][]*v1alpha1.IPLease{{a, b, c}, {c, b, a}, {b, c, a}} {
		book := ledger.New()
		for _, one := range order {
			book.Put(one)
		}

		if diff := cmp.Diff(want, names(book.Held("vm-uid", "vm-uid"))); diff != "" {
			t.Errorf("Held: %s", diff)
		}

		owner := ledger.OwnerKey{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm"}
		if diff := cmp.Diff(want, names(book.OfOwner(owner))); diff != "" {
			t.Errorf("OfOwner: %s", diff)
		}
	}
}

func names(leases []*v1alpha1.IPLease) []string {
	var names []string
	for _, one := range leases {
		names = append(names, one.Name)
	}

	return names
}

// TestWatchersAreTold: of each change once, without the lock held, and of
// nothing that is none.
func TestWatchersAreTold(t *testing.T) {
	t.Parallel()

	book := ledger.New()

	var told []string

	book.Watch(func(change ledger.Change) {
		book.OfPool(vlan) // would stand still if the lock were held
		told = append(told, fmt.Sprintf("%s %s: %s -> %s", change.Pool, change.Address, uidOf(change.Before), uidOf(change.After)))
	})

	first, second := lease(2, "a", 1), lease(2, "a", 2)
	book.Put(first)
	book.Put(first)
	book.Updated(second)
	book.Put(second)
	book.Drop(second)
	book.Drop(second)

	want := []string{
		"vms/vlan 10.0.0.2: nobody -> a@1",
		"vms/vlan 10.0.0.2: a@1 -> a@2",
		"vms/vlan 10.0.0.2: a@2 -> nobody",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// TestEventHandlerIgnoresWhatItDoesNotKnow: an informer may hand anything on.
func TestEventHandlerIgnoresWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()

	book := ledger.New()
	handler := book.EventHandler()
	held := lease(2, "a", 1)

	handler.OnAdd("no lease", true)
	handler.OnUpdate(nil, 7)
	handler.OnDelete(cache.DeletedFinalStateUnknown{Key: "vms/x"})
	handler.OnDelete(nil)
	handler.OnAdd(held, true)

	if len(book.OfPool(vlan)) != 1 {
		t.Fatal("the lease is not in")
	}

	handler.OnDelete(cache.DeletedFinalStateUnknown{Key: "vms/" + held.Name, Obj: held})

	if len(book.OfPool(vlan)) != 0 || len(book.Held("vm-uid")) != 0 {
		t.Error("a tombstone did not remove the lease")
	}
}

func TestUnreadableLeases(t *testing.T) {
	t.Parallel()

	book := ledger.New()
	odd := lease(2, "a", 1)
	odd.Spec.Address, odd.Spec.MACAddress = "ten", "mac"
	book.Put(odd)

	if book.Get(ledger.KeyOf(odd)) == nil || len(book.Held("vm-uid")) != 1 {
		t.Error("a lease that cannot be read is still somebody's")
	}

	if len(book.OfPool(vlan)) != 0 || book.Counts(vlan, plan()).Used != 0 {
		t.Error("it holds no address")
	}

	if unknown := (ledger.Key{Namespace: "vms", Name: "none"}); book.Holder(unknown, netip.Addr{}) != nil ||
		book.OfPool(unknown) != nil || book.Counts(unknown, plan()).Free != 3 {
		t.Error("a pool without leases is empty")
	}

	book.Drop(odd)

	if len(book.Held("vm-uid")) != 0 {
		t.Error("it did not go")
	}
}

// TestReservationsAreHeldByNobody: one is found by the name of whom it is for,
// and by who holds it only while somebody does.
func TestReservationsAreHeldByNobody(t *testing.T) {
	t.Parallel()

	book, owner := ledger.New(), ledger.OwnerKey{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: "vm"}
	reserved, taken, back := lease(2, "a", 1), lease(2, "a", 2), lease(2, "a", 3)
	reserved.Spec.Owner.UID, back.Spec.Owner.UID = "", ""

	for _, step := range []struct {
		news *v1alpha1.IPLease
		held int
	}{{reserved, 0}, {taken, 1}, {back, 0}} {
		book.Put(step.news)

		if got := len(book.Held("vm-uid")); got != step.held || len(book.Held("")) != 0 {
			t.Errorf("version %s: %d are held by vm-uid and %d by nobody's UID", step.news.ResourceVersion, got, len(book.Held("")))
		}

		if len(book.OfOwner(owner)) != 1 || book.Counts(vlan, plan()).Used != 1 {
			t.Errorf("version %s: it is not found by its name, or not counted", step.news.ResourceVersion)
		}
	}
}

// TestWorkersShareOnePool: many workers allocate and free at once; no two of
// them are ever given one address, and every reader sees a whole ledger.
func TestWorkersShareOnePool(t *testing.T) {
	t.Parallel()

	const workers, rounds = 8, 300

	book := ledger.New()
	space := plan()
	space.Range.Last = netip.MustParseAddr("10.0.0.13")

	var (
		group   sync.WaitGroup
		mu      sync.Mutex
		holders = map[netip.Addr]int{}
		version int
	)

	for worker := range workers {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))

			for range rounds {
				address, err := book.Reserve(vlan, space, netip.Addr{})
				if err != nil {
					continue
				}

				mu.Lock()
				if by, twice := holders[address]; twice {
					t.Errorf("%s was given to worker %d and to worker %d", address, by, worker)
				}

				holders[address] = worker
				version++
				made := lease(address.As4()[3], fmt.Sprintf("%d", version), version)
				mu.Unlock()

				created := rng.IntN(2) == 0
				if created {
					book.Written(made)
				}

				counts := book.Counts(vlan, space)
				if counts.Used+counts.Free != counts.Size || !slices.IsSortedFunc(book.OfPool(vlan), byAddress) {
					t.Errorf("half a change was seen: %+v", counts)
				}

				mu.Lock()
				delete(holders, address)
				mu.Unlock()

				if created {
					book.Deleted(made)
				} else {
					book.Release(vlan, address)
				}
			}
		})
	}

	group.Wait()

	if counts := book.Counts(vlan, space); counts.Used != 0 {
		t.Errorf("%d addresses were left behind", counts.Used)
	}
}

func byAddress(a, b *v1alpha1.IPLease) int { return ledger.AddressOf(a).Compare(ledger.AddressOf(b)) }
