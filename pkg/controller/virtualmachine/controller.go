// Package virtualmachine makes and keeps the request of each virtual machine:
// the VirtualMachineNetworkConfig that says which NICs it has, on which
// networks, with which MAC addresses and wanted addresses.
//
// It reads virtual machines and writes requests. It never writes a virtual
// machine and gives out no addresses.
package virtualmachine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

// handlerName is in logs and metrics of the framework.
const handlerName = "freehold-virtualmachine"

// Topics of Events.
const (
	topicAnnotations = "annotations"
	topicRequest     = "request"
)

// The parts of Wrangler's controllers, clients and caches that are used here.
type (
	vms interface {
		EnqueueAfter(namespace, name string, pause time.Duration)
	}
	vmFinder interface {
		GetByIndex(indexName, key string) ([]*kubevirtv1.VirtualMachine, error)
	}
	requests interface {
		Create(request *v1alpha1.VirtualMachineNetworkConfig) (*v1alpha1.VirtualMachineNetworkConfig, error)
		Update(request *v1alpha1.VirtualMachineNetworkConfig) (*v1alpha1.VirtualMachineNetworkConfig, error)
		Delete(namespace, name string, options *metav1.DeleteOptions) error
	}
	requestCache interface {
		kube.Cached[*v1alpha1.VirtualMachineNetworkConfig]
		GetByIndex(indexName, key string) ([]*v1alpha1.VirtualMachineNetworkConfig, error)
	}
)

// Handler keeps the requests of virtual machines.
type Handler struct {
	vms          vms
	vmCache      vmFinder
	vmis         kube.Cached[*kubevirtv1.VirtualMachineInstance]
	requests     requests
	requestCache requestCache
	pools        kube.PoolFinder
	events       *kube.Announcer
}

// New returns the handler. It takes the caches that it needs, so it is called
// before they are started.
func New(clients *kube.Clients, events *kube.Announcer) *Handler {
	return &Handler{
		vms:          clients.VMs,
		vmCache:      clients.VMs.Cache(),
		vmis:         clients.VMIs.Cache(),
		requests:     clients.Requests,
		requestCache: clients.Requests.Cache(),
		pools:        clients.Pools.Cache(),
		events:       events,
	}
}

// Register has the handler called for changes of virtual machines, and of what
// a request depends on: instances, requests and pools.
func (h *Handler) Register(ctx context.Context, clients *kube.Clients) {
	clients.VMs.OnChange(ctx, handlerName, h.OnChange)
	clients.VMIs.OnChange(ctx, handlerName, func(key string, vmi *kubevirtv1.VirtualMachineInstance) (*kubevirtv1.VirtualMachineInstance, error) {
		h.enqueue(key)

		return vmi, nil
	})
	clients.Requests.OnChange(ctx, handlerName, func(key string, request *v1alpha1.VirtualMachineNetworkConfig) (*v1alpha1.VirtualMachineNetworkConfig, error) {
		h.requestChanged(key, request)

		return request, nil
	})
	clients.Pools.OnChange(ctx, handlerName, func(_ string, pool *v1alpha1.IPPool) (*v1alpha1.IPPool, error) {
		return pool, h.enqueueNetwork(pool)
	})
}

// requestChanged has the virtual machines looked at that a request concerns: the
// one that it names, and the one that has its name and would have its request
// there.
func (h *Handler) requestChanged(key string, request *v1alpha1.VirtualMachineNetworkConfig) {
	h.enqueue(key)

	if request != nil && request.Spec.VMName != request.Name {
		h.enqueue(request.Namespace + "/" + request.Spec.VMName)
	}
}

