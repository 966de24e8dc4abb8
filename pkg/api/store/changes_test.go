package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// told collects what the feed tells until cancelled.
func told(w *world) (read func() []string) {
	var (
		mu  sync.Mutex
		all []string
	)

	w.Subscribe(func(change Change) {
		mu.Lock()
		defer mu.Unlock()

		all = append(all, fmt.Sprintf("%s %s %s/%s", change.Kind, change.Type, change.Namespace, change.Name))
	})

	return func() []string {
		mu.Lock()
		defer mu.Unlock()

		out := all
		all = nil

		return out
	}
}

// The feed tells an object and what follows from it for others.
func TestFeed(t *testing.T) {
	t.Parallel()

	w := newWorld()
	read := told(w)
	expect := func(what string, want ...string) {
		t.Helper()

		got := read()
		slices.Sort(got)
		slices.Sort(want)

		if !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}

	pool := w.pool("ns", "pool", "10.0.0.0/24")
	expect("a pool", "pool added ns/pool")

	vm := w.vm("vms", "web", "ns/pool")
	expect("a machine", "vm added vms/web")

	w.changed(vm)
	w.Put(vm.DeepCopy())
	expect("nothing that is shown")

	renamed := vm.DeepCopy()
	renamed.Spec.Template.Spec.Domain.Devices.Interfaces[0].MacAddress = "52:54:00:00:00:99"
	w.changed(renamed)
	w.Put(renamed)
	expect("another MAC address", "vm changed vms/web")

	lease := w.lease(pool, "10.0.0.5", ownedBy(vm, "eth0"), [6]byte{})
	expect("a lease", "lease added ns/pool.10.0.0.5", "vm changed vms/web")

	w.Put(lease)
	expect("a resync")

	noted := lease.DeepCopy()
	noted.Annotations = map[string]string{v1alpha1.AnnotationComment: "a note"}
	w.changed(noted)
	w.Put(noted)
	expect("a note", "lease changed ns/pool.10.0.0.5")

	pod := &corev1.Pod{ObjectMeta: w.meta("freehold-system", "agent-1")}
	pod.Labels = map[string]string{v1alpha1.LabelPoolNamespace: "ns", v1alpha1.LabelPoolName: "pool"}
	w.Put(pod)
	expect("an agent", "agent added ns/agent-1", "pool changed ns/pool")

	w.Drop(vm)
	expect("the machine's end", "vm removed vms/web", "lease changed ns/pool.10.0.0.5")

	if body, _ := w.Lease(Key{Namespace: "ns", Name: "pool.10.0.0.5"}); body.State != v1.LeaseOrphaned {
		t.Errorf("lease is %s", body.State)
	}

	w.Hear(Key{Namespace: "ns", Name: "pool"}, Heard{Declined: []netip.Addr{netip.MustParseAddr("10.0.0.5")}})
	expect("a declined address", "lease changed ns/pool.10.0.0.5")
	w.Hear(Key{Namespace: "ns", Name: "pool"}, Heard{Partial: true})
	expect("an agent that did not answer")
	w.Hear(Key{Namespace: "ns", Name: "pool"}, Heard{})
	expect("no declined address", "lease changed ns/pool.10.0.0.5")

	w.Drop(pool)
	expect("the pool's end", "pool removed ns/pool", "lease changed ns/pool.10.0.0.5")
	w.Drop(lease)
	expect("the lease's end", "lease removed ns/pool.10.0.0.5")
	w.Drop(lease)
	expect("an end twice")
}

// Revisions are without gaps and in order, whoever writes at the same time, and
// a subscriber sees the index with the change in it.
func TestFeedIsInOrder(t *testing.T) {
	t.Parallel()

	w := newWorld()
	pool := w.pool("ns", "pool", "10.0.0.0/16")

	var (
		last  = w.Revision()
		group sync.WaitGroup
		leaks []string
	)

	cancel := w.Subscribe(func(change Change) {
		if change.Revision != last+1 {
			leaks = append(leaks, fmt.Sprintf("revision %d behind %d", change.Revision, last))
		}

		last = change.Revision

		if _, found := w.Lease(Key{Namespace: change.Namespace, Name: change.Name}); !found {
			leaks = append(leaks, "told before it is there: "+change.Name)
		}
	})

	// Made before, because the world counts versions without a lock.
	var leases []*v1alpha1.IPLease

	for i := range 400 {
		lease := &v1alpha1.IPLease{ObjectMeta: w.meta("ns", fmt.Sprintf("pool.10.0.%d.%d", i/200, i%200))}
		lease.Spec.PoolName, lease.Spec.Address = pool.Name, strings.TrimPrefix(lease.Name, "pool.")
		leases = append(leases, lease)
	}

	for part := range slices.Chunk(leases, 100) {
		group.Go(func() {
			for _, lease := range part {
				w.Put(lease)

				if _, err := w.Leases(LeaseQuery{}, Page{Limit: 5}); err != nil {
					t.Error(err)
				}
			}
		})
	}

	group.Wait()
	cancel()
	w.lease(pool, "10.0.9.9", nil, [6]byte{})

	if len(leaks) > 0 || last != 401 {
		t.Errorf("last revision told is %d, want 401; %s", last, strings.Join(leaks, "; "))
	}

	if w.Revision() != 402 {
		t.Errorf("revision is %d, want 402", w.Revision())
	}
}

// History tells what changed, newest first, of that lease only, and forgets the
// oldest first.
func TestHistory(t *testing.T) {
	t.Parallel()

	w := newWorld()
	pool := w.pool("ns", "pool", "10.0.0.0/16")
	vm := w.vm("vms", "web", "ns/pool")
	known := &v1alpha1.IPLease{ObjectMeta: w.meta("ns", "pool.10.0.0.4")}
	known.Spec.PoolName, known.Spec.Address = "pool", "10.0.0.4"
	w.Load(known)

	if items, _ := w.History(keyOf(known)); len(items) != 0 {
		t.Errorf("what was there before is told as a change: %+v", items)
	}

	lease := w.lease(pool, "10.0.0.5", nil, [6]byte{0x52, 0x54, 0, 0, 0, 1})
	changed := lease.DeepCopy()
	changed.Spec.Owner = ownedBy(vm, "eth0")
	changed.Annotations = map[string]string{v1alpha1.AnnotationComment: "the printer"}
	w.changed(changed)
	w.Put(changed)
	w.Drop(changed)

	items, since := w.History(keyOf(lease))

	var words []string
	for _, item := range items {
		words = append(words, item.What+": "+item.Detail)
	}

	text := strings.Join(words, "\n")
	if len(items) != 3 || !strings.HasPrefix(words[0], "Deleted") || !strings.HasPrefix(words[2], "Created") ||
		!strings.Contains(words[1], "VirtualMachine vms/web") || !strings.Contains(words[1], "the printer") {
		t.Errorf("history is\n%s", text)
	}

	if since.Cut || !since.At.Equal(epoch()) {
		t.Errorf("known since %+v", since)
	}

	for i := range maxHistory {
		one := &v1alpha1.IPLease{ObjectMeta: w.meta("ns", fmt.Sprintf("pool.10.1.%d.%d", i/250, i%250))}
		one.Spec.PoolName, one.Spec.Address = "pool", strings.TrimPrefix(one.Name, "pool.")
		w.history.note(epoch().Add(1), nil, one, true)
	}

	if items, since = w.History(keyOf(lease)); len(items) != 0 || !since.Cut || !since.At.Equal(epoch().Add(1)) {
		t.Errorf("after %d others: %d items since %+v", maxHistory, len(items), since)
	}
}
