package kubevirt

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// VMs drives the virtual machines of one namespace through KubeVirt's API. The
// methods that wait take a limit and otherwise return at once; errors name the
// virtual machine. It may be used concurrently.
type VMs struct {
	clients   *kube.Clients
	namespace string
}

// In returns the virtual machines of a namespace.
func In(clients *kube.Clients, namespace string) *VMs {
	return &VMs{clients: clients, namespace: namespace}
}

func (v *VMs) resource(name string) dynamic.ResourceInterface {
	gvr := schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: name}
	return v.clients.Dynamic.Resource(gvr).Namespace(v.namespace)
}

func (v *VMs) fail(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s virtual machine %s/%s: %w", verb, v.namespace, name, err)
}

// Create creates a VirtualMachine, such as one made by guest.VM, in its own
// namespace, which must be that of v.
func (v *VMs) Create(ctx context.Context, vm *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	created, err := v.resource("virtualmachines").Create(ctx, vm, metav1.CreateOptions{})
	return created, v.fail("create", vm.GetName(), err)
}

// Get returns the VirtualMachine.
func (v *VMs) Get(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	vm, err := v.resource("virtualmachines").Get(ctx, name, metav1.GetOptions{})
	return vm, v.fail("get", name, err)
}

// Start asks for a virtual machine to be started. It, Stop and Restart return
// when KubeVirt has accepted, not when it is done.
func (v *VMs) Start(ctx context.Context, name string) error { return v.subresource(ctx, name, "start") }

// Stop stops the virtual machine; see Start.
func (v *VMs) Stop(ctx context.Context, name string) error { return v.subresource(ctx, name, "stop") }

// Restart stops and starts the virtual machine; see Start. WaitRestarted waits
// for the end.
func (v *VMs) Restart(ctx context.Context, name string) error {
	return v.subresource(ctx, name, "restart")
}

func (v *VMs) subresource(ctx context.Context, name, verb string) error {
	err := v.rest().Put().AbsPath("/apis/subresources.kubevirt.io/v1/namespaces", v.namespace, "virtualmachines", name, verb).
		Body([]byte("{}")).Do(ctx).Error()
	return v.fail(verb, name, err)
}

func (v *VMs) rest() rest.Interface { return v.clients.Core.CoreV1().RESTClient() }

// Delete deletes the virtual machine; one that is not there is no error.
func (v *VMs) Delete(ctx context.Context, name string) error {
	err := v.resource("virtualmachines").Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return v.fail("delete", name, err)
}

// Migrate live-migrates the virtual machine and returns the node it came to.
func (v *VMs) Migrate(ctx context.Context, name string, limit time.Duration) (node string, err error) {
	migration := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
		"metadata": map[string]any{"generateName": name + "-", "namespace": v.namespace},
		"spec":     map[string]any{"vmiName": name},
	}}
	migrations := v.resource("virtualmachineinstancemigrations")
	if migration, err = migrations.Create(ctx, migration, metav1.CreateOptions{}); err != nil {
		return "", v.fail("migrate", name, err)
	}
	err = kube.Poll(ctx, limit, "the migration", func(ctx context.Context) (bool, string, error) {
		m, err := migrations.Get(ctx, migration.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, err.Error(), nil
		}
		phase := str(m, "status", "phase")
		if phase == "Failed" {
			reason := str(m, "status", "migrationState", "failureReason")
			return false, phase, fmt.Errorf("KubeVirt says it failed: %s", reason)
		}
		return phase == "Succeeded", phase, nil
	})
	if err != nil {
		return "", v.fail("migrate", name, err)
	}
	vmi, err := v.instance(ctx, name)
	if err != nil {
		return "", v.fail("migrate", name, err)
	}
	return vmi.Node, nil
}

// Instance is what runs: KubeVirt's VirtualMachineInstance.
type Instance struct {
	UID   string
	Phase string // Pending, Scheduling, Scheduled, Running, Succeeded, Failed
	Node  string
	MACs  map[string]string // NIC name -> MAC, as KubeVirt reports them
}

// Instance returns the virtual machine's instance, and whether there is one.
func (v *VMs) Instance(ctx context.Context, name string) (Instance, bool, error) {
	i, err := v.instance(ctx, name)
	if apierrors.IsNotFound(err) {
		return Instance{}, false, nil
	}
	return i, err == nil, v.fail("get the instance of", name, err)
}

func (v *VMs) instance(ctx context.Context, name string) (Instance, error) {
	vmi, err := v.resource("virtualmachineinstances").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Instance{}, err
	}
	i := Instance{UID: string(vmi.GetUID()), Phase: str(vmi, "status", "phase"), Node: str(vmi, "status", "nodeName"), MACs: map[string]string{}}
	interfaces, _, _ := unstructured.NestedSlice(vmi.Object, "status", "interfaces") // none then
	for _, entry := range interfaces {
		m, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		nic, _ := m["name"].(string) // empty then
		mac, _ := m["mac"].(string)  // empty then
		if nic != "" && mac != "" {
			i.MACs[nic] = mac
		}
	}
	return i, nil
}

func str(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...) // empty then
	return s
}

// WaitRunning waits until the virtual machine runs and returns its instance.
func (v *VMs) WaitRunning(ctx context.Context, name string, limit time.Duration) (Instance, error) {
	return v.waitRunning(ctx, name, "", limit)
}

// WaitRestarted waits until an instance other than the one with UID old runs.
func (v *VMs) WaitRestarted(ctx context.Context, name, old string, limit time.Duration) (Instance, error) {
	if old == "" {
		return Instance{}, v.fail("restart", name, errors.New("no UID of the instance before"))
	}
	return v.waitRunning(ctx, name, old, limit)
}

func (v *VMs) waitRunning(ctx context.Context, name, not string, limit time.Duration) (Instance, error) {
	var found Instance
	err := kube.Poll(ctx, limit, "virtual machine "+v.namespace+"/"+name+" to run", func(ctx context.Context) (bool, string, error) {
		i, ok, err := v.Instance(ctx, name)
		if err != nil || !ok {
			return false, fmt.Sprintf("no instance (%v)", err), nil
		}
		found = i
		return i.Phase == "Running" && i.UID != not, fmt.Sprintf("%s on node %q", i.Phase, i.Node), nil
	})
	return found, err
}

// WaitStopped waits until the virtual machine has no instance.
func (v *VMs) WaitStopped(ctx context.Context, name string, limit time.Duration) error {
	return kube.Poll(ctx, limit, "virtual machine "+v.namespace+"/"+name+" to stop", func(ctx context.Context) (bool, string, error) {
		i, ok, err := v.Instance(ctx, name)
		return err == nil && !ok, i.Phase, nil
	})
}
