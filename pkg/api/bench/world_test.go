package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/store"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

const (
	poolCount  = 200
	leaseCount = 65_536
)

// anybody is an Authenticator that knows everybody, a stand-in for Kubernetes':
// the reviews are cached there, and their time is not measured here.
type anybody struct{}

func (anybody) Authenticate(*http.Request) (user.Info, bool, error) {
	return &user.DefaultInfo{Name: "admin"}, true, nil
}

// everything is a Reviewer that allows everything, a stand-in as above.
type everything struct{}

func (everything) May(context.Context, user.Info, string, access.Object) (bool, error) {
	return true, nil
}

// world is a store with 65,536 leases of as many machines in 200 pools, and the
// API over it.
type world struct {
	store   *store.Store
	api     *api.API
	leases  []*v1alpha1.IPLease
	version int
}

func newWorld(t *testing.T) *world {
	t.Helper()

	w := &world{store: store.New(store.Config{Clock: time.Now, ManagedByDefault: true})}
	w.api = api.New(api.Config{
		Store: w.store, Authenticator: anybody{}, Reviewer: everything{}, Clock: time.Now, About: api.About{StartedAt: time.Now()},
	})

	var pools []*v1alpha1.IPPool

	for i := range poolCount {
		network := &nadv1.NetworkAttachmentDefinition{ObjectMeta: w.meta(fmt.Sprintf("tenant-%d", i%40), fmt.Sprintf("net-%d", i))}
		w.store.Load(network)

		pool := &v1alpha1.IPPool{ObjectMeta: w.meta(network.Namespace, network.Name), Spec: v1alpha1.IPPoolSpec{
			NetworkName: network.Namespace + "/" + network.Name,
			IPv4Config:  v1alpha1.IPv4Config{CIDR: fmt.Sprintf("10.%d.0.0/22", i)},
		}}
		w.store.Load(pool)
		pools = append(pools, pool)
	}

	for i := range leaseCount {
		w.machine(i, pools[i%poolCount], i/poolCount+10)
	}

	return w
}

func (w *world) meta(namespace, name string) metav1.ObjectMeta {
	w.version++

	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(fmt.Sprintf("6d1f0c9e-0000-4000-8000-%012d", w.version)), ResourceVersion: strconv.Itoa(w.version),
		CreationTimestamp: metav1.NewTime(time.Unix(int64(1_760_000_000+w.version), 0)),
	}
}

// machine is a machine with one NIC, its request and its lease.
func (w *world) machine(i int, pool *v1alpha1.IPPool, host int) {
	prefix := netip.MustParsePrefix(pool.Spec.IPv4Config.CIDR).Addr().As4()
	address := netip.AddrFrom4([4]byte{prefix[0], prefix[1], byte(host >> 8), byte(host)})
	mac := dhcp.MAC{0x52, 0x54, 0, byte(i >> 16), byte(i >> 8), byte(i)}

	vm := &kubevirtv1.VirtualMachine{ObjectMeta: w.meta(pool.Namespace, fmt.Sprintf("vm-%05d", i)), Spec: kubevirtv1.VirtualMachineSpec{
		Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{},
	}}
	vm.Spec.Template.Spec.Domain.Devices.Interfaces = []kubevirtv1.Interface{{Name: "default", MacAddress: mac.String()}}
	vm.Spec.Template.Spec.Networks = []kubevirtv1.Network{{
		Name: "default", NetworkSource: kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: pool.Spec.NetworkName}},
	}}
	w.store.Load(vm)

	w.store.Load(&v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: w.meta(vm.Namespace, vm.Name), Spec: v1alpha1.VirtualMachineNetworkConfigSpec{
		VMName: vm.Name, NetworkConfigs: []v1alpha1.NetworkConfig{{NetworkName: pool.Spec.NetworkName, MACAddress: mac.String(), InterfaceName: "default"}},
	}})

	lease := &v1alpha1.IPLease{ObjectMeta: w.meta(pool.Namespace, convert.LeaseName(pool.Name, address)), Spec: v1alpha1.IPLeaseSpec{
		PoolName: pool.Name, Address: address.String(), MACAddress: mac.String(), Origin: v1alpha1.OriginAllocated,
		Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: vm.Namespace, Name: vm.Name, UID: vm.UID, InterfaceName: "default"},
	}}
	w.store.Load(lease)
	w.leases = append(w.leases, lease)
}

// change writes a lease anew, as the watch brings it.
func (w *world) change(i int) {
	w.version++

	lease := w.leases[i%len(w.leases)].DeepCopy()
	lease.ResourceVersion = strconv.Itoa(w.version)
	lease.Annotations = map[string]string{v1alpha1.AnnotationComment: strconv.Itoa(w.version)}
	w.leases[i%len(w.leases)] = lease
	w.store.Put(lease)
}
