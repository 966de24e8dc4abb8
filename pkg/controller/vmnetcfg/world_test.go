package vmnetcfg

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

type (
	poolObject    = v1alpha1.IPPool
	requestObject = v1alpha1.VirtualMachineNetworkConfig
)

// world is an API server with pools, virtual machines, requests and leases.
type world struct {
	server   *apitest.Server
	pools    *apitest.Store[*poolObject]
	requests *apitest.Store[*requestObject]
	leases   *apitest.Store[*v1alpha1.IPLease]
	vms      *apitest.Store[*kubevirtv1.VirtualMachine]
	events   *apitest.Recorder
}

func newWorld() *world {
	server := &apitest.Server{}

	return &world{
		server: server,
		pools: apitest.NewStore(server, "ippools", func(into, from *poolObject) {
			into.Status = *from.Status.DeepCopy()
		}),
		requests: apitest.NewStore(server, "vmnetcfgs", func(into, from *requestObject) {
			into.Status = *from.Status.DeepCopy()
		}),
		leases: apitest.NewStore[*v1alpha1.IPLease](server, "ipleases", nil),
		vms:    apitest.NewStore[*kubevirtv1.VirtualMachine](server, "virtualmachines", nil),
		events: &apitest.Recorder{},
	}
}

// manager is one process with its own caches, ledger and handler.
type manager struct {
	*Handler

	world    *world
	pools    *apitest.Cache[*poolObject]
	requests *apitest.Cache[*requestObject]
	leases   *apitest.Cache[*v1alpha1.IPLease]
	vms      *apitest.Cache[*kubevirtv1.VirtualMachine]
}

// manager starts a process, whose caches hold what the server holds now.
func (w *world) manager() *manager {
	m := &manager{
		world: w,
		pools: apitest.NewCache(w.pools, map[string]func(*poolObject) ([]string, error){
			kube.IndexPoolByNetwork: kube.PoolNetworks,
		}),
		requests: apitest.NewCache(w.requests, map[string]func(*requestObject) ([]string, error){
			kube.IndexRequestByNetwork: kube.RequestNetworks, kube.IndexRequestByVM: kube.RequestVM,
			kube.IndexRequestByMAC: kube.RequestMACs,
		}),
		leases: apitest.NewCache[*v1alpha1.IPLease](w.leases, nil),
		vms:    apitest.NewCache[*kubevirtv1.VirtualMachine](w.vms, nil),
	}
	book := ledger.New()
	m.leases.OnEvent = func(event apitest.Event[*v1alpha1.IPLease]) {
		if event.Deleted {
			book.Drop(event.Object)
		} else {
			book.Put(event.Object)
		}
	}
	m.Handler = &Handler{
		requests: w.requests, cache: m.requests, leases: w.leases, pools: m.pools, vms: w.vms, vmCache: m.vms,
		ledger: book, events: kube.NewAnnouncer(w.events), log: slog.New(slog.DiscardHandler),
		waiting: newWaiting(), networks: map[string]seenPool{},
	}
	m.sync()
	m.ledger.Watch(m.leaseChanged)

	return m
}

func (m *manager) sync() {
	m.pools.Sync()
	m.vms.Sync()
	m.leases.Sync()
	m.requests.Sync()
}

// reconcile has the handler look at one request as the cache has it, and makes
// sure that the cached object is not changed.
func (m *manager) reconcile(t *testing.T, key string) error {
	t.Helper()

	namespace, name := kube.SplitKey(key)

	request, err := m.requests.Get(namespace, name)
	if err != nil {
		_, err := m.OnChange(key, nil)

		return err
	}

	before := request.DeepCopy()
	_, err = m.OnChange(key, request)

	if diff := cmp.Diff(before, request); diff != "" {
		t.Fatalf("the cached request was changed:\n%s", diff)
	}

	return err
}

// settle looks at every request until nothing is written any more.
func (m *manager) settle(t *testing.T) {
	t.Helper()
	m.world.server.Writes()

	for range 20 {
		for _, request := range m.world.requests.All() {
			m.sync()

			if err := m.reconcile(t, apitest.Key(request)); err != nil {
				t.Fatalf("reconcile %s: %v", request.Name, err)
			}
		}

		m.sync()

		if len(m.world.server.Writes()) == 0 {
			return
		}
	}

	t.Fatal("I2: it goes on writing although nothing changes")
}

func must[T any](object T, err error) T {
	if err != nil {
		panic(err)
	}

	return object
}

// pool makes a pool for the network of its name. Its range is 10.0.0.2 to .5.
func (w *world) pool(name string, changes ...func(*poolObject)) {
	pool := &poolObject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: name},
		Spec: v1alpha1.IPPoolSpec{NetworkName: "vms/" + name, IPv4Config: v1alpha1.IPv4Config{
			CIDR: "10.0.0.0/28", ServerIP: "10.0.0.1", Pool: v1alpha1.Pool{Start: "10.0.0.2", End: "10.0.0.5"},
		}},
	}
	for _, change := range changes {
		change(pool)
	}

	must(w.pools.Create(pool))
}

