package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// TestAddressOutlivesTheMachinesStates: a virtual machine keeps its address until
// it is deleted, and has it in each of its lives.
func TestAddressOutlivesTheMachinesStates(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "states")
	w.managed("net", 102, "172.20.2.0/24")

	defer w.boots(1)()

	nic := mac(102, 1)
	w.create(guest.VMSpec{Name: "web-1", NICs: []guest.VMNIC{{Network: "net", MAC: nic}}})

	address := w.holds("web-1", 1).Held()[0]
	w.leased("web-1", nic, address)
	t.Logf("web-1 has booted on %s with %s", w.runsOn("web-1"), address)

	start := time.Now()
	w.must(w.vms.Stop(w.ctx, "web-1"))
	w.must(w.vms.WaitStopped(w.ctx, "web-1", guestTimeout))

	if held := w.holds("web-1", 1).Held()[0]; held != address {
		t.Fatalf("stopped, web-1 holds %s, before it held %s", held, address)
	}

	t.Logf("web-1 is stopped (%s) and holds %s", seconds(time.Since(start)), address)

	start = time.Now()
	w.must(w.vms.Start(w.ctx, "web-1"))
	w.runsOn("web-1")
	w.leased("web-1", nic, address)
	t.Logf("web-1 is started and says %s (%s)", address, seconds(time.Since(start)))

	start = time.Now()
	w.restart("web-1")
	w.leased("web-1", nic, address)

	before := w.runsOn("web-1")
	t.Logf("web-1 is restarted and says %s (%s)", address, seconds(time.Since(start)))

	start = time.Now()
	after, err := w.vms.Migrate(w.ctx, "web-1", guestTimeout)
	w.must(err)

	if before == after {
		t.Fatalf("the migration left web-1 on %s", before)
	}

	migrated := time.Since(start)
	renewed, took := w.renew("web-1", nic)

	if held := w.holds("web-1", 1).Held()[0]; held != address || renewed.Addr.Addr() != address {
		t.Fatalf("on %s web-1 renewed %s and its pool says %s; before it had %s", after, renewed.Addr, held, address)
	}

	t.Logf("web-1 has moved alive from %s to %s (%s) and renews %s there (%s)", before, after, seconds(migrated), renewed.Addr, seconds(took))
	t.Logf("web-1 kept %s over stop, start, restart and migration to %s", address, after)
}

// handOvers is how often the address changes hands while the time is taken.
const handOvers = 5

// TestDeletedMachineMakesRoom: who waits for an address holds it within a second
// of the end of who had it. It runs alone, because it takes the time.
func TestDeletedMachineMakesRoom(t *testing.T) {
	w := newWorld(t, "make-room")
	pool := w.narrow("net", 103, "172.20.3.0/24", "172.20.3.10", "172.20.3.10")
	t.Logf("pool %s has the range %s", pool.Name, pool.Range)
	w.halted("net", 103, 1, "vm-1")
	w.holds("vm-1", 1)

	for i := range handOvers {
		holder, next := fmt.Sprintf("vm-%d", i+1), fmt.Sprintf("vm-%d", i+2)
		w.halted("net", 103, i+2, next)
		w.waits(next, "nic-0", "PoolExhausted")

		times := w.handOver(func() { w.must(w.vms.Delete(w.ctx, holder)) })
		if wait := times.taken.Sub(times.gone); wait > time.Second {
			t.Errorf("%s held the address only %s after %s was gone", next, wait, holder)
		}

		t.Logf("%s was gone; its address was free after %s, and after %s it was that of %s, which had waited", holder,
			times.freed.Sub(times.gone).Round(time.Millisecond), times.taken.Sub(times.gone).Round(time.Millisecond), next)
	}
}

