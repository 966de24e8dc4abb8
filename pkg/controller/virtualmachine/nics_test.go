package virtualmachine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

// device is one interface of a virtual machine as tests write it: its name, its
// network ("" for none, "pod" for the pod network), its MAC address.
type device struct{ name, network, mac, state string }

func machine(annotations map[string]string, devices ...device) *kubevirtv1.VirtualMachine {
	vm := &kubevirtv1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "vm", UID: "vm-uid", Annotations: annotations},
		Spec:       kubevirtv1.VirtualMachineSpec{Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}},
	}

	for _, one := range devices {
		spec := &vm.Spec.Template.Spec
		spec.Domain.Devices.Interfaces = append(spec.Domain.Devices.Interfaces, kubevirtv1.Interface{
			Name: one.name, MacAddress: one.mac, State: kubevirtv1.InterfaceState(one.state),
		})

		switch one.network {
		case "":
		case "pod":
			spec.Networks = append(spec.Networks, kubevirtv1.Network{
				Name: one.name, NetworkSource: kubevirtv1.NetworkSource{Pod: &kubevirtv1.PodNetwork{}},
			})
		default:
			spec.Networks = append(spec.Networks, kubevirtv1.Network{
				Name: one.name, NetworkSource: kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: one.network}},
			})
		}
	}

	return vm
}

// instance is the running instance of the virtual machine with that UID.
func instance(owner string, spec, status map[string]string) *kubevirtv1.VirtualMachineInstance {
	vmi := &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{
		Namespace: "vms", Name: "vm", OwnerReferences: []metav1.OwnerReference{{UID: "other"}, {UID: vmUID(owner)}},
	}}
	for name, mac := range spec {
		vmi.Spec.Domain.Devices.Interfaces = append(vmi.Spec.Domain.Devices.Interfaces, kubevirtv1.Interface{Name: name, MacAddress: mac})
	}

	for name, mac := range status {
		vmi.Status.Interfaces = append(vmi.Status.Interfaces, kubevirtv1.VirtualMachineInstanceNetworkInterface{Name: name, MAC: mac})
	}

	return vmi
}

const (
	macA = "52:54:00:00:00:0a"
	macB = "52:54:00:00:00:0b"
	macC = "52:54:00:00:00:0c"
)

func annotated(text string) map[string]string {
	return map[string]string{v1alpha1.AnnotationMACAddress: text}
}

