package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// lightLabel is a label that no node has.
const lightLabel = "lab.freehold.net/light-guests"

// kubevirtController is the user whose word on an instance's status KubeVirt
// takes: its webhooks undo what others write there.
const kubevirtController = "system:serviceaccount:kubevirt:kubevirt-controller"

// instanceTimeout is how long KubeVirt may take from a VirtualMachine to the pod
// of its instance.
const instanceTimeout = 2 * time.Minute

// Instances plays virt-handler's part for light guests. Their VirtualMachine
// and VirtualMachineInstance are real: KubeVirt makes the instance, and the pod
// for it, and deletes both on demand. But no node takes the pod, so that no
// guest is booted, and what virt-handler would report of one is reported here,
// in KubeVirt's name: that it runs, and with which MACs. On which node is not
// said, because KubeVirt takes an instance for failed whose pod is elsewhere. It
// may be used concurrently.
type Instances struct {
	client dynamic.NamespaceableResourceInterface
}

// NewInstances returns the instances of a cluster. The clients have to be an
// administrator's.
func NewInstances(clients *kube.Clients) (*Instances, error) {
	config := rest.CopyConfig(clients.Config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: kubevirtController,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:kubevirt", "system:authenticated"},
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("report in KubeVirt's name: %w", err)
	}
	return &Instances{client: client.Resource(schema.GroupVersionResource{
		Group: "kubevirt.io", Version: "v1", Resource: "virtualmachineinstances",
	})}, nil
}

// Runs reports that the virtual machine's instance runs with these MACs, by the
// names of its NICs. It waits until KubeVirt has made the instance and its pod.
func (i *Instances) Runs(ctx context.Context, namespace, name string, macs map[string]string) error {
	instances := i.client.Namespace(namespace)
	what := fmt.Sprintf("KubeVirt to make the instance of light guest %s/%s", namespace, name)
	var networks []any
	err := kube.Poll(ctx, instanceTimeout, what, func(ctx context.Context) (bool, string, error) {
		vmi, err := instances.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error(), nil
		}
		phase, _, err := unstructured.NestedString(vmi.Object, "status", "phase")
		if err != nil {
			return false, "", err
		}
		networks, _, err = unstructured.NestedSlice(vmi.Object, "spec", "networks")
		return phase == "Scheduling" || phase == "Running", "phase " + phase, err
	})
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"phase": "Running", "interfaces": reported(networks, macs),
	}})
	if err != nil {
		return err
	}
	if _, err := instances.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("report that light guest %s/%s runs: %w", namespace, name, err)
	}
	return nil
}

// reported returns the NICs of an instance's status, in the order of its
// networks, as virt-handler writes them for a guest without an agent: without
// addresses.
func reported(networks []any, macs map[string]string) []any {
	list := []any{}
	for _, entry := range networks {
		network, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		name, _ := network["name"].(string) // empty then
		if macs[name] == "" {
			continue
		}
		list = append(list, map[string]any{"name": name, "mac": macs[name], "infoSource": "domain", "queueCount": int64(1)})
	}
	return list
}