// OnChange brings the request of one virtual machine up to date.
func (h *Handler) OnChange(key string, vm *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachine, error) {
	if vm == nil {
		h.events.Forget(key)

		return nil, nil
	}
	// A virtual machine that is being deleted keeps its request to its end.
	if !vm.DeletionTimestamp.IsZero() {
		return vm, nil
	}

	seen, err := h.observe(vm)
	if err != nil {
		return vm, fmt.Errorf("observe VirtualMachine %s: %w", key, err)
	}

	do := plan(seen)
	h.events.Warn(vm, topicRequest, v1alpha1.ReasonRequestNameTaken, do.blocked)

	if err := h.act(do); err != nil {
		if apierrors.IsConflict(err) {
			return vm, err
		}

		return vm, fmt.Errorf("keep request of VirtualMachine %s: %w", key, err)
	}

	return vm, nil
}

func (h *Handler) observe(vm *kubevirtv1.VirtualMachine) (observation, error) {
	vmi, err := h.vmis.Get(vm.Namespace, vm.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return observation{}, fmt.Errorf("get instance: %w", err)
	}

	if err != nil {
		vmi = nil
	}

	nics, problems := kube.NICsOf(vm, vmi)
	h.events.Warn(vm, topicAnnotations, v1alpha1.ReasonAnnotationInvalid, strings.Join(problems, "; "))

	requests, err := h.requestCache.GetByIndex(kube.IndexRequestByVM, vm.Namespace+"/"+vm.Name)
	if err != nil {
		return observation{}, fmt.Errorf("find requests: %w", err)
	}

	seen := observation{vm: vm, nics: nics, requests: requests}

	present, err := h.requestCache.Get(vm.Namespace, vm.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return observation{}, fmt.Errorf("get request: %w", err)
	}

	if err == nil && present.Spec.VMName != vm.Name {
		seen.blocker = present
	}

	for _, n := range nics {
		pool, err := kube.PoolOf(h.pools, n.Network)
		if err != nil {
			return observation{}, fmt.Errorf("find pool of network %s: %w", n.Network, err)
		}

		seen.managed = seen.managed || pool != nil
	}

	return seen, nil
}

func (h *Handler) act(do decision) error {
	var errs []error

	for _, stale := range do.remove {
		err := h.requests.Delete(stale.Namespace, stale.Name, &metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &stale.UID},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("delete request %s of an earlier virtual machine: %w", stale.Name, err))
		}
	}

	if do.create != nil {
		// When one exists already, the cache is behind; the watch brings it
		// and with it this virtual machine again.
		if _, err := h.requests.Create(do.create); err != nil && !apierrors.IsAlreadyExists(err) {
			errs = append(errs, fmt.Errorf("create request: %w", err))
		}
	}

	if do.update != nil {
		if _, err := h.requests.Update(do.update); err != nil {
			if apierrors.IsConflict(err) && len(errs) == 0 {
				return err //nolint:wrapcheck // the framework recognises a bare conflict and tries again quietly
			}

			errs = append(errs, fmt.Errorf("update request: %w", err))
		}
	}

	return errors.Join(errs...)
}

// enqueue has the virtual machine of that key looked at.
func (h *Handler) enqueue(key string) {
	namespace, name := kube.SplitKey(key)
	h.vms.EnqueueAfter(namespace, name, 0)
}

// enqueueNetwork has the virtual machines on the pool's network looked at: those
// that had no pool on any of their networks have no request yet.
func (h *Handler) enqueueNetwork(pool *v1alpha1.IPPool) error {
	if pool == nil {
		return nil
	}

	vms, err := h.vmCache.GetByIndex(kube.IndexVMByNetwork, kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace))
	if err != nil {
		return fmt.Errorf("find virtual machines on the network of IPPool %s/%s: %w", pool.Namespace, pool.Name, err)
	}

	for _, vm := range vms {
		requests, err := h.requestCache.GetByIndex(kube.IndexRequestByVM, vm.Namespace+"/"+vm.Name)
		if err != nil {
			return fmt.Errorf("find requests of VirtualMachine %s/%s: %w", vm.Namespace, vm.Name, err)
		}

		if len(requests) == 0 {
			h.vms.EnqueueAfter(vm.Namespace, vm.Name, 0)
		}
	}

	return nil
}
