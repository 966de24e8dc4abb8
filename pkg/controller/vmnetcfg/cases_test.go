package vmnetcfg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
)

// story is what happens in the world; the handler settles after each chapter.
type story struct {
	name     string
	chapters []func(w *world)
	// status of the request "one", and all leases, in the end.
	status, held []string
	// says is part of the message of condition Allocated of "one".
	says string
	// writes of the last chapter, in order, where the order matters.
	writes []string
}

// one is the virtual machine that the stories are about; two is another one.
func one(nics ...v1alpha1.NetworkConfig) func(*world) { return func(w *world) { w.vm("one", nics...) } }
func two(nics ...v1alpha1.NetworkConfig) func(*world) { return func(w *world) { w.vm("two", nics...) } }

func change(nics ...v1alpha1.NetworkConfig) func(*world) {
	return func(w *world) { w.set(nics...) }
}

func eth0(wanted string) v1alpha1.NetworkConfig { return eth("eth0", "vms/net", mac(1), wanted) }

func pausePool(w *world) { w.editPool("net", func(pool *poolObject) { pool.Spec.Paused = new(true) }) }

func removePool(w *world) {
	if err := w.pools.Delete("vms", "net", nil); err != nil {
		panic(err)
	}
}

func removeLease(name string) func(*world) {
	return func(w *world) {
		if err := w.leases.Delete("vms", name, nil); err != nil {
			panic(err)
		}
	}
}

// copyOf makes a second request that the same virtual machine owns, as copied
// YAML does.
func copyOf(w *world) {
	request := must(w.requests.Get("vms", "one", metav1.GetOptions{})).DeepCopy()
	request.Name, request.UID, request.ResourceVersion = "copy", "", ""
	request.Spec.NetworkConfigs[0].MACAddress = mac(7)
	must(w.requests.Create(request))
}

func pause(w *world) {
	request := must(w.requests.Get("vms", "one", metav1.GetOptions{}))
	request.Spec.Paused = new(true)
	must(w.requests.Update(request))
}

