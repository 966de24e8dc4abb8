package virtualmachine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

func vmUID(text string) types.UID { return types.UID(text) }

// entry is one of a request: interface, network, MAC address, wanted address.
func entry(name, network, mac, wanted string) v1alpha1.NetworkConfig {
	config := v1alpha1.NetworkConfig{InterfaceName: name, NetworkName: network, MACAddress: mac}
	if wanted != "" {
		config.IPAddress = &wanted
	}

	return config
}

func TestMerge(t *testing.T) {
	t.Parallel()

	type entries = []v1alpha1.NetworkConfig

	tests := []struct {
		name    string
		nics    []kube.NIC
		current entries
		want    entries
	}{
		{"new", []kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}}, nil, entries{entry("eth0", "vms/net", macA, "")}},
		{
			"what the user wants stays",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
			entries{entry("eth0", "vms/net", macA, "10.0.0.9")},
			entries{entry("eth0", "vms/net", macA, "10.0.0.9")},
		},
		{
			"the annotation sets it",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA, Wanted: "10.0.0.8"}},
			entries{entry("eth0", "vms/net", macA, "10.0.0.9")},
			entries{entry("eth0", "vms/net", macA, "10.0.0.8")},
		},
		{
			"on another network it means nothing",
			[]kube.NIC{{Name: "eth0", Network: "vms/new", MAC: macA}},
			entries{entry("eth0", "vms/net", macA, "10.0.0.9")},
			entries{entry("eth0", "vms/new", macA, "")},
		},
		{
			"a network in another spelling is the same",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
			entries{entry("eth0", "net", macA, "10.0.0.9")},
			entries{entry("eth0", "vms/net", macA, "10.0.0.9")},
		},
		{
			"a user's entry for the NIC's MAC address becomes the NIC's",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
			entries{entry("", "vms/net", "52-54-00-00-00-0A", "10.0.0.9")},
			entries{entry("eth0", "vms/net", "52-54-00-00-00-0A", "10.0.0.9")},
		},
		{
			"a user's entry for no NIC stays, behind the NICs",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
			entries{entry("", "vms/net", macC, "10.0.0.9"), entry("eth0", "vms/net", macA, "")},
			entries{entry("eth0", "vms/net", macA, ""), entry("", "vms/net", macC, "10.0.0.9")},
		},
		{
			"a removed NIC goes",
			[]kube.NIC{{Name: "eth1", Network: "vms/net", MAC: macB}},
			entries{entry("eth0", "vms/net", macA, ""), entry("eth1", "vms/net", macB, "")},
			entries{entry("eth1", "vms/net", macB, "")},
		},
		{
			"a stopped machine keeps the MAC address that its instance had",
			[]kube.NIC{{Name: "eth0", Network: "vms/net"}},
			entries{entry("eth0", "vms/net", macA, "")},
			entries{entry("eth0", "vms/net", macA, "")},
		},
		{
			"another MAC address",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macB}},
			entries{entry("eth0", "vms/net", macA, "10.0.0.9")},
			entries{entry("eth0", "vms/net", macB, "10.0.0.9")},
		},
		{
			"one spelling is not changed to another",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}},
			entries{entry("eth0", "vms/net", "52:54:00:00:00:0A", "")},
			entries{entry("eth0", "vms/net", "52:54:00:00:00:0A", "")},
		},
		{
			"the virtual machine's order",
			[]kube.NIC{{Name: "z", Network: "vms/net", MAC: macA}, {Name: "a", Network: "vms/net", MAC: macB}},
			entries{entry("a", "vms/net", macB, ""), entry("z", "vms/net", macA, "")},
			entries{entry("z", "vms/net", macA, ""), entry("a", "vms/net", macB, "")},
		},
		{
			"the name counts before the MAC address",
			[]kube.NIC{{Name: "eth0", Network: "vms/net", MAC: macA}, {Name: "eth1", Network: "vms/net", MAC: macB}},
			entries{entry("", "vms/net", macA, "10.0.0.3"), entry("eth0", "vms/net", macA, "10.0.0.2")},
			entries{entry("eth0", "vms/net", macA, "10.0.0.2"), entry("eth1", "vms/net", macB, ""), entry("", "vms/net", macA, "10.0.0.3")},
		},
		{"no NIC and nothing of a user's", nil, entries{entry("eth0", "vms/net", macA, "")}, entries{}},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			before := append(entries(nil), tc.current...)
			got := merge("vms", tc.nics, tc.current)

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}

			if diff := cmp.Diff(got, merge("vms", tc.nics, got)); diff != "" {
				t.Errorf("a second pass changes it again:\n%s", diff)
			}

			if diff := cmp.Diff(before, append(entries(nil), tc.current...)); diff != "" {
				t.Errorf("the current entries were changed:\n%s", diff)
			}
		})
	}
}

// request returns a request of that name for the virtual machine, owned by the
// one of that UID, or by none for "".
func request(name, owner string, age int64) *v1alpha1.VirtualMachineNetworkConfig {
	made := &v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "vms", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.Unix(1000-age, 0),
		},
		Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "vm"},
	}
	if owner != "" {
		made.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: kubevirtv1.GroupVersion.String(), Kind: "VirtualMachine", Name: "vm", UID: types.UID(owner),
		}}
	}

	return made
}

func ending(made *v1alpha1.VirtualMachineNetworkConfig) *v1alpha1.VirtualMachineNetworkConfig {
	made.DeletionTimestamp = &metav1.Time{}
	made.DeletionTimestamp.Time = made.CreationTimestamp.Add(1)

	return made
}

