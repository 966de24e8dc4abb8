package guest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func field(t *testing.T, vm *unstructured.Unstructured, path string) any {
	t.Helper()
	v, ok, err := unstructured.NestedFieldNoCopy(vm.Object, strings.Split(path, ".")...)
	if err != nil || !ok {
		t.Fatalf("field %s: found %v, error %v", path, ok, err)
	}
	return v
}

func TestVM(t *testing.T) {
	t.Parallel()
	vm, err := VM(VMSpec{
		Namespace: "tenant", Name: "web", Node: "node2", Annotations: map[string]string{"a": "b"},
		NICs: []VMNIC{{Network: "net-817"}, {Name: "back", Network: "default/net-48", MAC: "02:00:00:00:48:01"}, {Network: "net-1", Absent: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const spec = "spec.template.spec."
	want := map[string]any{
		"spec.runStrategy": "Always",
		spec + "networks": []any{
			map[string]any{"name": "nic-0", "multus": map[string]any{"networkName": "net-817"}},
			map[string]any{"name": "back", "multus": map[string]any{"networkName": "default/net-48"}},
			map[string]any{"name": "nic-2", "multus": map[string]any{"networkName": "net-1"}},
		},
		spec + "domain.devices.interfaces": []any{
			map[string]any{"name": "nic-0", "bridge": map[string]any{}, "model": "virtio"},
			map[string]any{"name": "back", "bridge": map[string]any{}, "model": "virtio", "macAddress": "02:00:00:00:48:01"},
			map[string]any{"name": "nic-2", "bridge": map[string]any{}, "model": "virtio", "state": "absent"},
		},
		spec + "nodeSelector":                     map[string]any{"kubernetes.io/hostname": "node2"},
		spec + "domain.resources.requests.memory": "128Mi",
	}
	for path, w := range want {
		if diff := cmp.Diff(w, field(t, vm, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	vm.DeepCopy() // panics on what is not JSON
}

// The pod of a light guest's virtual machine goes to no node, whatever else is
// asked for.
func TestLightVMIsForNoNode(t *testing.T) {
	t.Parallel()
	vm, err := VM(VMSpec{Namespace: "tenant", Name: "web", Node: "node2", Light: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kubernetes.io/hostname": "node2", "lab.freehold.net/light-guests": "true"}
	if diff := cmp.Diff(want, field(t, vm, "spec.template.spec.nodeSelector")); diff != "" {
		t.Errorf("node selector (-want +got):\n%s", diff)
	}
}

func TestVMRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec VMSpec
		want string
	}{
		"no name":       {VMSpec{Namespace: "a"}, `name ""`},
		"no network":    {VMSpec{Namespace: "a", Name: "b", NICs: []VMNIC{{}}}, `NIC nic-0: network ""`},
		"odd network":   {VMSpec{Namespace: "a", Name: "b", NICs: []VMNIC{{Network: "a/b/c"}}}, `"a/b/c"`},
		"bad MAC":       {VMSpec{Namespace: "a", Name: "b", NICs: []VMNIC{{Network: "n", MAC: "02:00"}}}, `MAC "02:00"`},
		"EUI-64":        {VMSpec{Namespace: "a", Name: "b", NICs: []VMNIC{{Network: "n", MAC: "02:00:00:00:00:00:00:01"}}}, "six octets"},
		"name repeated": {VMSpec{Namespace: "a", Name: "b", NICs: []VMNIC{{Network: "n"}, {Name: "nic-0", Network: "n"}}}, "two of that name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := VM(tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