func (w *world) editPool(name string, change func(*poolObject)) {
	pool := must(w.pools.Get("vms", name, metav1.GetOptions{}))
	change(pool)
	must(w.pools.Update(pool))
}

// eth is an entry of a request: interface, network, MAC address, wanted address.
func eth(name, network, mac, wanted string) v1alpha1.NetworkConfig {
	config := v1alpha1.NetworkConfig{InterfaceName: name, NetworkName: network, MACAddress: mac}
	if wanted != "" {
		config.IPAddress = &wanted
	}

	return config
}

func mac(n int) string { return fmt.Sprintf("52:54:00:00:00:%02x", n) }

// vm makes a virtual machine and its request.
func (w *world) vm(name string, nics ...v1alpha1.NetworkConfig) {
	vm := w.onlyVM(name)
	w.byHand(name, nics...)
	w.adopt(name, vm)
}

func (w *world) onlyVM(name string) *kubevirtv1.VirtualMachine {
	return must(w.vms.Create(&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: name}}))
}

// byHand makes a request that no virtual machine owns.
func (w *world) byHand(name string, nics ...v1alpha1.NetworkConfig) {
	must(w.requests.Create(&requestObject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: name},
		Spec:       v1alpha1.VirtualMachineNetworkConfigSpec{VMName: name, NetworkConfigs: nics},
	}))
}

func (w *world) adopt(name string, vm *kubevirtv1.VirtualMachine) {
	request := must(w.requests.Get("vms", name, metav1.GetOptions{}))
	request.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: kubevirtv1.GroupVersion.String(), Kind: "VirtualMachine", Name: vm.Name, UID: vm.UID,
	}}
	must(w.requests.Update(request))
}

// edit changes the NICs of a request.
func (w *world) edit(name string, change func(nics []v1alpha1.NetworkConfig) []v1alpha1.NetworkConfig) {
	request := must(w.requests.Get("vms", name, metav1.GetOptions{}))
	request.Spec.NetworkConfigs = change(request.Spec.NetworkConfigs)
	must(w.requests.Update(request))
}

// set makes these the NICs of the request "one".
func (w *world) set(nics ...v1alpha1.NetworkConfig) {
	w.edit("one", func([]v1alpha1.NetworkConfig) []v1alpha1.NetworkConfig { return nics })
}

// status tells of a request in one line a NIC.
func (w *world) status(name string) []string {
	request := must(w.requests.Get("vms", name, metav1.GetOptions{}))

	var lines []string

	for _, nic := range request.Status.NetworkConfigs {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", nic.InterfaceName, nic.AllocatedIPAddress, nic.State, nic.Reason)))
	}

	return lines
}

// reserve makes a lease that nobody holds, as a person does.
func (w *world) reserve(address, mac string, owner *v1alpha1.LeaseOwner) {
	must(w.leases.Create(&v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net." + address},
		Spec: v1alpha1.IPLeaseSpec{
			PoolName: "net", Address: address, MACAddress: mac, Owner: owner, Origin: v1alpha1.OriginManual,
		},
	}))
}

// sweep frees the leases of owners that are gone, as package iplease does it.
func (w *world) sweep() {
	for _, lease := range w.leases.All() {
		if !convert.Reserved(lease) && !w.alive(lease.Spec.Owner) {
			must(kube.FreeLease(w.leases, ledger.New(), lease))
		}
	}
}

func (w *world) alive(owner *v1alpha1.LeaseOwner) bool {
	if owner.Kind == v1alpha1.OwnerVMNetCfg {
		request, err := w.requests.Get(owner.Namespace, owner.Name, metav1.GetOptions{})

		return err == nil && request.UID == owner.UID
	}

	vm, err := w.vms.Get(owner.Namespace, owner.Name, metav1.GetOptions{})

	return err == nil && vm.UID == owner.UID
}

// held tells of all leases, one line each.
func (w *world) held() []string {
	var lines []string

	for _, lease := range w.leases.All() {
		line := lease.Name + " " + lease.Spec.MACAddress
		if owner := lease.Spec.Owner; owner != nil {
			line += " " + owner.Kind + "/" + owner.Name + "/" + owner.InterfaceName
		}

		switch {
		case convert.Reserved(lease):
			line = "reserved " + line
		case lease.Spec.Reservation != nil:
			line += " fixed"
		default:
		}

		lines = append(lines, line)
	}

	return lines
}

// everything selects all objects.
type everything struct{ labels.Selector }

func (everything) Matches(labels.Labels) bool { return true }
