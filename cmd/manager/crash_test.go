package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/watch"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// history watches the leases of a world and remembers every holder that an
// address ever had, and every address that a NIC ever had.
type history struct {
	mu      sync.Mutex
	holders map[string][]string
	nics    map[string][]string
	ended   chan struct{}
	watch   watch.Interface
}

func (w *world) history() *history {
	w.t.Helper()

	config := *w.config

	watching, err := client.NewWithWatch(&config, client.Options{Scheme: w.client.Scheme()})
	w.must(err)

	h := &history{holders: map[string][]string{}, nics: map[string][]string{}, ended: make(chan struct{})}
	h.watch, err = watching.Watch(w.t.Context(), &v1alpha1.IPLeaseList{}, client.InNamespace(w.namespace))
	w.must(err)

	go func() {
		defer close(h.ended)

		for event := range h.watch.ResultChan() {
			if lease, ok := event.Object.(*v1alpha1.IPLease); ok {
				h.note(event.Type, lease)
			}
		}
	}()

	return h
}

// note enters what the watch brings. The holder of a deleted lease does not
// hold it any more.
func (h *history) note(what watch.EventType, lease *v1alpha1.IPLease) {
	h.mu.Lock()
	defer h.mu.Unlock()

	nic := string(lease.Spec.Owner.UID) + "/" + lease.Spec.Owner.InterfaceName

	if what == watch.Deleted {
		h.holders[lease.Name] = append(h.holders[lease.Name], "nobody")

		return
	}

	if past := h.nics[nic]; !slices.Contains(past, lease.Name) {
		h.nics[nic] = append(past, lease.Name)
	}

	if past := h.holders[lease.Name]; len(past) == 0 || past[len(past)-1] != nic {
		h.holders[lease.Name] = append(past, nic)
	}
}

// faults returns what broke invariants I1 and I3: a lease that went from one
// holder to another without having been free, and a NIC that had two addresses.
func (h *history) faults() []string {
	h.watch.Stop()
	<-h.ended

	h.mu.Lock()
	defer h.mu.Unlock()

	var faults []string

	for lease, past := range h.holders {
		for i := 1; i < len(past); i++ {
			if past[i-1] != "nobody" && past[i] != "nobody" {
				faults = append(faults, fmt.Sprintf("%s passed from %s to %s while it was held", lease, past[i-1], past[i]))
			}
		}
	}

	for nic, past := range h.nics {
		if len(past) > 1 {
			faults = append(faults, fmt.Sprintf("NIC %s had %s", nic, strings.Join(past, " and then ")))
		}
	}

	slices.Sort(faults)

	return faults
}

// script is a small life with everything in it that takes more than one write:
// two machines fill a pool, one of them with two NICs; a third one waits, gets
// what the first one frees, and the second one changes a MAC address.
func (w *world) script() {
	w.t.Helper()
	w.network("blue", "manual", "10.1.0.0/29", "10.1.0.1", nil)
	w.appears("blue", "blue 10.1.0.2 10.1.0.3-10.1.0.6")
	w.pool("red", "10.2.0.0/24", "10.2.0.10", "10.2.0.11")

	one := machine("one", device{"eth0", "red", "52:54:00:00:00:01"})
	one.Annotations[v1alpha1.AnnotationStaticIPPrefix+"eth0"] = "10.2.0.11"
	w.create(one)
	w.holds("red.10.2.0.11 52:54:00:00:00:01 one/eth0")

	w.vm("two", device{"eth0", "blue", "52:54:00:00:00:02"}, device{"eth1", "red", "52:54:00:00:00:03"})
	w.holds("red.10.2.0.11 52:54:00:00:00:01 one/eth0",
		"blue.10.1.0.3 52:54:00:00:00:02 two/eth0", "red.10.2.0.10 52:54:00:00:00:03 two/eth1")

	w.vm("three", device{"eth0", "red", "52:54:00:00:00:04"})
	w.says("three", "eth0  Pending PoolExhausted")

	w.deleteVM("one")
	w.editVM("two", func(vm *kubevirtv1.VirtualMachine) {
		vm.Spec.Template.Spec.Domain.Devices.Interfaces[0].MacAddress = "52:54:00:00:00:05"
	})
	w.holds(w.outcome()...)
	w.says("three", "eth0 10.2.0.11 Allocated Allocated")
	w.says("two", "eth0 10.1.0.3 Allocated Allocated", "eth1 10.2.0.10 Allocated Allocated")
}

func (w *world) outcome() []string {
	return []string{ // sorted
		"blue.10.1.0.3 52:54:00:00:00:05 two/eth0", "red.10.2.0.10 52:54:00:00:00:03 two/eth1",
		"red.10.2.0.11 52:54:00:00:00:04 three/eth0",
	}
}

