package ippool

import (
	"context"
	"net/netip"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

func networks(of ...*nadv1.NetworkAttachmentDefinition) Networks {
	return apitest.CacheOf(nil, of...)
}

func requests(of ...*v1alpha1.VirtualMachineNetworkConfig) Requests {
	return apitest.CacheOf(map[string]func(*v1alpha1.VirtualMachineNetworkConfig) ([]string, error){
		kube.IndexRequestByNetwork: kube.RequestNetworks,
	}, of...)
}

type namespaces struct {
	terminating bool
	err         error
}

func (n namespaces) Terminating(context.Context, string) (bool, error) { return n.terminating, n.err }

// world is an empty cluster with a VLAN, an overlay and a trunk network.
func world() World {
	network := func(name, kind, config string) *nadv1.NetworkAttachmentDefinition {
		found := &nadv1.NetworkAttachmentDefinition{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: config},
		}
		if kind != "" {
			found.Labels = map[string]string{"network.harvesterhci.io/type": kind}
		}

		return found
	}

	return World{
		Networks: networks(
			network("net-48", "L2VlanNetwork", `{"type":"bridge","vlan":48}`),
			network("overlay", "OverlayNetwork", `{"type":"kube-ovn"}`),
			network("trunk", "L2VlanTrunkNetwork", `{"type":"bridge"}`),
			network("ipam", "L2VlanNetwork", `{"type":"bridge","vlan":48,"ipam":{"type":"whereabouts"}}`),
			network("macvlan", "", `{"type":"macvlan"}`),
			network("not-configured", "", ``),
		),
		Pools:      apitest.Pools(),
		Requests:   requests(),
		Leases:     ledger.New(),
		Namespaces: namespaces{},
	}
}

// pool is the pool of vm-dhcp-controller's own example, changed by edits.
func pool(edits ...func(*v1alpha1.IPPool)) *v1alpha1.IPPool {
	made := &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net-48"},
		Spec: v1alpha1.IPPoolSpec{
			NetworkName: "default/net-48",
			IPv4Config: v1alpha1.IPv4Config{
				ServerIP: "192.168.48.77",
				CIDR:     "192.168.48.0/24",
				Pool: v1alpha1.Pool{
					Start: "192.168.48.81", End: "192.168.48.90", Exclude: []string{"192.168.48.81", "192.168.48.90"},
				},
				Router: "192.168.48.1",
			},
		},
	}

	for _, edit := range edits {
		edit(made)
	}

	return made
}

func edit(change func(*v1alpha1.IPv4Config)) func(*v1alpha1.IPPool) {
	return func(pool *v1alpha1.IPPool) { change(&pool.Spec.IPv4Config) }
}

// lease is a lease of the pool default/net-48.
func lease(address, vm string) *v1alpha1.IPLease {
	made := &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "net-48." + address, UID: types.UID("lease-" + address), ResourceVersion: "1",
		},
		Spec: v1alpha1.IPLeaseSpec{PoolName: "net-48", Address: address},
	}

	if vm != "" {
		made.Spec.Owner = &v1alpha1.LeaseOwner{
			Kind: v1alpha1.OwnerVirtualMachine, Namespace: "default", Name: vm, UID: types.UID("uid-" + vm), InterfaceName: "nic-1",
		}
	}

	return made
}

func holding(leases ...*v1alpha1.IPLease) *ledger.Ledger {
	filled := ledger.New()
	for _, lease := range leases {
		filled.Put(lease)
	}

	return filled
}

func request(namespace, name, network string) *v1alpha1.VirtualMachineNetworkConfig {
	return &v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.VirtualMachineNetworkConfigSpec{
			VMName: name, NetworkConfigs: []v1alpha1.NetworkConfig{{NetworkName: network}},
		},
	}
}

func validate(t *testing.T, w World, object, old *v1alpha1.IPPool) review.Verdict {
	t.Helper()

	question := review.Request[v1alpha1.IPPool]{Namespace: "default", Name: "net-48", Object: object, Old: old}

	switch {
	case object == nil:
		question.Operation = admissionv1.Delete
	case old == nil:
		question.Operation = admissionv1.Create
	default:
		question.Operation = admissionv1.Update
	}

	before, wasOld := object.DeepCopy(), old.DeepCopy()

	verdict, err := w.Validate(t.Context(), question)
	if err != nil {
		t.Fatalf("Validate: %v", err)
	}

	unchanged(t, before, object)
	unchanged(t, wasOld, old)

	return verdict
}

func prefixes(texts ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range texts {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}

	return parsed
}