func stories() []story {
	const holds2 = "net.10.0.0.2 52:54:00:00:00:01 VirtualMachine/one/eth0"

	return []story{
		{
			name: "a new NIC gets the first address", chapters: []func(*world){one(eth0(""))},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2}, says: "1 of 1 NICs hold an address",
		},
		{
			name: "a second request of one machine gets and frees nothing", chapters: []func(*world){one(eth0("")), copyOf},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2},
			writes: []string{"updateStatus vmnetcfgs vms/copy"},
		},
		{
			name: "every spelling of a MAC address is one", chapters: []func(*world){one(eth("eth0", "net", "52-54-00-00-00-01", ""))},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2},
		},
		{
			name:     "another MAC address keeps the address",
			chapters: []func(*world){one(eth0("")), change(eth("eth0", "net", mac(9), ""))},
			status:   []string{"eth0 10.0.0.2 Allocated Allocated"},
			held:     []string{"net.10.0.0.2 52:54:00:00:00:09 VirtualMachine/one/eth0"},
			writes:   []string{"update ipleases vms/net.10.0.0.2", "updateStatus vmnetcfgs vms/one"},
		},
		{
			name:     "a renamed NIC keeps its address",
			chapters: []func(*world){one(eth0("")), change(eth("lan", "net", mac(1), ""))},
			status:   []string{"lan 10.0.0.2 Allocated Allocated"},
			held:     []string{"net.10.0.0.2 52:54:00:00:00:01 VirtualMachine/one/lan"},
		},
		{
			name: "a NIC whose MAC address is not known any more keeps its address",
			chapters: []func(*world){
				one(eth0("")), change(eth("eth0", "net", "", "")),
			},
			status: []string{"eth0 10.0.0.2 Allocated MACUnknown"}, held: []string{holds2},
		},
		{
			name:     "another network: the old address is freed before the new one is taken",
			chapters: []func(*world){one(eth0("")), change(eth("eth0", "vms/other", mac(1), ""))},
			status:   []string{"eth0 10.0.0.2 Allocated Allocated"},
			held:     []string{"other.10.0.0.2 52:54:00:00:00:01 VirtualMachine/one/eth0"},
			writes: []string{
				"delete ipleases vms/net.10.0.0.2", "create ipleases vms/other.10.0.0.2",
			},
		},
		{
			name:     "a network that is not managed",
			chapters: []func(*world){one(eth0("")), change(eth("eth0", "vms/wild", mac(1), ""))},
			status:   []string{"eth0   NetworkUnmanaged"}, says: "no NIC is on a network with an IPPool",
		},
		{
			name:     "one NIC on a managed network and one that is not",
			chapters: []func(*world){one(eth("wild", "vms/wild", mac(2), ""), eth0(""))},
			status:   []string{"wild   NetworkUnmanaged", "eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2},
			says: "1 of 1 NICs hold an address",
		},
		{
			name:     "a removed NIC",
			chapters: []func(*world){one(eth0(""), eth("eth1", "vms/net", mac(2), "")), change(eth0(""))},
			status:   []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2},
		},
		{
			name:     "the last NIC is removed",
			chapters: []func(*world){one(eth0("")), change()},
			says:     "no NIC is on a network with an IPPool",
		},
		{
			name: "a wanted address", chapters: []func(*world){one(eth0("10.0.0.4"))},
			status: []string{"eth0 10.0.0.4 Allocated Allocated"},
			held:   []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0"},
		},
		{
			name:     "another wanted address: the new one is taken before the old one is freed",
			chapters: []func(*world){one(eth0("")), change(eth0("10.0.0.4"))},
			status:   []string{"eth0 10.0.0.4 Allocated Allocated"},
			held:     []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0"},
			writes:   []string{"create ipleases vms/net.10.0.0.4", "delete ipleases vms/net.10.0.0.2", "updateStatus vmnetcfgs vms/one"},
		},
		{
			name: "an address that is wanted no more stays", chapters: []func(*world){one(eth0("10.0.0.4")), change(eth0(""))},
			status: []string{"eth0 10.0.0.4 Allocated Allocated"},
			held:   []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0"},
		},
		{
			name:     "the wanted address is another's",
			chapters: []func(*world){two(eth("eth0", "net", mac(7), "10.0.0.4")), one(eth0("10.0.0.4"))},
			status:   []string{"eth0  Pending AddressTaken"},
			held:     []string{"net.10.0.0.4 52:54:00:00:00:07 VirtualMachine/two/eth0"},
			says:     "wanted address 10.0.0.4 is held by VirtualMachine vms/two; ask for another one",
		},
		{
			name:     "the other wanted address is another's: the held one is kept",
			chapters: []func(*world){one(eth0("")), two(eth("eth0", "net", mac(7), "10.0.0.4")), change(eth0("10.0.0.4"))},
			status:   []string{"eth0 10.0.0.2 Allocated AddressTaken"},
			held:     []string{holds2, "net.10.0.0.4 52:54:00:00:00:07 VirtualMachine/two/eth0"},
			says:     "is held by VirtualMachine vms/two",
		},
		{
			name:     "a held lease is kept up to date while another address is wanted in vain",
			chapters: []func(*world){one(eth0("")), change(eth("eth0", "net", mac(9), "10.0.0.1"))},
			status:   []string{"eth0 10.0.0.2 Allocated AddressOutOfRange"},
			held:     []string{"net.10.0.0.2 52:54:00:00:00:09 VirtualMachine/one/eth0"},
		},
		{
			name: "the server's address", chapters: []func(*world){one(eth0("10.0.0.1"))},
			status: []string{"eth0  Pending AddressOutOfRange"}, says: "10.0.0.1 is the address of the DHCP server; ask for another one",
		},
		{
			name: "an address out of the range", chapters: []func(*world){one(eth0("10.0.0.9"))},
			status: []string{"eth0  Pending AddressOutOfRange"}, says: "10.0.0.2-10.0.0.5",
		},
		{
			name: "a wanted address that is none", chapters: []func(*world){one(eth0("ten"))},
			status: []string{"eth0  Pending AddressInvalid"}, says: `"ten"`,
		},
		{
			name: "a MAC address that is none", chapters: []func(*world){one(eth("eth0", "net", "nonsense", ""))},
			status: []string{"eth0  Pending MACInvalid"}, says: `macAddress "nonsense"`,
		},
		{
			name: "no MAC address yet", chapters: []func(*world){one(eth("eth0", "net", "", ""))},
			status: []string{"eth0  Pending MACUnknown"}, says: "has no MAC address yet",
		},
		{
			name: "a network name that is none", chapters: []func(*world){one(eth("eth0", "a/b/c", mac(1), ""))},
			status: []string{"eth0  Pending NetworkNotFound"}, says: `networkName "a/b/c" is not a network`,
		},
		{
			name: "exhausted", chapters: []func(*world){
				two(eth("a", "net", mac(11), ""), eth("b", "net", mac(12), ""), eth("c", "net", mac(13), ""), eth("d", "net", mac(14), "")),
				one(eth0("")),
			},
			status: []string{"eth0  Pending PoolExhausted"}, says: "4 of 4 are used",
			held: []string{
				"net.10.0.0.2 52:54:00:00:00:0b VirtualMachine/two/a", "net.10.0.0.3 52:54:00:00:00:0c VirtualMachine/two/b",
				"net.10.0.0.4 52:54:00:00:00:0d VirtualMachine/two/c", "net.10.0.0.5 52:54:00:00:00:0e VirtualMachine/two/d",
			},
		},
		{
			name: "a paused pool gives nothing out", chapters: []func(*world){pausePool, one(eth0(""))},
			status: []string{"eth0  Pending PoolPaused"}, says: "set its spec.paused to false",
		},
		{
			name: "a paused pool takes nothing back", chapters: []func(*world){one(eth0("")), pausePool},
			status: []string{"eth0 10.0.0.2 Allocated PoolPaused"}, held: []string{holds2},
		},
		{
			name: "a pool whose plan is broken", chapters: []func(*world){
				one(eth0("")), func(w *world) { w.editPool("net", func(pool *poolObject) { pool.Spec.IPv4Config.CIDR = "ten" }) },
			},
			status: []string{"eth0 10.0.0.2 Allocated PoolInvalid"}, held: []string{holds2},
		},
		{
			name: "the pool is gone, the lease is not", chapters: []func(*world){one(eth0("")), removePool},
			status: []string{"eth0 10.0.0.2 Allocated NetworkUnmanaged"}, held: []string{holds2},
		},
		{
			name: "the pool comes back", chapters: []func(*world){one(eth0("")), removePool, func(w *world) { w.pool("net") }},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"}, held: []string{holds2},
		},
		{
			name:     "a MAC address that another virtual machine has",
			chapters: []func(*world){two(eth("eth0", "net", mac(1), "")), one(eth0(""))},
			status:   []string{"eth0  Pending MACConflict"},
			held:     []string{"net.10.0.0.2 52:54:00:00:00:01 VirtualMachine/two/eth0"},
			says:     "52:54:00:00:00:01 already holds 10.0.0.2 for VirtualMachine vms/two",
		},
		{
			name:     "one MAC address on two networks is two",
			chapters: []func(*world){one(eth0(""), eth("eth1", "other", mac(1), ""))},
			status:   []string{"eth0 10.0.0.2 Allocated Allocated", "eth1 10.0.0.2 Allocated Allocated"},
			held:     []string{holds2, "other.10.0.0.2 52:54:00:00:00:01 VirtualMachine/one/eth1"},
		},
		{
			name:     "one MAC address twice on one network",
			chapters: []func(*world){one(eth0(""), eth("eth1", "net", "52:54:00:00:00:01", ""))},
			status:   []string{"eth0 10.0.0.2 Allocated Allocated", "eth1  Pending MACConflict"}, held: []string{holds2},
			says: "is also that of eth0 on the same network",
		},
		{
			name:     "a request by hand",
			chapters: []func(*world){func(w *world) { w.byHand("one", eth("", "net", mac(1), "")) }},
			status:   []string{"10.0.0.2 Allocated Allocated"},
			held:     []string{"net.10.0.0.2 52:54:00:00:00:01 VirtualMachineNetworkConfig/one/"},
		},
		{
			name: "a request by hand that a virtual machine takes up keeps its address",
			chapters: []func(*world){
				func(w *world) { w.byHand("one", eth("", "net", mac(1), "")) },
				func(w *world) { w.adopt("one", w.onlyVM("two")) },
				change(eth0("")),
			},
			status: []string{"eth0 10.0.0.2 Allocated Allocated"},
			held:   []string{"net.10.0.0.2 52:54:00:00:00:01 VirtualMachine/two/eth0"},
		},
		{
			name: "a paused request gets nothing", chapters: []func(*world){
				func(w *world) {
					one(eth0(""))(w)
					pause(w)
				},
			},
			status: []string{"eth0  Pending Paused"}, says: "set its spec.paused to false",
		},
		{
			name: "a paused request keeps what it has, also of removed NICs", chapters: []func(*world){one(eth0("")), pause, change()},
			held: []string{holds2},
		},
		{
			name: "the virtual machine is gone: nothing is given out, and others free what is held",
			chapters: []func(*world){one(eth0("")), func(w *world) {
				if err := w.vms.Delete("vms", "one", nil); err != nil {
					panic(err)
				}
				w.set(eth0(""), eth("eth1", "net", mac(2), ""))
			}},
			status: []string{"eth0 10.0.0.2 Allocated AddressReleased", "eth1  Pending AddressReleased"}, held: []string{holds2},
		},
		{
			name: "somebody deleted the lease: the NIC gets the same address again",
			chapters: []func(*world){
				one(eth("a", "net", mac(11), ""), eth("b", "net", mac(12), ""), eth("c", "net", mac(13), "")),
				removeLease("net.10.0.0.3"),
			},
			status: []string{"a 10.0.0.2 Allocated Allocated", "b 10.0.0.3 Allocated Allocated", "c 10.0.0.4 Allocated Allocated"},
			held: []string{
				"net.10.0.0.2 52:54:00:00:00:0b VirtualMachine/one/a", "net.10.0.0.3 52:54:00:00:00:0c VirtualMachine/one/b",
				"net.10.0.0.4 52:54:00:00:00:0d VirtualMachine/one/c",
			},
		},
		{
			name: "of several leases for one NIC the one that was told stays",
			chapters: []func(*world){one(eth0("10.0.0.4")), func(w *world) {
				lease := must(w.leases.Get("vms", "net.10.0.0.4", metav1.GetOptions{}))
				lease.Name, lease.Spec.Address, lease.UID, lease.ResourceVersion = "net.10.0.0.3", "10.0.0.3", "", ""
				lease.CreationTimestamp = metav1.Unix(1, 0)
				must(w.leases.Create(lease))
				w.set(eth0(""))
			}},
			status: []string{"eth0 10.0.0.4 Allocated Allocated"},
			held:   []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0"},
		},
	}
}

