package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/semaphore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/watch"
)

// booting lets four guests boot at once: without KVM each keeps a core busy.
var booting = semaphore.NewWeighted(4)

// boots takes as many places among the booting guests and returns what gives
// them back, for defer.
func (w *world) boots(guests int64) func() {
	w.t.Helper()
	w.must(booting.Acquire(w.ctx, guests))

	return func() { booting.Release(guests) }
}

// mac is the n-th MAC of a VLAN's scenario.
func mac(vlan, n int) string {
	return fmt.Sprintf("02:00:%02x:%02x:00:%02x", vlan>>8, vlan&0xff, n)
}

// create creates a virtual machine in the scenario's namespace.
func (w *world) create(spec guest.VMSpec) *unstructured.Unstructured {
	w.t.Helper()

	spec.Namespace = w.namespace

	vm, err := guest.VM(spec)
	w.must(err)

	created, err := w.vms.Create(w.ctx, vm)
	w.must(err)

	return created
}

// halted creates virtual machines that do not run, each with one NIC on the
// network, numbered from first.
func (w *world) halted(network string, vlan, first int, names ...string) {
	w.t.Helper()

	for i, name := range names {
		w.create(guest.VMSpec{Name: name, NICs: []guest.VMNIC{{Network: network, MAC: mac(vlan, first+i)}}, Halted: true})
	}
}

// holds waits until the virtual machine holds that many addresses.
func (w *world) holds(name string, addresses int) watch.Request {
	w.t.Helper()

	request, err := w.watch.Allocated(w.ctx, w.namespace, name, addresses, allocateTimeout)
	w.must(err)

	return request
}

// waits waits until the NIC of the virtual machine has no address for that
// reason, and returns its entry.
func (w *world) waits(name, nic, reason string) watch.NIC {
	w.t.Helper()

	request, err := w.watch.RequestUntil(w.ctx, w.namespace, name, reason+" on "+nic+" of", allocateTimeout, func(r watch.Request) bool {
		return r.NIC(nic).Reason == reason && !r.NIC(nic).Address.IsValid()
	})
	w.must(err)

	return request.NIC(nic)
}

// leased waits until the guest itself says that it has a lease on the NIC with
// that MAC, and fails if it is on another address than wanted.
func (w *world) leased(name, mac string, wanted netip.Addr) guest.Event {
	w.t.Helper()

	event, err := w.vms.WaitLease(w.ctx, name, mac, guestTimeout)
	w.must(err)

	if event.Addr.Addr() != wanted {
		w.t.Fatalf("guest %s says %s on %s, its pool says %s", name, event.Addr, mac, wanted)
	}

	return event
}

// renew has the guest renew at once and returns the lease it then has, which is
// the answer to the first request after the call, and how long it took.
func (w *world) renew(name, mac string) (guest.Event, time.Duration) {
	w.t.Helper()

	before, err := w.vms.WaitLease(w.ctx, name, mac, guestTimeout)
	w.must(err)

	start := time.Now()
	w.must(w.vms.Command(w.ctx, name, "renew"))

	event, err := w.vms.WaitEvent(w.ctx, name, "a renewal", guestTimeout, func(events []guest.Event) (guest.Event, bool) {
		for _, event := range events {
			if event.MAC == mac && event.HasLease() && event.Kind != guest.Shown && event.Uptime > before.Uptime {
				return event, true
			}
		}

		return guest.Event{}, false
	})
	w.must(err)

	return event, time.Since(start)
}

// edit changes the VirtualMachine, as a user does.
func (w *world) edit(name string, change func(vm *unstructured.Unstructured)) {
	w.t.Helper()

	vms := resource("kubevirt.io", "v1", "virtualmachines").Namespace(w.namespace)

	w.must(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		vm, err := vms.Get(w.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}

		change(vm)

		_, err = vms.Update(w.ctx, vm, metav1.UpdateOptions{})

		return err
	}))
}

// setNICs gives the VirtualMachine other NICs than it has.
func (w *world) setNICs(name string, nics ...guest.VMNIC) {
	w.t.Helper()

	wanted, err := guest.VM(guest.VMSpec{Namespace: w.namespace, Name: name, NICs: nics})
	w.must(err)

	w.edit(name, func(vm *unstructured.Unstructured) {
		for _, path := range [][]string{
			{"spec", "template", "spec", "networks"},
			{"spec", "template", "spec", "domain", "devices", "interfaces"},
		} {
			list, _, err := unstructured.NestedSlice(wanted.Object, path...)
			w.must(err)
			w.must(unstructured.SetNestedSlice(vm.Object, list, path...))
		}
	})
}

// restart restarts the virtual machine and returns when its next instance runs.
func (w *world) restart(name string) {
	w.t.Helper()

	before, err := w.vms.WaitRunning(w.ctx, name, guestTimeout)
	w.must(err)
	w.must(w.vms.Restart(w.ctx, name))

	_, err = w.vms.WaitRestarted(w.ctx, name, before.UID, guestTimeout)
	w.must(err)
}

// runsOn returns the node that the virtual machine runs on, once it does.
func (w *world) runsOn(name string) string {
	w.t.Helper()

	instance, err := w.vms.WaitRunning(w.ctx, name, guestTimeout)
	w.must(err)

	return instance.Node
}

// light attaches a light guest to the network, with udhcpc running in it, until
// the test ends.
func (w *world) light(node, network, mac string) *guest.Light {
	w.t.Helper()

	l := w.attach(node, network, mac)
	w.must(l.Run(context.WithoutCancel(w.ctx), w.tools(), guest.Udhcpc))

	return l
}

// attach attaches a light guest to the network, with no client in it yet, until
// the test ends.
func (w *world) attach(node, network, mac string) *guest.Light {
	w.t.Helper()

	n, err := w.Cluster.Node(node)
	w.must(err)

	l, err := guest.Attach(w.ctx, n, w.definition(network), mac)
	w.must(err)
	w.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			w.t.Error(err)
		}
	})

	return l
}

// definition is the NetworkAttachmentDefinition of a network.
func (w *world) definition(network string) *unstructured.Unstructured {
	w.t.Helper()

	definition, err := resource("k8s.cni.cncf.io", "v1", "network-attachment-definitions").Namespace(w.namespace).Get(w.ctx, network, metav1.GetOptions{})
	w.must(err)

	return definition
}

// tools are the light guests' DHCP clients.
func (w *world) tools() *guest.Toolbox {
	w.t.Helper()

	tools, err := guest.Tools(w.ctx, w.Cache)
	w.must(err)

	return tools
}

// silence waits until two rounds of the light guest's requests went unanswered,
// and fails if one was answered.
func (w *world) silence(l *guest.Light) {
	w.t.Helper()

	event, err := l.WaitEvent(w.ctx, guestTimeout, "two rounds of requests", func(events []guest.Event) (guest.Event, bool) {
		rounds := 0

		for _, event := range events {
			if event.Kind != guest.Failed {
				return event, true
			}

			rounds++
		}

		return guest.Event{Kind: guest.Failed}, rounds >= 2
	})
	w.must(err)

	if event.Kind != guest.Failed {
		w.t.Fatalf("MAC %s was to get silence, but: %s", l.MAC(), event)
	}
}
