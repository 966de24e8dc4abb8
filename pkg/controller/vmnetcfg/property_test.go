package vmnetcfg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
)

// errCut is what a caller sees of a connection that was cut, or of a process
// that died: nobody knows whether the write was carried out.
var errCut = errors.New("connection cut")

// history drives a world with two managers through random changes and faults.
type history struct {
	*world

	t        *testing.T
	rng      *rand.Rand
	managers []*manager
	// cut is the write that fails next, counted down; 0 for none.
	cut      int
	macs     int
	machines int
	// told is the address that each NIC was told: its request, interface and network.
	told map[string]string
	// kept are the reservations that people made and did not remove, by lease.
	kept map[string]*v1alpha1.LeaseReservation
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()

	h := &history{world: newWorld(), t: t, rng: rand.New(rand.NewPCG(seed, 9)), told: map[string]string{}, kept: map[string]*v1alpha1.LeaseReservation{}}
	h.pool("net")
	h.pool("other", func(pool *poolObject) { pool.Spec.IPv4Config.Pool.End = "10.0.0.14" })

	h.server.Intercept = func(string, string, bool) error {
		if h.cut > 0 {
			h.cut--
			if h.cut == 0 {
				return errCut
			}
		}

		return nil
	}
	h.managers = []*manager{h.manager(), h.manager()}

	return h
}

// calm runs a change of the world that no fault touches.
func (h *history) calm(do func()) {
	cut := h.cut
	h.cut = 0

	do()

	h.cut = cut
}

func (h *history) nic(name string) v1alpha1.NetworkConfig {
	h.macs++
	network := []string{"vms/net", "other", "vms/other", "vms/wild"}[h.rng.IntN(4)]

	return eth(name, network, mac(h.macs), h.wanted())
}

func (h *history) wanted() string {
	if h.rng.IntN(4) > 0 {
		return ""
	}

	return fmt.Sprintf("10.0.0.%d", h.rng.IntN(8))
}

// change is something that people do.
func (h *history) change() {
	requests := h.requests.All()
	if len(requests) < 2 || h.rng.IntN(6) == 0 {
		h.machines++
		h.vm(h.unused(), h.nic("a"), h.nic("b"))

		return
	}

	if h.rng.IntN(4) == 0 {
		h.reservation()

		return
	}

	request := requests[h.rng.IntN(len(requests))]
	name := request.Name

	if h.rng.IntN(8) == 0 {
		h.end(name)

		return
	}

	h.edit(name, func(nics []v1alpha1.NetworkConfig) []v1alpha1.NetworkConfig {
		if len(nics) == 0 || len(nics) < 4 && h.rng.IntN(5) == 0 {
			h.machines++

			return append(nics, h.nic(fmt.Sprintf("n%d", h.machines)))
		}

		at := h.rng.IntN(len(nics))

		switch h.rng.IntN(5) {
		case 0:
			h.macs++
			nics[at].MACAddress = mac(h.macs)
		case 1:
			h.forget(name, nics[at])
			nics[at] = h.nic(nics[at].InterfaceName)
		case 2:
			h.forget(name, nics[at]) // it may be on its way to the one it wanted

			nics[at].IPAddress = nil
			if text := h.wanted(); text != "" {
				nics[at].IPAddress = &text
			}
		case 3:
			h.forget(name, nics[at])
			nics = slices.Delete(nics, at, at+1)
		default:
			slices.Reverse(nics)
		}

		return nics
	})
}

// unused is the name of no machine that there is now: a new one or an old one.
func (h *history) unused() string {
	name := fmt.Sprintf("vm-%d", 1+h.rng.IntN(h.machines))
	if _, err := h.vms.Get("vms", name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		return name
	}

	return fmt.Sprintf("vm-%d", h.machines)
}

// forget notes that the NIC may have another address from now on.
func (h *history) forget(request string, config v1alpha1.NetworkConfig) {
	delete(h.told, request+" "+config.InterfaceName+" "+kube.NetworkKey(config.NetworkName, "vms"))
}

// end deletes a virtual machine. Its request goes with it, as owner references
// have it, and its leases as package iplease does it.
func (h *history) end(name string) {
	if err := errors.Join(h.vms.Delete("vms", name, nil), h.requests.Delete("vms", name, nil)); err != nil {
		h.t.Fatal(err)
	}

	if h.rng.IntN(2) == 0 {
		h.sweep()
	}

	for told := range h.told {
		if len(told) > len(name) && told[:len(name)+1] == name+" " {
			delete(h.told, told)
		}
	}
}

// lag brings some of the news to some of the caches.
func (h *history) lag() {
	m := h.managers[h.rng.IntN(len(h.managers))]

	for range h.rng.IntN(6) {
		m.leases.Step()
		m.requests.Step()
		m.vms.Step()
	}
}

// work lets one manager look at one request that it knows of. A fault in it may
// be the end of the process: then another one starts in its place.
func (h *history) work() {
	at := h.rng.IntN(len(h.managers))
	m := h.managers[at]

	known, err := m.requests.List("", everything{})
	if err != nil || len(known) == 0 {
		return
	}

	if err := m.reconcile(h.t, apitest.Key(known[h.rng.IntN(len(known))])); err == nil {
		return
	} else if !errors.Is(err, errCut) && !apierrors.IsConflict(err) && !apierrors.IsNotFound(errors.Unwrap(err)) {
		h.t.Fatalf("an error that nobody caused: %v", err)
	}

	if h.rng.IntN(2) == 0 {
		h.calm(func() { h.managers[at] = h.manager() })
	}
}

