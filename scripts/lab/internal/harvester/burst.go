package harvester

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// burstWidth is how many requests are under way at a time, as when Rancher's
// node driver makes the machines of a guest cluster.
const burstWidth = 8

// CreateBurst creates all virtual machines as fast as the API server takes
// them, as the making of a guest cluster does. It stops at the first error.
func (h *Harvester) CreateBurst(ctx context.Context, vms []*unstructured.Unstructured) error {
	return h.burst(ctx, "create", vms, func(ctx context.Context, vm *unstructured.Unstructured) error {
		_, err := h.kubevirt("virtualmachines").Namespace(vm.GetNamespace()).Create(ctx, vm, metav1.CreateOptions{})
		return err
	})
}

// DeleteBurst deletes all virtual machines likewise; those gone are no error.
func (h *Harvester) DeleteBurst(ctx context.Context, vms []*unstructured.Unstructured) error {
	return h.burst(ctx, "delete", vms, func(ctx context.Context, vm *unstructured.Unstructured) error {
		err := h.kubevirt("virtualmachines").Namespace(vm.GetNamespace()).Delete(ctx, vm.GetName(), metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

func (h *Harvester) burst(ctx context.Context, verb string, vms []*unstructured.Unstructured, do func(context.Context, *unstructured.Unstructured) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(burstWidth)
	for _, vm := range vms {
		group.Go(func() error {
			if err := do(ctx, vm); err != nil {
				return fmt.Errorf("%s virtual machine %s/%s: %w", verb, vm.GetNamespace(), vm.GetName(), err)
			}
			return nil
		})
	}
	return group.Wait()
}
