package harvester

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
)

// scanEvery is how soon after KubeVirt Harvester's annotation follows.
const scanEvery = time.Second

func (h *Harvester) kubevirt(resource string) dynamic.NamespaceableResourceInterface {
	return h.clients.Dynamic.Resource(schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: resource})
}

// RecordMACs writes the annotation [MACAnnotation] on every virtual machine
// that runs, from the MACs its instance reports, as Harvester does after a
// first boot. It writes only where something is missing or differs, and returns
// how many it wrote.
func (h *Harvester) RecordMACs(ctx context.Context) (int, error) {
	instances, err := h.kubevirt("virtualmachineinstances").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, fmt.Errorf("record MACs: list instances: %w", err)
	}
	written := 0
	for i := range instances.Items {
		wrote, err := h.recordMACs(ctx, &instances.Items[i])
		if err != nil {
			return written, fmt.Errorf("record MACs of virtual machine %s/%s: %w", instances.Items[i].GetNamespace(), instances.Items[i].GetName(), err)
		}
		if wrote {
			written++
		}
	}
	return written, nil
}

func (h *Harvester) recordMACs(ctx context.Context, vmi *unstructured.Unstructured) (bool, error) {
	vms := h.kubevirt("virtualmachines").Namespace(vmi.GetNamespace())
	vm, err := vms.Get(ctx, vmi.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil // an instance without a virtual machine
	}
	if err != nil {
		return false, err
	}
	value, changed, err := mergeMACs(vm.GetAnnotations()[MACAnnotation], reportedMACs(vmi))
	if err != nil || !changed {
		return false, err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations":     map[string]any{MACAnnotation: value},
		"resourceVersion": vm.GetResourceVersion(),
	}})
	if err != nil {
		return false, err
	}
	_, err = vms.Patch(ctx, vm.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil // somebody was faster: the next round sees what is left to do
	}
	return err == nil, err
}

// reportedMACs returns the MACs of an instance's NICs by their names, those of
// its spec first: the status also lists links that the guest made itself.
func reportedMACs(vmi *unstructured.Unstructured) map[string]string {
	macs := map[string]string{}
	collect := func(key string, path ...string) {
		interfaces, _, _ := unstructured.NestedSlice(vmi.Object, path...) // none then
		for _, entry := range interfaces {
			m, ok := entry.(map[string]any)
			if !ok {
				continue
			}
			name, _ := m["name"].(string) // empty then
			mac, _ := m[key].(string)     // empty then
			if name != "" && mac != "" && macs[name] == "" {
				macs[name] = mac
			}
		}
	}
	collect("macAddress", "spec", "domain", "devices", "interfaces")
	collect("mac", "status", "interfaces")
	return macs
}

// mergeMACs returns the annotation's new value, and whether it differs.
func mergeMACs(annotation string, reported map[string]string) (string, bool, error) {
	have := map[string]string{}
	if annotation != "" {
		if err := json.Unmarshal([]byte(annotation), &have); err != nil {
			return "", false, fmt.Errorf("annotation %s=%q is no JSON object of strings: %w", MACAnnotation, annotation, err)
		}
	}
	want := maps.Clone(have)
	if want == nil { // the annotation was "null"
		want = map[string]string{}
	}
	maps.Copy(want, reported)
	if maps.Equal(have, want) {
		return annotation, false, nil
	}
	value, err := json.Marshal(want)
	return string(value), true, err
}

// Run calls RecordMACs every second until ctx ends; failures are logged and
// tried again.
func (h *Harvester) Run(ctx context.Context, log *slog.Logger) {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if n, err := h.RecordMACs(ctx); err != nil {
			log.Warn("Harvester's part: recording MACs failed", "err", err)
		} else if n > 0 {
			log.Info("Harvester's part: recorded MACs", "virtualMachines", n)
		}
	}, scanEvery)
}
