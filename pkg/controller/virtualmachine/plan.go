package virtualmachine

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/kube"
)

// observation is what the controller sees of one virtual machine.
type observation struct {
	vm *kubevirtv1.VirtualMachine
	// nics are its interfaces on Multus networks.
	nics []kube.NIC
	// managed tells whether at least one of their networks has a pool.
	managed bool
	// requests are all requests that name the virtual machine.
	requests []*v1alpha1.VirtualMachineNetworkConfig
	// blocker is a request of the virtual machine's name that names another
	// one; nil for none.
	blocker *v1alpha1.VirtualMachineNetworkConfig
}

// decision is what to do about one virtual machine; at most one of create and
// update is set.
type decision struct {
	create *v1alpha1.VirtualMachineNetworkConfig
	update *v1alpha1.VirtualMachineNetworkConfig
	// remove are requests of an earlier virtual machine of the same name.
	remove []*v1alpha1.VirtualMachineNetworkConfig
	// blocked says why the virtual machine has no request, or "".
	blocked string
}

// plan decides what becomes of the virtual machine's request. It changes
// nothing that it is given.
func plan(seen observation) decision {
	var (
		result     decision
		candidates []*v1alpha1.VirtualMachineNetworkConfig
	)

	for _, request := range seen.requests {
		switch owner := kube.VMOwner(request); {
		case owner == nil || owner.UID == seen.vm.UID:
			candidates = append(candidates, request)
		case request.DeletionTimestamp.IsZero():
			result.remove = append(result.remove, request)
		}
	}

	current := kube.Speaker(seen.vm.Name, candidates)

	// One of an earlier virtual machine under the name that ours will have must
	// be gone first; its end brings the virtual machine here again.
	named := slices.ContainsFunc(seen.requests, func(request *v1alpha1.VirtualMachineNetworkConfig) bool {
		return request.Name == seen.vm.Name
	})

	switch {
	case current == nil && seen.managed && seen.blocker != nil:
		result.blocked = fmt.Sprintf("VirtualMachineNetworkConfig %s/%s stands where the request of this virtual machine would be, "+
			"but its spec.vmName is %q, so the NICs get no address; delete it, and if %s needs it, create it again under another name",
			seen.blocker.Namespace, seen.blocker.Name, seen.blocker.Spec.VMName, seen.blocker.Spec.VMName)
	case current == nil && !named && seen.managed:
		result.create = newRequest(seen.vm, seen.nics)
	case current != nil && current.DeletionTimestamp.IsZero():
		result.update = updated(seen.vm, current, seen.nics)
	default:
	}

	return result
}

func newRequest(vm *kubevirtv1.VirtualMachine, nics []kube.NIC) *v1alpha1.VirtualMachineNetworkConfig {
	return &v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       vm.Namespace,
			Name:            vm.Name,
			Labels:          map[string]string{v1alpha1.LabelVMName: kube.LabelValue(vm.Name)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(vm)},
		},
		Spec: v1alpha1.VirtualMachineNetworkConfigSpec{
			VMName:         vm.Name,
			NetworkConfigs: merge(vm.Namespace, nics, nil),
		},
	}
}

// ownerReference lets Kubernetes remove the request with its virtual machine.
// It does not block the owner's deletion: our outage must not hold up a VM's end.
func ownerReference(vm *kubevirtv1.VirtualMachine) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: kubevirtv1.GroupVersion.String(),
		Kind:       kubevirtv1.VirtualMachineGroupVersionKind.Kind,
		Name:       vm.Name,
		UID:        vm.UID,
	}
}

// updated returns the request as it should be, or nil if it is so already.
func updated(vm *kubevirtv1.VirtualMachine, current *v1alpha1.VirtualMachineNetworkConfig, nics []kube.NIC) *v1alpha1.VirtualMachineNetworkConfig {
	wanted := current.DeepCopy()
	wanted.Spec.NetworkConfigs = merge(vm.Namespace, nics, convert.NetworkConfigs(current))
	wanted.Spec.NetworkConfig = nil

	if wanted.Labels == nil {
		wanted.Labels = map[string]string{}
	}

	wanted.Labels[v1alpha1.LabelVMName] = kube.LabelValue(vm.Name)

	if kube.VMOwner(wanted) == nil {
		wanted.OwnerReferences = append(wanted.OwnerReferences, ownerReference(vm))
	}

	if equality.Semantic.DeepEqual(current, wanted) {
		return nil
	}

	return wanted
}

// merge returns the request's entries for the NICs: first one a NIC in the
// order of the virtual machine's spec, then the entries that a user wrote and
// that match no NIC. What a user set stays: the wanted address of an entry is
// replaced only by the annotation, and dropped only when the NIC moves to
// another network, where it would mean something else.
func merge(namespace string, nics []kube.NIC, current []v1alpha1.NetworkConfig) []v1alpha1.NetworkConfig {
	rest := slices.Clone(current)
	merged := make([]v1alpha1.NetworkConfig, 0, len(nics))

	for _, n := range nics {
		entry := v1alpha1.NetworkConfig{InterfaceName: n.Name, NetworkName: n.Network, MACAddress: n.MAC}

		if at := match(n, rest); at >= 0 {
			old := rest[at]
			rest = slices.Delete(rest, at, at+1)

			if kube.NetworkKey(old.NetworkName, namespace) == n.Network {
				entry.IPAddress = old.IPAddress
			}
			// A NIC whose MAC address only its running instance knew keeps it
			// while it is stopped, and one spelling is not changed to another.
			if n.MAC == "" || sameMAC(n.MAC, old.MACAddress) {
				entry.MACAddress = old.MACAddress
			}
		}

		if n.Wanted != "" {
			wanted := n.Wanted
			entry.IPAddress = &wanted
		}

		merged = append(merged, entry)
	}

	for _, entry := range rest {
		if entry.InterfaceName == "" {
			merged = append(merged, entry)
		}
	}

	return merged
}

// match finds the entry of the NIC: by its name, else by its MAC address among
// the entries that a user wrote.
func match(n kube.NIC, entries []v1alpha1.NetworkConfig) int {
	at := slices.IndexFunc(entries, func(entry v1alpha1.NetworkConfig) bool { return entry.InterfaceName == n.Name })
	if at >= 0 {
		return at
	}

	return slices.IndexFunc(entries, func(entry v1alpha1.NetworkConfig) bool {
		return entry.InterfaceName == "" && n.MAC != "" && sameMAC(n.MAC, entry.MACAddress)
	})
}

// sameMAC compares two MAC addresses, however they are spelt.
func sameMAC(a, b string) bool {
	first, err := dhcp.ParseMAC(a)
	if err != nil {
		return a != "" && a == b
	}

	second, err := dhcp.ParseMAC(b)

	return err == nil && first == second
}
