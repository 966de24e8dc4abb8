package kube

import (
	"fmt"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// maxWanted is the length of the longest address. The schema of requests allows
// no more, and one slip must not keep the other NICs from their addresses.
// Shorter mistakes are told on the NIC.
const maxWanted = 45

// NIC is one interface of a virtual machine that is on a Multus network.
type NIC struct {
	// Name is the interface's name in the virtual machine's spec.
	Name string
	// Network is the NetworkAttachmentDefinition as "namespace/name".
	Network string
	// MAC is the MAC address as it was written, or "" if nobody knows it yet.
	MAC string
	// Wanted is the address that the static-ip annotation asks for, or "".
	Wanted string
}

// NICsOf returns the NICs of the virtual machine in the order of its spec, and
// what in its annotations could not be read, in plain words.
//
// The MAC address is taken from the interface; else from the annotation that
// Harvester writes after the first boot; else from the running instance, if
// there is one (harvester/harvester#9212). An interface whose state is absent
// is a NIC that was removed (harvester/harvester#7042). Interfaces without a
// network and networks without an interface are none.
func NICsOf(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) (nics []NIC, problems []string) {
	if vm.Spec.Template == nil {
		return nil, nil
	}

	networks := map[string]string{}

	for _, network := range vm.Spec.Template.Spec.Networks {
		if network.Multus != nil {
			networks[network.Name] = network.Multus.NetworkName
		}
	}

	annotated, err := convert.MACAnnotation(vm.Annotations[v1alpha1.AnnotationMACAddress])
	if err != nil {
		problems = append(problems, err.Error())
	}

	running := runningMACs(vm, vmi)
	seen := map[string]bool{}

	for _, device := range vm.Spec.Template.Spec.Domain.Devices.Interfaces {
		network, onMultus := networks[device.Name]
		if !onMultus || seen[device.Name] || device.State == kubevirtv1.InterfaceStateAbsent {
			continue
		}

		seen[device.Name] = true

		key := NetworkKey(network, vm.Namespace)
		if key == "" {
			problems = append(problems, fmt.Sprintf(
				"spec.template.spec.networks[%s].multus.networkName %q is not a network; write it as namespace/name or name", device.Name, network))

			// The entry is kept as it is written, so that a slip of the pen
			// does not look like a NIC that was removed.
			key = network
		}

		wanted := vm.Annotations[v1alpha1.AnnotationStaticIPPrefix+device.Name]
		if len(wanted) > maxWanted {
			problems = append(problems, fmt.Sprintf("annotation %s%s is %q, which is no IP address; write one such as 192.168.48.10",
				v1alpha1.AnnotationStaticIPPrefix, device.Name, wanted))
			wanted = ""
		}

		nics = append(nics, NIC{
			Name:    device.Name,
			Network: key,
			MAC:     firstSet(device.MacAddress, spell(annotated[device.Name]), running[device.Name]),
			Wanted:  wanted,
		})
	}

	return nics, problems
}

// runningMACs returns the MAC addresses of the virtual machine's own instance,
// as its spec or else its status has them.
func runningMACs(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) map[string]string {
	if vmi == nil || !ownedBy(vmi, vm) {
		return nil
	}

	macs := map[string]string{}

	for _, reported := range vmi.Status.Interfaces {
		if reported.Name != "" && reported.MAC != "" {
			macs[reported.Name] = reported.MAC
		}
	}

	for _, device := range vmi.Spec.Domain.Devices.Interfaces {
		if device.MacAddress != "" {
			macs[device.Name] = device.MacAddress
		}
	}

	return macs
}

// ownedBy tells whether the instance belongs to this very virtual machine and
// not to an earlier one of the same name.
func ownedBy(vmi *kubevirtv1.VirtualMachineInstance, vm *kubevirtv1.VirtualMachine) bool {
	for _, owner := range vmi.OwnerReferences {
		if owner.UID == vm.UID {
			return true
		}
	}

	return false
}

// spell writes a MAC address, or nothing for none.
func spell(mac dhcp.MAC) string {
	if mac.IsZero() {
		return ""
	}

	return mac.String()
}

func firstSet(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}

	return ""
}