// agrees waits until the pool's counts are these.
func (w *world) agrees(pool string, used, available int64) {
	w.t.Helper()
	w.eventually(w.t, fmt.Sprintf("pool %s: %d used, %d available", pool, used, available), func() string {
		var found v1alpha1.IPPool

		w.get(&found, pool)

		if c := found.Status.IPv4; c == nil || c.Used != used || c.Available != available {
			return fmt.Sprintf("%+v", c)
		}

		return ""
	})
}

// A manager that dies between any two writes loses nothing and gives nothing
// out twice: the k-th write is carried out, its answer is lost with the manager,
// and another one goes on, for every k that there is.
func TestACrashBetweenAnyTwoWritesLosesNothing(t *testing.T) {
	s := apiServer(t)
	manager := s.run(t, "crash-0").leads()

	var check func() // what is left to do about the world before

	for k, crashed := 1, true; crashed; k++ {
		w := s.newWorld(t)
		past := w.history()

		if manager, crashed = w.crash(manager, k); !crashed {
			t.Logf("a manager died after each of %d writes", k-1)
			s.settled(t)
		}

		if check != nil {
			check()
		}

		check = func() { w.unharmed(past, fmt.Sprintf("crash after write %d", k)) }
	}

	check()
}

// unharmed checks the world after the script, a good while later, and ends it.
func (w *world) unharmed(past *history, what string) {
	w.t.Helper()

	if held, want := w.held(), w.outcome(); !slices.Equal(held, want) {
		w.t.Errorf("%s: held in the end: %v, want %v", what, held, want)
	}

	for _, fault := range past.faults() {
		w.t.Errorf("%s: %s", what, fault)
	}

	var requests v1alpha1.VirtualMachineNetworkConfigList

	w.must(w.client.List(w.t.Context(), &requests, client.InNamespace(w.namespace)))

	if len(requests.Items) != 2 {
		w.t.Errorf("%s: %d requests remain, want 2", what, len(requests.Items))
	}

	w.must(w.client.Delete(w.t.Context(), namespaceOf(w.namespace)))
}

// crash plays the script while the manager dies after its k-th write and another
// one is started. It returns the one that is there in the end, and whether the
// first one died: it does not when there are fewer writes.
func (w *world) crash(manager *replica, k int) (survivor *replica, crashed bool) {
	w.t.Helper()
	manager.link.arm(w.namespace, k)

	type outcome struct {
		replica *replica
		err     error
	}

	second := make(chan outcome, 1)
	done := make(chan struct{})

	go func() {
		select {
		case <-manager.link.onCut:
			manager.kill()

			replica, err := w.start(w.t, fmt.Sprintf("crash-%d", k))
			second <- outcome{replica, err}
		case <-done:
			second <- outcome{manager, nil}
		}
	}()

	w.script()
	w.agrees("red", 2, 0)
	w.agrees("blue", 1, 3)
	close(done)

	left := <-second
	w.must(left.err)
	left.replica.link.disarm()

	return left.replica.leads(), left.replica != manager
}

func TestTwoManagersAndTheLossOfOneGiveNoAddressTwice(t *testing.T) {
	const machines = 50

	s := apiServer(t)
	first := s.run(t, "leader").leads()
	second := s.run(t, "follower")
	second.ready()

	w := s.newWorld(t)
	past := w.history()
	w.network("blue", "manual", "10.1.0.0/24", "10.1.0.1", nil)
	w.appears("blue", "blue 10.1.0.2 10.1.0.3-10.1.0.254")

	created := make(chan error, 1)

	go func() {
		for i := range machines {
			vm := machine(fmt.Sprintf("vm%d", i), device{"eth0", "blue", fmt.Sprintf("52:54:00:00:00:%02x", i)})
			vm.Namespace = w.namespace

			if err := w.client.Create(t.Context(), vm); err != nil {
				created <- err

				return
			}
		}

		created <- nil
	}()

	w.eventually(t, "some machines have their address", func() string {
		if held := len(w.held()); held < machines/5 {
			return fmt.Sprintf("%d have", held)
		}

		return ""
	})

	first.kill()
	t.Logf("the leader died when %d of %d machines had their address", len(w.held()), machines)
	w.must(<-created)

	w.eventually(t, "all machines have their address", func() string {
		if held := len(w.held()); held != machines {
			return fmt.Sprintf("%d have", held)
		}

		return ""
	})
	second.leads()
	w.agrees("blue", machines, 252-machines)
	s.settled(t)

	if held := len(w.held()); held != machines {
		t.Errorf("%d addresses are held, want %d", held, machines)
	}

	for _, fault := range past.faults() {
		t.Error(fault)
	}
}