func TestPlan(t *testing.T) {
	t.Parallel()

	type requests = []*v1alpha1.VirtualMachineNetworkConfig

	tests := []struct {
		name                   string
		managed                bool
		requests               requests
		create, update, remove string
	}{
		{name: "nothing is managed: nothing is made"},
		{name: "a pool serves one of its networks", managed: true, create: "vm"},
		{name: "its request is brought up to date", managed: true, requests: requests{request("vm", "vm-uid", 1)}, update: "vm"},
		{name: "also when nothing is managed any more", requests: requests{request("vm", "vm-uid", 1)}, update: "vm"},
		{
			name: "the request of an earlier one goes first", managed: true,
			requests: requests{request("vm", "earlier", 1)}, remove: "vm",
		},
		{
			name: "and is not deleted twice", managed: true,
			requests: requests{ending(request("vm", "earlier", 1))},
		},
		{
			name: "one of another name is not in the way", managed: true,
			requests: requests{request("mine", "earlier", 1)}, create: "vm", remove: "mine",
		},
		{name: "one made by hand is taken up", managed: true, requests: requests{request("mine", "", 1)}, update: "mine"},
		{
			name: "its own before one made by hand", managed: true,
			requests: requests{request("mine", "", 9), request("vm", "vm-uid", 1)}, update: "vm",
		},
		{
			name: "of two made by hand that of its name", managed: true,
			requests: requests{request("mine", "", 9), request("vm", "", 1)}, update: "vm",
		},
		{
			name: "of two others the older one", managed: true,
			requests: requests{request("new", "", 1), request("old", "", 9)}, update: "old",
		},
		{name: "one that is being deleted is waited for", managed: true, requests: requests{ending(request("vm", "vm-uid", 1))}},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			vm := machine(nil, device{"eth0", "vms/net", macA, ""})
			nics, _ := kube.NICsOf(vm, nil)
			do := plan(observation{vm: vm, nics: nics, managed: tc.managed, requests: tc.requests})

			var removed strings.Builder
			for _, gone := range do.remove {
				removed.WriteString(gone.Name)
			}

			if got, want := []string{nameOf(do.create), nameOf(do.update), removed.String()}, []string{tc.create, tc.update, tc.remove}; cmp.Diff(want, got) != "" {
				t.Fatalf("create, update, remove are %q, want %q", got, want)
			}

			for _, made := range []*v1alpha1.VirtualMachineNetworkConfig{do.create, do.update} {
				if made == nil {
					continue
				}

				if owner := made.OwnerReferences[0]; owner.UID != "vm-uid" || owner.BlockOwnerDeletion != nil {
					t.Errorf("owner is %+v", owner)
				}

				if diff := cmp.Diff([]v1alpha1.NetworkConfig{entry("eth0", "vms/net", macA, "")}, made.Spec.NetworkConfigs); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func nameOf(made *v1alpha1.VirtualMachineNetworkConfig) string {
	if made == nil {
		return ""
	}

	return made.Name
}

// TestUnchangedMachineIsNotWritten: a hundred passes over a virtual machine with
// three NICs, read from annotation, spec and instance, change nothing.
func TestUnchangedMachineIsNotWritten(t *testing.T) {
	t.Parallel()

	vm := machine(map[string]string{
		v1alpha1.AnnotationMACAddress:              `{"a":"` + macA + `","b":"` + macB + `","c":"` + macC + `"}`,
		v1alpha1.AnnotationStaticIPPrefix + "b":    "10.0.0.7",
		v1alpha1.AnnotationStaticIPPrefix + "none": "10.0.0.8",
	}, device{"c", "net", "", ""}, device{"a", "vms/other", macA, ""}, device{"b", "net", "", ""})
	vmi := instance("vm-uid", map[string]string{"a": macA, "b": macB, "c": macC}, map[string]string{"c": macC})

	nics, _ := kube.NICsOf(vm, vmi)
	made := plan(observation{vm: vm, nics: nics, managed: true}).create
	made.UID = "uid"

	for pass := range 100 {
		nics, _ := kube.NICsOf(vm, vmi)

		do := plan(observation{vm: vm, nics: nics, managed: true, requests: []*v1alpha1.VirtualMachineNetworkConfig{made}})
		if do.create != nil || do.update != nil || len(do.remove) > 0 {
			t.Fatalf("pass %d writes %+v", pass, do)
		}
	}
}

// TestOldSpellingIsMoved: entries under networkConfig go to networkConfigs, and
// the cached request stays as it was.
func TestOldSpellingIsMoved(t *testing.T) {
	t.Parallel()

	old := request("vm", "vm-uid", 1)
	old.Spec.NetworkConfig = []v1alpha1.NetworkConfig{entry("", "net", macA, "10.0.0.9")}
	before := old.DeepCopy()

	vm := machine(nil, device{"eth0", "vms/net", macA, ""})
	nics, _ := kube.NICsOf(vm, nil)
	do := plan(observation{vm: vm, nics: nics, requests: []*v1alpha1.VirtualMachineNetworkConfig{old}})

	want := v1alpha1.VirtualMachineNetworkConfigSpec{
		VMName: "vm", NetworkConfigs: []v1alpha1.NetworkConfig{entry("eth0", "vms/net", macA, "10.0.0.9")},
	}
	if do.update == nil || cmp.Diff(want, do.update.Spec) != "" {
		t.Errorf("update is %+v", do.update)
	}

	if diff := cmp.Diff(before, old); diff != "" {
		t.Errorf("the cached request was changed:\n%s", diff)
	}
}