func TestStories(t *testing.T) {
	t.Parallel()
	tell(t, stories())
}

// tell has each story happen, and looks at how it ends.
func tell(t *testing.T, stories []story) {
	t.Helper()

	for _, tc := range stories {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			w := newWorld()
			w.pool("net")
			w.pool("other")

			m := w.manager()

			var writes []string

			for _, chapter := range tc.chapters {
				chapter(w)
				m.sync()
				w.server.Writes()

				for _, request := range w.requests.All() {
					if err := m.reconcile(t, apitest.Key(request)); err != nil {
						t.Fatal(err)
					}
				}

				writes = w.server.Writes()
				m.settle(t)
			}

			if diff := cmp.Diff(tc.status, w.status("one")); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}

			if diff := cmp.Diff(tc.held, w.held()); diff != "" {
				t.Errorf("leases (-want +got):\n%s", diff)
			}

			if tc.writes != nil {
				if diff := cmp.Diff(tc.writes, writes[:min(len(writes), len(tc.writes))]); diff != "" {
					t.Errorf("writes (-want +got):\n%s", diff)
				}
			}

			request := must(w.requests.Get("vms", "one", metav1.GetOptions{}))
			if said := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.VMNetCfgAllocated); said == nil || !strings.Contains(said.Message, tc.says) {
				t.Errorf("condition Allocated is %+v, want it to say %q", said, tc.says)
			}
		})
	}
}