// check is what must be so after every single step.
func (h *history) check() {
	h.t.Helper()
	h.reservations()

	for _, request := range h.requests.All() {
		for i, nic := range request.Status.NetworkConfigs {
			if nic.AllocatedIPAddress == "" || i >= len(request.Spec.NetworkConfigs) || request.Status.ObservedGeneration != request.Generation {
				continue
			}

			as := request.Name + " " + nic.InterfaceName + " " + nic.NetworkName
			wanted := request.Spec.NetworkConfigs[i].IPAddress
			asked := wanted != nil && *wanted == nic.AllocatedIPAddress

			if before := h.told[as]; before != "" && before != nic.AllocatedIPAddress && !asked {
				h.t.Fatalf("I3: %s was told %s and now %s, and nobody asked for that", as, before, nic.AllocatedIPAddress)
			}

			// A status that was not written since a person deleted the lease
			// tells nobody anything new.
			name := convert.LeaseName(nic.NetworkName[len("vms/"):], netip.MustParseAddr(nic.AllocatedIPAddress))
			if lease, err := h.leases.Get("vms", name, metav1.GetOptions{}); err == nil && !convert.Reserved(lease) && lease.Spec.Owner.Name == request.Name {
				h.told[as] = nic.AllocatedIPAddress
			}
		}
	}
}

// settled is what must be so when everything is known to everybody: each NIC on
// a managed network has the one lease that its status tells, or a good reason
// to have none, and there is no other lease.
func (h *history) settled() {
	h.t.Helper()

	h.cut = 0
	h.sweep()

	for _, m := range h.managers {
		m.sync()
	}

	h.managers[h.rng.IntN(len(h.managers))].settle(h.t)

	for _, m := range h.managers {
		m.settle(h.t) // which fails when it writes on and on

		if writes := h.server.Writes(); len(writes) > 0 {
			h.t.Fatalf("I2: %v", writes)
		}
	}

	h.check()

	told := map[string]string{}

	for _, request := range h.requests.All() {
		for i, nic := range request.Status.NetworkConfigs {
			if nic.AllocatedIPAddress == "" {
				h.excused(request, i)

				continue
			}

			pool := nic.NetworkName[len("vms/"):]
			told[pool+"."+nic.AllocatedIPAddress] = request.Name + " " + nic.InterfaceName + " " + nic.MACAddress
		}
	}

	held := map[string]string{}
	for _, lease := range h.leases.All() {
		if convert.Reserved(lease) {
			h.leftAlone(lease)

			continue
		}

		held[lease.Name] = lease.Spec.Owner.Name + " " + lease.Spec.Owner.InterfaceName + " " + lease.Spec.MACAddress
	}

	if diff := cmp.Diff(told, held); diff != "" {
		h.t.Fatalf("what was told is not what is held, or something leaked (-told +held):\n%s", diff)
	}
}

func (h *history) excused(request *requestObject, at int) {
	h.t.Helper()

	nic := request.Status.NetworkConfigs[at]
	m := h.managers[0]

	switch nic.Reason {
	case v1alpha1.ReasonNetworkUnmanaged:
		if nic.NetworkName != "vms/wild" {
			h.t.Fatalf("%s: %+v", request.Name, nic)
		}
	case v1alpha1.ReasonPoolExhausted:
		for _, pool := range h.pools.All() {
			if "vms/"+pool.Name != nic.NetworkName {
				continue
			}

			n, err := m.observeNIC(request, request.Spec.NetworkConfigs[at], nil)
			if err != nil || m.ledger.Counts(n.pool.key, n.pool.plan).Free > 0 {
				h.t.Fatalf("%s waits although an address is free: %+v %v", request.Name, nic, err)
			}
		}
	case v1alpha1.ReasonAddressTaken, v1alpha1.ReasonAddressOutOfRange:
		if request.Spec.NetworkConfigs[at].IPAddress == nil {
			h.t.Fatalf("%s wants no address: %+v", request.Name, nic)
		}
	default:
		h.t.Fatalf("%s has no address: %+v", request.Name, nic)
	}
}

// TestAnyHistory: two managers at once, caches that lag, processes that die and
// connections that are cut before and after any write, while people add, change
// and remove NICs, virtual machines and reservations. No NIC is ever told another
// address than it was (I3), no two hold one (I1: the server has it, the status
// must not say otherwise), nothing leaks, no reservation is lost, and when all is
// calm nothing is written (I2).
func TestAnyHistory(t *testing.T) {
	t.Parallel()

	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()

			h := newHistory(t, seed)

			for range 6 {
				for range 25 {
					switch h.rng.IntN(6) {
					case 0:
						h.calm(h.change)
					case 1:
						h.lag()
					case 2:
						h.cut = 1 + h.rng.IntN(8)
					default:
						h.work()
					}

					h.check()
				}

				h.settled()
			}
		})
	}
}
