package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// world is a namespace with networks, virtual machines and what becomes of them.
type world struct {
	*server
	t         *testing.T
	namespace string
}

// newWorld makes a namespace. It ends with the API server.
func (s *server) newWorld(t *testing.T) *world {
	t.Helper()

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "world-"}}
	if err := s.client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}

	return &world{server: s, t: t, namespace: namespace.Name}
}

// create creates an object in the world's namespace. While no webhook answers
// it is tried again, as a person would.
func (w *world) create(object client.Object) {
	w.t.Helper()
	w.persist(func() error { return w.tryCreate(object) })
}

// persist does it until a webhook answers.
func (w *world) persist(do func() error) {
	w.t.Helper()
	w.eventually(w.t, "a webhook answers", func() string {
		err := do()
		if apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook") {
			return err.Error()
		}

		w.must(err)

		return ""
	})
}

func (w *world) tryCreate(object client.Object) error {
	object.SetNamespace(w.namespace)

	return w.client.Create(w.t.Context(), object)
}

func (w *world) must(err error) {
	w.t.Helper()

	if err != nil {
		w.t.Fatal(err)
	}
}

// remove deletes an object of the world's namespace.
func (w *world) remove(object client.Object, name string) {
	w.t.Helper()
	object.SetNamespace(w.namespace)
	object.SetName(name)
	w.must(w.client.Delete(w.t.Context(), object))
}

// get reads an object into object and tells whether there is one.
func (w *world) get(object client.Object, name string) bool {
	w.t.Helper()

	err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return false
	}

	w.must(err)

	return true
}

// tryEdit changes an object and returns the API server's answer.
func tryEdit[T client.Object](w *world, object T, name string, change func(T)) error {
	w.t.Helper()

	for {
		if !w.get(object, name) {
			w.t.Fatalf("there is no %T %s", object, name)
		}

		change(object)

		err := w.client.Update(w.t.Context(), object)
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}

func edit[T client.Object](w *world, object T, name string, change func(T)) {
	w.t.Helper()
	w.persist(func() error { return tryEdit(w, object, name, change) })
}

// network makes a VM network as Harvester does, with its route in that mode.
func (w *world) network(name, mode, cidr, gateway string, annotations map[string]string) {
	w.t.Helper()

	made := &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				utils.KeyNetworkType: string(utils.L2VlanNetwork), utils.KeyVlanLabel: "100", utils.KeyClusterNetworkLabel: "mgmt",
			},
			Annotations: map[string]string{},
		},
		Spec: nadv1.NetworkAttachmentDefinitionSpec{
			Config: `{"cniVersion":"0.3.1","name":"` + name + `","type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":100,"ipam":{}}`,
		},
	}
	maps.Copy(made.Annotations, annotations)

	if mode != "" {
		made.Annotations[utils.KeyNetworkRoute] = fmt.Sprintf(`{"mode":%q,"serverIPAddr":"","cidr":%q,"gateway":%q}`, mode, cidr, gateway)
	}

	w.create(made)
}

// pool makes a network without a route, and a pool for it with that range.
func (w *world) pool(name, cidr, start, end string) {
	w.t.Helper()
	w.network(name, "", "", "", nil)
	w.create(poolOf(name, w.namespace+"/"+name, cidr, start, end))
}

func poolOf(name, network, cidr, start, end string) *v1alpha1.IPPool {
	return &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.IPPoolSpec{
			NetworkName: network,
			IPv4Config:  v1alpha1.IPv4Config{CIDR: cidr, Pool: v1alpha1.Pool{Start: start, End: end}},
		},
	}
}

// device is a NIC of a virtual machine.
type device struct{ name, network, mac string }

// machine is a KubeVirt virtual machine with those NICs.
func machine(name string, devices ...device) *kubevirtv1.VirtualMachine {
	always := kubevirtv1.RunStrategyAlways
	vm := &kubevirtv1.VirtualMachine{
		TypeMeta:   metav1.TypeMeta{APIVersion: kubevirtv1.GroupVersion.String(), Kind: "VirtualMachine"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}},
		Spec:       kubevirtv1.VirtualMachineSpec{RunStrategy: &always, Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}},
	}
	setDevices(vm, devices...)

	return vm
}

