package store

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// epoch is when tests begin.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// world puts objects into a store, with versions that rise.
type world struct {
	*Store

	version int
}

func newWorld() *world {
	return &world{Store: New(Config{Clock: epoch, ManagedByDefault: true})}
}

func (w *world) meta(namespace, name string) metav1.ObjectMeta {
	w.version++

	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(fmt.Sprintf("uid-%s-%s-%d", namespace, name, w.version)),
		ResourceVersion: strconv.Itoa(w.version), CreationTimestamp: metav1.NewTime(epoch().Add(time.Duration(w.version) * time.Second)),
	}
}

// changed is the object's metadata after a write.
func (w *world) changed(object metav1.Object) {
	w.version++
	object.SetResourceVersion(strconv.Itoa(w.version))
}

func (w *world) pool(namespace, name, cidr string) *v1alpha1.IPPool {
	pool := &v1alpha1.IPPool{ObjectMeta: w.meta(namespace, name), Spec: v1alpha1.IPPoolSpec{
		NetworkName: namespace + "/" + name, IPv4Config: v1alpha1.IPv4Config{CIDR: cidr},
	}}
	w.Put(pool)

	return pool
}

// vm is a machine with one NIC on each network, eth0 and so on.
func (w *world) vm(namespace, name string, networks ...string) *kubevirtv1.VirtualMachine {
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: w.meta(namespace, name), Spec: kubevirtv1.VirtualMachineSpec{
		Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{},
	}}
	spec := &vm.Spec.Template.Spec

	for i, network := range networks {
		nic := fmt.Sprintf("eth%d", i)
		spec.Domain.Devices.Interfaces = append(spec.Domain.Devices.Interfaces, kubevirtv1.Interface{
			Name: nic, MacAddress: dhcp.MAC{0x52, 0x54, 0, 1, byte(w.version >> 8), byte(w.version)}.String(),
		})
		spec.Networks = append(spec.Networks, kubevirtv1.Network{
			Name: nic, NetworkSource: kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: network}},
		})
	}

	w.Put(vm)

	return vm
}

func (w *world) lease(pool *v1alpha1.IPPool, address string, owner *v1alpha1.LeaseOwner, mac dhcp.MAC) *v1alpha1.IPLease {
	at := netip.MustParseAddr(address)
	lease := &v1alpha1.IPLease{ObjectMeta: w.meta(pool.Namespace, convert.LeaseName(pool.Name, at)), Spec: v1alpha1.IPLeaseSpec{
		PoolName: pool.Name, Address: address, Owner: owner, Origin: v1alpha1.OriginAllocated,
	}}

	if !mac.IsZero() {
		lease.Spec.MACAddress = mac.String()
	}

	w.Put(lease)

	return lease
}

func ownedBy(vm *kubevirtv1.VirtualMachine, nic string) *v1alpha1.LeaseOwner {
	return &v1alpha1.LeaseOwner{
		Kind: v1alpha1.OwnerVirtualMachine, Namespace: vm.Namespace, Name: vm.Name, UID: vm.UID, InterfaceName: nic,
	}
}

// random fills the world with pools that overlap, and leases of every kind.
func random(t *testing.T, seed uint64, pools, leases int) (*world, []*v1alpha1.IPLease) {
	t.Helper()

	dice := rand.New(rand.NewPCG(seed, 1))
	w := newWorld()

	var (
		made  []*v1alpha1.IPPool
		vms   []*kubevirtv1.VirtualMachine
		all   []*v1alpha1.IPLease
		taken = map[string]bool{}
	)

	for i := range pools {
		made = append(made, w.pool(fmt.Sprintf("ns%d", i%3), fmt.Sprintf("pool%d", i), fmt.Sprintf("10.%d.0.0/16", i%2)))
	}

	for i := range 20 {
		pool := made[dice.IntN(len(made))]
		vms = append(vms, w.vm(fmt.Sprintf("vms%d", i%4), fmt.Sprintf("web-%d", i), pool.Spec.NetworkName))
	}

	for len(all) < leases {
		pool := made[dice.IntN(len(made))]
		address := fmt.Sprintf("10.%s.%d.%d", pool.Spec.IPv4Config.CIDR[3:4], dice.IntN(3), dice.IntN(256))

		if taken[pool.Name+address] {
			continue
		}

		taken[pool.Name+address] = true
		mac := dhcp.MAC{0x52, 0x54, 0, byte(dice.IntN(4)), byte(dice.IntN(256)), byte(dice.IntN(256))}

		switch dice.IntN(5) {
		case 0: // for nobody
			all = append(all, w.lease(pool, address, nil, dhcp.MAC{}))
		case 1: // for a MAC address
			all = append(all, w.lease(pool, address, nil, mac))
		case 2: // of a machine that is gone
			all = append(all, w.lease(pool, address, &v1alpha1.LeaseOwner{
				Kind: v1alpha1.OwnerVirtualMachine, Namespace: "gone", Name: "db", UID: "gone",
			}, mac))
		default:
			all = append(all, w.lease(pool, address, ownedBy(vms[dice.IntN(len(vms))], "eth0"), mac))
		}
	}

	return w, all
}
