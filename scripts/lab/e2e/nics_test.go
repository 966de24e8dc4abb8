package e2e

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/harvester"
	"github.com/freehold-net/freehold/scripts/lab/internal/watch"
)

// TestNICsChange: the request follows the NICs of the virtual machine, one by
// one, and the guest has what the request says.
func TestNICsChange(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "nics")
	w.add(w.network("blue", 106, "172.20.6.0/24"), w.network("red", 107, "172.20.7.0/24"))
	w.served("blue")
	w.served("red")

	defer w.boots(1)()

	first := guest.VMNIC{Name: "first", Network: "blue", MAC: mac(106, 1)}
	second := guest.VMNIC{Name: "second", Network: "red", MAC: mac(107, 1)}
	w.create(guest.VMSpec{Name: "vm", NICs: []guest.VMNIC{first}})

	address := w.holds("vm", 1).Held()[0]
	w.leased("vm", first.MAC, address)

	// Added.
	start := time.Now()
	w.setNICs("vm", first, second)

	request := w.holds("vm", 2)
	if got := request.NIC("first").Address; got != address {
		t.Fatalf("with a second NIC the first has %s, before %s", got, address)
	}

	t.Logf("a NIC added to vm had %s after %s: %s", request.NIC("second").Address, seconds(time.Since(start)), request)
	w.restart("vm")
	w.leased("vm", first.MAC, address)
	w.leased("vm", second.MAC, request.NIC("second").Address)
	t.Logf("restarted, the guest says %s and %s", address, request.NIC("second").Address)

	// Another MAC keeps the address; another network does not.
	old := first.MAC
	first.MAC = mac(106, 2)
	second.Network, second.MAC = "blue", mac(106, 3)
	freed := request.NIC("second").Address
	w.setNICs("vm", first, second)

	request, err := w.watch.RequestUntil(w.ctx, w.namespace, "vm", "the new MAC and network in", allocateTimeout, func(r watch.Request) bool {
		return r.NIC("first").MAC == first.MAC && r.NIC("second").Network == w.namespace+"/blue" && r.NIC("second").Address.IsValid()
	})
	w.must(err)

	if got := request.NIC("first").Address; got != address {
		t.Fatalf("with another MAC the first NIC has %s, before %s", got, address)
	}

	w.used("red", 0)
	t.Logf("with another MAC the first NIC keeps %s; with another network the second has %s, and %s is free", address, request.NIC("second").Address, freed)
	w.restart("vm")
	w.leased("vm", first.MAC, address)
	w.leased("vm", second.MAC, request.NIC("second").Address)
	t.Logf("restarted, the guest says %s under its new MAC %s, and %s", address, first.MAC, request.NIC("second").Address)
	w.silence(w.light("node2", "blue", old))
	t.Logf("who asks with the old MAC %s gets silence", old)

	// Plugged out.
	second.Absent = true
	w.setNICs("vm", first, second)
	w.used("blue", 1)
	t.Logf("with state absent the second NIC holds nothing: %s", w.holds("vm", 1))

	// Plugged in again and taken out of the specification.
	second.Absent = false
	w.setNICs("vm", first, second)
	w.holds("vm", 2)
	w.setNICs("vm", first)
	w.used("blue", 1)

	request = w.holds("vm", 1)
	if len(request.NICs) != 1 || request.NIC("first").Address != address {
		t.Fatalf("without its second NIC vm holds %+v, want %s only", request.NICs, address)
	}

	t.Logf("plugged in again and taken away, the second NIC is forgotten and the first keeps %s", address)
}

