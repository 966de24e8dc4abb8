package kube

import (
	"cmp"
	"slices"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
)

// Indexes of the shared caches. A network is keyed "namespace/name"; names that
// cannot be read are not indexed.
const (
	IndexPoolByNetwork    = "freehold/pool-by-network"
	IndexRequestByNetwork = "freehold/request-by-network"
	IndexRequestByVM      = "freehold/request-by-vm"
	IndexRequestByMAC     = "freehold/request-by-mac"
	IndexVMByNetwork      = "freehold/vm-by-network"
)

// RegisterIndexes adds the indexes to the caches. Call it once, before
// StartCaches.
func (c *Clients) RegisterIndexes() {
	c.Pools.Cache().AddIndexer(IndexPoolByNetwork, PoolNetworks)
	c.Requests.Cache().AddIndexer(IndexRequestByNetwork, RequestNetworks)
	c.Requests.Cache().AddIndexer(IndexRequestByVM, RequestVM)
	c.Requests.Cache().AddIndexer(IndexRequestByMAC, RequestMACs)
	c.VMs.Cache().AddIndexer(IndexVMByNetwork, VMNetworks)
}

// PoolNetworks is the index IndexPoolByNetwork. It returns no error.
func PoolNetworks(pool *v1alpha1.IPPool) ([]string, error) {
	return keys(NetworkKey(pool.Spec.NetworkName, pool.Namespace)), nil
}

// RequestNetworks is the index IndexRequestByNetwork. It returns no error.
func RequestNetworks(request *v1alpha1.VirtualMachineNetworkConfig) ([]string, error) {
	var networks []string
	for _, config := range convert.NetworkConfigs(request) {
		networks = append(networks, NetworkKey(config.NetworkName, request.Namespace))
	}

	return keys(networks...), nil
}

// RequestVM is the index IndexRequestByVM. It returns no error.
func RequestVM(request *v1alpha1.VirtualMachineNetworkConfig) ([]string, error) {
	return []string{request.Namespace + "/" + request.Spec.VMName}, nil
}

// RequestMACs is the index IndexRequestByMAC, whose keys are in lower case with
// colons. It returns no error.
func RequestMACs(request *v1alpha1.VirtualMachineNetworkConfig) ([]string, error) {
	var macs []string

	for _, config := range convert.NetworkConfigs(request) {
		if mac, err := convert.MAC(config.MACAddress); err == nil && !mac.IsZero() {
			macs = append(macs, mac.String())
		}
	}

	return keys(macs...), nil
}

// VMNetworks is the index IndexVMByNetwork. It returns no error.
func VMNetworks(vm *kubevirtv1.VirtualMachine) ([]string, error) {
	if vm.Spec.Template == nil {
		return nil, nil
	}

	var networks []string

	for _, network := range vm.Spec.Template.Spec.Networks {
		if network.Multus != nil {
			networks = append(networks, NetworkKey(network.Multus.NetworkName, vm.Namespace))
		}
	}

	return keys(networks...), nil
}

// NetworkKey returns the network as "namespace/name", with the given namespace
// when the name has none, or "" when the name cannot be read.
func NetworkKey(name, namespace string) string {
	namespace, name, err := convert.NetworkRef(name, namespace)
	if err != nil {
		return ""
	}

	return namespace + "/" + name
}

// keys drops what could not be read and repetitions.
func keys(values ...string) []string {
	slices.Sort(values)

	return slices.DeleteFunc(slices.Compact(values), func(value string) bool { return value == "" })
}

// PoolFinder finds pools by an index; the cache of IPPools is one.
type PoolFinder interface {
	GetByIndex(indexName, key string) ([]*v1alpha1.IPPool, error)
}

// PoolsOf returns the pools of the network, the one that serves it first: that
// is the oldest, so that a second pool never takes a network over.
func PoolsOf(pools PoolFinder, network string) ([]*v1alpha1.IPPool, error) {
	found, err := pools.GetByIndex(IndexPoolByNetwork, network)
	if err != nil {
		return nil, err // An index that was not registered; the message names it.
	}

	found = slices.DeleteFunc(slices.Clone(found), func(pool *v1alpha1.IPPool) bool {
		return !pool.DeletionTimestamp.IsZero()
	})
	slices.SortFunc(found, func(a, b *v1alpha1.IPPool) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}

		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})

	return found, nil
}

// PoolOf returns the pool that serves the network, or nil.
func PoolOf(pools PoolFinder, network string) (*v1alpha1.IPPool, error) {
	found, err := PoolsOf(pools, network)
	if err != nil || len(found) == 0 {
		return nil, err
	}

	return found[0], nil
}