// TestWaitingGuestIsServed: a guest that booted without an address has the next
// one that is free, without being restarted.
func TestWaitingGuestIsServed(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "waiting-guest")
	w.narrow("net", 123, "172.20.23.0/24", "172.20.23.10", "172.20.23.10")
	w.halted("net", 123, 1, "holder")
	address := w.holds("holder", 1).Held()[0]

	defer w.boots(1)()

	w.create(guest.VMSpec{Name: "guest", NICs: []guest.VMNIC{{Network: "net", MAC: mac(123, 2)}}})
	t.Logf("guest waits: %s", w.waits("guest", "nic-0", "PoolExhausted").Message)

	_, err := w.vms.WaitEvent(w.ctx, "guest", "a round of requests without an answer", guestTimeout, func(events []guest.Event) (guest.Event, bool) {
		return guest.Latest(events, mac(123, 2), guest.Failed)
	})
	w.must(err)
	t.Logf("guest has booted and says that nobody answers it")

	start := time.Now()
	w.must(w.vms.Delete(w.ctx, "holder"))

	bound := w.leased("guest", mac(123, 2), address)
	t.Logf("holder is deleted; guest says %s %s later", bound.Addr, seconds(time.Since(start)))
}

// handOverTimes are when the API server told of the end of the first holder's
// VirtualMachine, of the end of its lease and of the lease of the second.
type handOverTimes struct{ gone, freed, taken time.Time }

// handOver watches an address of the scenario's go from first to second.
func (w *world) handOver(end func()) handOverTimes {
	w.t.Helper()

	ctx, cancel := context.WithTimeout(w.ctx, guestTimeout)
	defer cancel()

	follow := func(list func(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error), watch func(context.Context, metav1.ListOptions) (apiwatch.Interface, error)) apiwatch.Interface {
		now, err := list(ctx, metav1.ListOptions{})
		w.must(err)
		events, err := watch(ctx, metav1.ListOptions{ResourceVersion: now.GetResourceVersion()})
		w.must(err)

		return events
	}

	vms := resource("kubevirt.io", "v1", "virtualmachines").Namespace(w.namespace)
	machines := follow(vms.List, vms.Watch)
	defer machines.Stop()

	objects := w.watch.Objects("ipleases", w.namespace)
	leases := follow(objects.List, objects.Watch)
	defer leases.Stop()

	end()

	var times handOverTimes

	for times.gone.IsZero() || times.freed.IsZero() || times.taken.IsZero() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("the address did not change hands: machine gone %s, lease freed %s, taken %s", times.gone, times.freed, times.taken)
		case event := <-machines.ResultChan():
			if event.Type == apiwatch.Deleted {
				times.gone = time.Now()
			}
		case event := <-leases.ResultChan():
			switch event.Type {
			case apiwatch.Deleted:
				times.freed = time.Now()
			case apiwatch.Added:
				times.taken = time.Now()
			default:
			}
		}
	}

	return times
}

// TestFullPool: who finds no address is told so, keeps nobody else from theirs,
// and gets one when there is room.
func TestFullPool(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "full-pool")
	w.narrow("two", 109, "172.20.9.0/24", "172.20.9.10", "172.20.9.11")
	w.halted("two", 109, 1, "a", "b")
	w.holds("a", 1)
	w.holds("b", 1)
	w.halted("two", 109, 3, "c")

	waiting := w.waits("c", "nic-0", "PoolExhausted")
	if !strings.Contains(waiting.Message, "two") {
		t.Errorf("the message %q does not name the pool", waiting.Message)
	}

	full := w.used("two", 2)
	if full.Available != 0 {
		t.Errorf("pool two says %d available, want 0", full.Available)
	}

	request, err := w.watch.Request(w.ctx, w.namespace, "c")
	w.must(err)

	if request.Allocated.Status != "False" {
		t.Errorf("c's request says Allocated=%s, want False", request.Allocated.Status)
	}

	t.Logf("pool %s of two addresses has %d used and %d available, and says to c: %s", full.Name, full.Used, full.Available, waiting.Message)

	start := time.Now()
	w.must(w.vms.Delete(w.ctx, "b"))
	held := w.holds("c", 1).Held()[0]
	t.Logf("b is deleted; c has %s after %s", held, seconds(time.Since(start)))

	one := w.narrow("one", 110, "172.20.10.0/24", "172.20.10.10", "172.20.10.10")
	w.halted("one", 110, 1, "d")

	if got := w.holds("d", 1).Held()[0]; got != netip.MustParseAddr("172.20.10.10") {
		t.Fatalf("d has %s of a pool of 172.20.10.10 only", got)
	}

	w.halted("one", 110, 2, "e")
	t.Logf("pool %s of one address (%s) gave it to d, and says to e: %s", one.Name, one.Range, w.waits("e", "nic-0", "PoolExhausted").Message)
}
