package guest

import (
	"fmt"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// VMSpec describes a virtual machine that runs the guest.
type VMSpec struct {
	Namespace   string
	Name        string
	NICs        []VMNIC
	Labels      map[string]string // of the VirtualMachine
	Annotations map[string]string // of the VirtualMachine
	Node        string            // host name of the node it must run on; empty means any
	Memory      string            // Kubernetes quantity; empty means 128Mi
	Halted      bool              // created, not started
	Light       bool              // a light guest plays it: see Instances
}

// VMNIC is a bridge-bound NIC of a virtual machine.
type VMNIC struct {
	Name    string // of the interface and network; empty means nic-0, nic-1 and so on
	Network string // NetworkAttachmentDefinition, NAME or NAMESPACE/NAME
	MAC     string // empty leaves it to KubeVirt, which writes it in the VMI only
	Absent  bool   // plugged out: state absent
}

// VM returns the VirtualMachine, or an error that names the field at fault. The
// guest stops at once when it is told to: it has nothing to write to a disk.
func VM(spec VMSpec) (*unstructured.Unstructured, error) {
	if spec.Namespace == "" || spec.Name == "" {
		return nil, fmt.Errorf("virtual machine: namespace %q and name %q: give both", spec.Namespace, spec.Name)
	}
	interfaces, networks, err := nics(spec)
	if err != nil {
		return nil, err
	}
	memory := spec.Memory
	if memory == "" {
		memory = "128Mi"
	}
	podSpec := map[string]any{
		"terminationGracePeriodSeconds": int64(0),
		"networks":                      networks,
		"domain": map[string]any{
			"firmware": map[string]any{"kernelBoot": map[string]any{
				"kernelArgs": "console=ttyS0 quiet guest.hostname=" + spec.Name,
				"container": map[string]any{
					"image": ImageName, "imagePullPolicy": "IfNotPresent",
					"kernelPath": KernelPath, "initrdPath": InitrdPath,
				},
			}},
			"resources": map[string]any{"requests": map[string]any{"memory": memory, "cpu": "50m"}},
			"devices": map[string]any{
				"autoattachGraphicsDevice": false, "autoattachMemBalloon": false,
				"autoattachPodInterface": false, "interfaces": interfaces,
			},
		},
	}
	selector := map[string]any{}
	if spec.Node != "" {
		selector["kubernetes.io/hostname"] = spec.Node
	}
	if spec.Light {
		selector[lightLabel] = "true"
	}
	if len(selector) > 0 {
		podSpec["nodeSelector"] = selector
	}
	strategy := "Always"
	if spec.Halted {
		strategy = "Halted"
	}
	vm := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
		"spec": map[string]any{
			"runStrategy": strategy,
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"lab.freehold.net/vm": spec.Name}},
				"spec":     podSpec,
			},
		},
	}}
	vm.SetNamespace(spec.Namespace)
	vm.SetName(spec.Name)
	vm.SetLabels(spec.Labels)
	vm.SetAnnotations(spec.Annotations)
	return vm, nil
}

func nics(spec VMSpec) (interfaces, networks []any, err error) {
	names := map[string]bool{}
	for i, n := range spec.NICs {
		if n.Name == "" {
			n.Name = fmt.Sprintf("nic-%d", i)
		}
		where := fmt.Sprintf("virtual machine %s/%s: NIC %s", spec.Namespace, spec.Name, n.Name)
		if names[n.Name] {
			return nil, nil, fmt.Errorf("%s: there are two of that name", where)
		}
		names[n.Name] = true
		if n.Network == "" || strings.Count(n.Network, "/") > 1 {
			return nil, nil, fmt.Errorf("%s: network %q: want NAME or NAMESPACE/NAME", where, n.Network)
		}
		iface := map[string]any{"name": n.Name, "bridge": map[string]any{}, "model": "virtio"}
		if n.MAC != "" {
			if hw, err := net.ParseMAC(n.MAC); err != nil || len(hw) != 6 {
				return nil, nil, fmt.Errorf("%s: MAC %q: want six octets such as 02:00:00:00:08:17", where, n.MAC)
			}
			iface["macAddress"] = n.MAC
		}
		if n.Absent {
			iface["state"] = "absent"
		}
		interfaces = append(interfaces, iface)
		networks = append(networks, map[string]any{"name": n.Name, "multus": map[string]any{"networkName": n.Network}})
	}
	return interfaces, networks, nil
}