// TestMACSources: the MAC may be in the running instance only, and later in
// Harvester's annotation only.
func TestMACSources(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "mac-sources")
	w.managed("net", 108, "172.20.8.0/24")

	// In the annotation only.
	w.create(guest.VMSpec{
		Name: "annotated", NICs: []guest.VMNIC{{Network: "net"}}, Halted: true,
		Annotations: map[string]string{harvester.MACAnnotation: `{"nic-0":"02-00-00-6C-00-01"}`},
	})

	nic := w.holds("annotated", 1).NIC("nic-0")
	if nic.MAC != mac(108, 1) {
		t.Fatalf("annotated's NIC has the MAC %q, want %s from the annotation", nic.MAC, mac(108, 1))
	}

	t.Logf("annotated, whose MAC is in Harvester's annotation only, holds %s for %s", nic.Address, nic.MAC)

	// Nowhere, then in the instance only.
	defer w.boots(1)()

	w.create(guest.VMSpec{Name: "vm", NICs: []guest.VMNIC{{Network: "net"}}, Halted: true})
	t.Logf("vm, whose MAC nobody knows yet, is told: %s", w.waits("vm", "nic-0", "MACUnknown").Message)
	w.must(w.vms.Start(w.ctx, "vm"))
	w.runsOn("vm")

	request, err := w.watch.Allocated(w.ctx, w.namespace, "vm", 1, guestTimeout)
	w.must(err)

	nic = request.NIC("nic-0")
	address := nic.Address
	w.leased("vm", nic.MAC, address)
	t.Logf("the MAC %s is in the running instance only; the guest has booted with %s", nic.MAC, address)

	// In Harvester's annotation.
	_, err = w.Harvester.RecordMACs(w.ctx)
	w.must(err)

	vm, err := w.vms.Get(w.ctx, "vm")
	w.must(err)

	if annotation := vm.GetAnnotations()[harvester.MACAnnotation]; !strings.Contains(annotation, nic.MAC) {
		t.Fatalf("Harvester's annotation says %q, want %s in it", annotation, nic.MAC)
	}

	w.must(w.vms.Stop(w.ctx, "vm"))
	w.must(w.vms.WaitStopped(w.ctx, "vm", guestTimeout))

	if got := w.holds("vm", 1).NIC("nic-0"); got.MAC != nic.MAC || got.Address != address {
		t.Fatalf("stopped, vm holds %s for %q; before %s for %s", got.Address, got.MAC, address, nic.MAC)
	}

	t.Logf("vm is stopped and its MAC is in the annotation only: it holds %s for %s", address, nic.MAC)

	// An instance gets another MAC from KubeVirt in each of its lives when none
	// is in the specification; Harvester writes the one it knows there.
	w.edit("vm", func(vm *unstructured.Unstructured) {
		path := []string{"spec", "template", "spec", "domain", "devices", "interfaces"}
		list, _, err := unstructured.NestedSlice(vm.Object, path...)
		w.must(err)
		w.must(unstructured.SetNestedField(list[0].(map[string]any), nic.MAC, "macAddress"))
		w.must(unstructured.SetNestedSlice(vm.Object, list, path...))
	})
	w.must(w.vms.Start(w.ctx, "vm"))
	w.runsOn("vm")
	w.leased("vm", nic.MAC, address)
	t.Logf("vm is started with its MAC in the specification and says %s", address)
}

// TestUnmanagedNIC: a NIC on a network without a pool does not keep the others
// from their addresses, and is named.
func TestUnmanagedNIC(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "unmanaged")
	w.add(w.bare("plain", providerAll, 112))
	w.managed("net", 111, "172.20.11.0/24")

	defer w.boots(1)()

	w.create(guest.VMSpec{Name: "vm", NICs: []guest.VMNIC{
		{Name: "plain", Network: "plain", MAC: mac(112, 1)},
		{Name: "managed", Network: "net", MAC: mac(111, 1)},
	}})

	request := w.holds("vm", 1)
	if request.Allocated.Status != "True" {
		t.Errorf("the request says Allocated=%s: %s", request.Allocated.Status, request.Allocated.Message)
	}

	other := request.NIC("plain")
	if other.Address.IsValid() || other.Reason != "NetworkUnmanaged" || !strings.Contains(other.Message, "plain") {
		t.Fatalf("the NIC without a pool: %+v, want reason NetworkUnmanaged and a message that names the network", other)
	}

	said := w.leased("vm", mac(111, 1), request.NIC("managed").Address)
	t.Logf("vm says %s on its managed NIC; of the other its request says: %s", said.Addr, other.Message)

	_, err := w.vms.WaitEvent(w.ctx, "vm", "a round of requests without an answer on the unmanaged NIC", guestTimeout, func(events []guest.Event) (guest.Event, bool) {
		return guest.Latest(events, mac(112, 1), guest.Failed)
	})
	w.must(err)
	t.Logf("nobody answers vm on the NIC that is not managed")
}