func TestNICs(t *testing.T) {
	t.Parallel()

	both := map[string]string{"eth0": macB}
	tests := []struct {
		name string
		vm   *kubevirtv1.VirtualMachine
		vmi  *kubevirtv1.VirtualMachineInstance
		want []kube.NIC
		// problem is part of the only problem; "" for none.
		problem string
	}{
		{
			name: "MAC address in the spec", vm: machine(nil, device{"eth0", "vms/net", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
		},
		{
			name: "MAC address in the annotation", vm: machine(annotated(`{"eth0":"52-54-00-00-00-0B"}`), device{"eth0", "vms/net", "", ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macB}},
		},
		{
			name: "in both: the spec counts", vm: machine(annotated(`{"eth0":"`+macB+`"}`), device{"eth0", "vms/net", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
		},
		{
			name: "an annotation that is no JSON is told and the rest stands",
			vm:   machine(annotated(`{"eth0":`), device{"eth0", "vms/net", macA, ""}, device{"eth1", "vms/net", "", ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}, {Name: "eth1", Network: "vms/net"}}, problem: "is not a JSON object",
		},
		{
			name: "one bad MAC address of the annotation does not hide the others",
			vm:   machine(annotated(`{"eth0":"x","eth1":"`+macB+`"}`), device{"eth0", "vms/net", "", ""}, device{"eth1", "vms/net", "", ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net"}, {Name: "eth1", Network: "vms/net", MAC: macB}}, problem: `interface "eth0"`,
		},
		{
			name: "MAC address in the instance's spec", vm: machine(nil, device{"eth0", "vms/net", "", ""}),
			vmi: instance("vm-uid", both, nil), want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macB}},
		},
		{
			name: "MAC address in the instance's status", vm: machine(nil, device{"eth0", "vms/net", "", ""}),
			vmi: instance("vm-uid", nil, both), want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macB}},
		},
		{
			name: "in both: the instance's spec counts", vm: machine(nil, device{"eth0", "vms/net", "", ""}),
			vmi: instance("vm-uid", map[string]string{"eth0": macC}, both), want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macC}},
		},
		{
			name: "the annotation counts before the instance", vm: machine(annotated(`{"eth0":"`+macA+`"}`), device{"eth0", "vms/net", "", ""}),
			vmi: instance("vm-uid", both, both), want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
		},
		{
			name: "the instance of an earlier virtual machine tells nothing", vm: machine(nil, device{"eth0", "vms/net", "", ""}),
			vmi: instance("earlier", both, both), want: []kube.NIC{{Name: "eth0", Network: "vms/net"}},
		},
		{
			name: "state absent is a removed NIC", vm: machine(nil, device{"eth0", "vms/net", macA, "absent"}, device{"eth1", "vms/net", macB, "up"}),
			want: []kube.NIC{{Name: "eth1", Network: "vms/net", MAC: macB}},
		},
		{
			name: "a network without a namespace is in the virtual machine's", vm: machine(nil, device{"eth0", "net", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
		},
		{
			name: "a network of another namespace", vm: machine(nil, device{"eth0", "default/net", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "default/net", MAC: macA}},
		},
		{name: "the pod network is none of ours", vm: machine(nil, device{"default", "pod", macA, ""})},
		{name: "an interface without a network is none", vm: machine(nil, device{"eth0", "", macA, ""})},
		{
			name: "of two interfaces of one name the first counts",
			vm:   machine(nil, device{"eth0", "vms/net", macA, ""}, device{"eth0", "vms/net", macB, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
		},
		{
			name: "order is that of the interfaces",
			vm:   machine(nil, device{"z", "c", macA, ""}, device{"a", "b", macB, ""}, device{"m", "a", macC, ""}),
			want: []kube.NIC{{Name: "z", Network: "vms/c", MAC: macA}, {Name: "a", Network: "vms/b", MAC: macB}, {Name: "m", Network: "vms/a", MAC: macC}},
		},
		{
			name: "a wanted address is passed on as it is written",
			vm:   machine(map[string]string{v1alpha1.AnnotationStaticIPPrefix + "eth0": "ten"}, device{"eth0", "net", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA, Wanted: "ten"}},
		},
		{
			name: "one that no address is as long as would spoil the whole request",
			vm: machine(map[string]string{v1alpha1.AnnotationStaticIPPrefix + "eth0": strings.Repeat("1", 46)},
				device{"eth0", "net", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}}, problem: "static-ip.harvesterhci.io/eth0",
		},
		{
			name: "a network name that is none", vm: machine(nil, device{"eth0", "a/b/c", macA, ""}),
			want: []kube.NIC{{Name: "eth0", Network: "a/b/c", MAC: macA}}, problem: `networks[eth0].multus.networkName "a/b/c" is not a network`,
		},
		{name: "a virtual machine without a template", vm: &kubevirtv1.VirtualMachine{}},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			vm, vmi := tc.vm.DeepCopy(), tc.vmi.DeepCopy()
			got, problems := kube.NICsOf(tc.vm, tc.vmi)

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("NICs (-want +got):\n%s", diff)
			}

			if (tc.problem == "") != (len(problems) == 0) || !strings.Contains(strings.Join(problems, "; "), tc.problem) {
				t.Errorf("problems are %q, want %q", problems, tc.problem)
			}

			if diff := cmp.Diff(vm, tc.vm) + cmp.Diff(vmi, tc.vmi); diff != "" {
				t.Errorf("what was given was changed:\n%s", diff)
			}
		})
	}
}