func setDevices(vm *kubevirtv1.VirtualMachine, devices ...device) {
	spec := &vm.Spec.Template.Spec
	spec.Networks, spec.Domain.Devices.Interfaces = nil, nil

	for _, d := range devices {
		spec.Networks = append(spec.Networks, kubevirtv1.Network{Name: d.name, NetworkSource: kubevirtv1.NetworkSource{
			Multus: &kubevirtv1.MultusNetwork{NetworkName: d.network},
		}})
		spec.Domain.Devices.Interfaces = append(spec.Domain.Devices.Interfaces, kubevirtv1.Interface{
			Name: d.name, MacAddress: d.mac,
			InterfaceBindingMethod: kubevirtv1.InterfaceBindingMethod{Bridge: &kubevirtv1.InterfaceBridge{}},
		})
	}
}

// vm makes a virtual machine.
func (w *world) vm(name string, devices ...device) *kubevirtv1.VirtualMachine {
	w.t.Helper()

	vm := machine(name, devices...)
	w.create(vm)

	return vm
}

// deleteVM deletes a virtual machine.
func (w *world) deleteVM(name string) {
	w.t.Helper()
	w.remove(&kubevirtv1.VirtualMachine{}, name)
}

// editVM changes a virtual machine.
func (w *world) editVM(name string, change func(*kubevirtv1.VirtualMachine)) {
	w.t.Helper()
	edit(w, &kubevirtv1.VirtualMachine{}, name, change)
}

// leases returns the leases of the world by name.
func (w *world) leases() map[string]v1alpha1.IPLease {
	w.t.Helper()

	var list v1alpha1.IPLeaseList

	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(w.namespace)))

	leases := map[string]v1alpha1.IPLease{}
	for _, lease := range list.Items {
		leases[lease.Name] = lease
	}

	return leases
}

// held returns who holds what, as "pool.address MAC owner/NIC", sorted.
func (w *world) held() []string {
	w.t.Helper()

	held := []string{}

	for name, lease := range w.leases() {
		holder := "-"
		if lease.Spec.Owner != nil {
			holder = lease.Spec.Owner.Name + "/" + lease.Spec.Owner.InterfaceName
		}

		held = append(held, name+" "+lease.Spec.MACAddress+" "+holder)
	}

	slices.Sort(held)

	return held
}

// holds waits until exactly these addresses are held, written as held does.
func (w *world) holds(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	w.eventually(w.t, "held: "+strings.Join(want, ", "), func() string {
		if held := w.held(); !slices.Equal(held, want) {
			return "held: " + strings.Join(held, ", ")
		}

		return ""
	})
}

// status returns the state of each NIC of a request, as "NIC address state
// reason".
func (w *world) status(request string) []string {
	w.t.Helper()

	var found v1alpha1.VirtualMachineNetworkConfig
	if !w.get(&found, request) {
		return []string{"no request"}
	}

	states := []string{}
	for _, nic := range found.Status.NetworkConfigs {
		states = append(states, strings.Join([]string{
			nic.InterfaceName, nic.AllocatedIPAddress, string(nic.State), nic.Reason,
		}, " "))
	}

	return states
}

// says waits until the request's status says so, in the words of status.
func (w *world) says(request string, want ...string) {
	w.t.Helper()
	w.eventually(w.t, fmt.Sprintf("status of %s: %q", request, want), func() string {
		if states := w.status(request); !slices.Equal(states, want) {
			return fmt.Sprintf("it is %q", states)
		}

		return ""
	})
}

// event waits for an Event of that reason about the object and returns its
// message.
func (w *world) event(kind, name, reason string) string {
	w.t.Helper()

	var message string

	w.eventually(w.t, fmt.Sprintf("Event %s about %s %s", reason, kind, name), func() string {
		var list corev1.EventList

		w.must(w.client.List(w.t.Context(), &list, client.InNamespace(w.namespace)))

		var others []string

		for _, event := range list.Items {
			if event.InvolvedObject.Kind == kind && event.InvolvedObject.Name == name {
				if event.Reason == reason {
					message = event.Message

					return ""
				}

				others = append(others, event.Reason)
			}
		}

		return fmt.Sprintf("there are %q", others)
	})

	return message
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

func namespaceOf(name string) *corev1.Namespace { return &corev1.Namespace{ObjectMeta: named(name)} }

const mergePatch = types.MergePatchType

// eachItem calls do for each object of a list.
func eachItem(list client.ObjectList, do func(client.Object)) error {
	return meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", item)
		}

		do(object)

		return nil
	})
}
