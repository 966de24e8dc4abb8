// Package vmnetcfg gives the NICs of each request their addresses, by creating
// one IPLease for each, and takes back those of NICs that have ended.
//
// It decides in plan, which is pure, and writes leases and the status of
// requests. Each NIC succeeds or fails by itself. A NIC without an address takes
// up the one that a person has reserved for it. Addresses of owners that have
// ended are freed by package iplease.
package vmnetcfg

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// handlerName is in logs and metrics of the framework.
const handlerName = "freehold-vmnetcfg"

// The parts of Wrangler's controllers, clients and caches that are used here.
type (
	requests interface {
		Get(namespace, name string, options metav1.GetOptions) (*v1alpha1.VirtualMachineNetworkConfig, error)
		UpdateStatus(request *v1alpha1.VirtualMachineNetworkConfig) (*v1alpha1.VirtualMachineNetworkConfig, error)
		EnqueueAfter(namespace, name string, pause time.Duration)
	}
	requestFinder interface {
		GetByIndex(indexName, key string) ([]*v1alpha1.VirtualMachineNetworkConfig, error)
	}
	leases interface {
		Get(namespace, name string, options metav1.GetOptions) (*v1alpha1.IPLease, error)
		Create(lease *v1alpha1.IPLease) (*v1alpha1.IPLease, error)
		kube.LeaseWriter
	}
	pools interface {
		kube.PoolFinder
		Get(namespace, name string) (*v1alpha1.IPPool, error)
	}
)

// Handler allocates the addresses of requests.
type Handler struct {
	requests requests
	cache    requestFinder
	leases   leases
	pools    pools
	vms      kube.Live[*kubevirtv1.VirtualMachine]
	vmCache  kube.Cached[*kubevirtv1.VirtualMachine]
	ledger   *ledger.Ledger
	events   *kube.Announcer
	log      *slog.Logger
	waiting  *waiting

	mu sync.Mutex
	// networks has the network and generation of each pool when its requests
	// were last looked at, so that only a change of its spec has them looked
	// at again, and the end of a pool can be told to them.
	networks map[string]seenPool
}

type seenPool struct {
	network    string
	uid        string
	generation int64
}

// New returns the handler. It takes the caches that it needs, so it is called
// before they are started.
func New(clients *kube.Clients, book *ledger.Ledger, events *kube.Announcer, log *slog.Logger) *Handler {
	return &Handler{
		requests: clients.Requests,
		cache:    clients.Requests.Cache(),
		leases:   clients.Leases,
		pools:    clients.Pools.Cache(),
		vms:      clients.VMs,
		vmCache:  clients.VMs.Cache(),
		ledger:   book,
		events:   events,
		log:      log.With("controller", "vmnetcfg"),
		waiting:  newWaiting(),
		networks: map[string]seenPool{},
	}
}

// Register has the handler called for changes of requests and of pools, and
// wakes requests when a lease of theirs changes or an address is freed.
func (h *Handler) Register(ctx context.Context, clients *kube.Clients) {
	h.ledger.Watch(h.leaseChanged)
	clients.Requests.OnChange(ctx, handlerName, h.OnChange)
	clients.Pools.OnChange(ctx, handlerName, h.poolChanged)
}

// OnChange brings the addresses of one request up to date.
func (h *Handler) OnChange(key string, request *v1alpha1.VirtualMachineNetworkConfig) (*v1alpha1.VirtualMachineNetworkConfig, error) {
	if request == nil || !request.DeletionTimestamp.IsZero() {
		if request == nil {
			h.events.Forget(key)
			h.waiting.set(keyOf(key), nil)
		}

		return request, nil
	}

	seen, err := h.observe(request)
	if err != nil {
		return request, fmt.Errorf("observe VirtualMachineNetworkConfig %s: %w", key, err)
	}

	do := plan(seen)

	if do.takesAway() {
		if behind, err := h.behind(request); behind || err != nil {
			return request, err
		}
	}

	results, actErr := h.act(seen.owner, do)
	h.waiting.set(keyOf(key), waitsFor(results))

	updated, err := h.writeStatus(request, results)
	if err != nil && actErr == nil {
		return request, err
	}

	if actErr != nil {
		if apierrors.IsConflict(actErr) {
			return updated, actErr
		}

		return updated, fmt.Errorf("allocate for VirtualMachineNetworkConfig %s: %w", key, actErr)
	}

	// Only news is announced: a manager that starts says nothing about what
	// was so before.
	if updated != request {
		h.announce(seen.owner, updated, results)
	}

	return updated, nil
}

// behind tells whether the cached request is not the one that there is now. The
// caches of leases and of requests run apart: a lease that belongs to no NIC may
// be that of one whose request is yet to come. Whoever is behind takes nothing
// away, and is called again when the cache has caught up.
func (h *Handler) behind(request *v1alpha1.VirtualMachineNetworkConfig) (bool, error) {
	now, err := h.requests.Get(request.Namespace, request.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}

	if err != nil {
		return false, fmt.Errorf("get VirtualMachineNetworkConfig %s/%s: %w", request.Namespace, request.Name, err)
	}

	return now.UID != request.UID || now.Generation != request.Generation, nil
}

func (h *Handler) writeStatus(request *v1alpha1.VirtualMachineNetworkConfig, results []result) (*v1alpha1.VirtualMachineNetworkConfig, error) {
	status := statusOf(request, results)
	if equality.Semantic.DeepEqual(request.Status, status) {
		return request, nil
	}

	changed := request.DeepCopy()
	changed.Status = status

	updated, err := h.requests.UpdateStatus(changed)
	if err != nil {
		if apierrors.IsConflict(err) {
			return request, err //nolint:wrapcheck // the framework recognises a bare conflict and tries again quietly
		}

		return request, fmt.Errorf("update status of VirtualMachineNetworkConfig %s/%s: %w", request.Namespace, request.Name, err)
	}

	return updated, nil
}

// announce writes the Event where people look for it: on the virtual machine
// if there is one, else on the request.
func (h *Handler) announce(owner v1alpha1.LeaseOwner, request *v1alpha1.VirtualMachineNetworkConfig, results []result) {
	var about kube.Object = request

	if vm, err := h.vmCache.Get(owner.Namespace, owner.Name); err == nil && vm.UID == owner.UID {
		about = vm
	}

	reason, message, bad := announcement(request, results)

	switch {
	case reason == "":
	case bad:
		h.events.Warn(about, topicAddresses, reason, message)
	default:
		h.events.Note(about, topicAddresses, reason, message)
	}
}

// topicAddresses keeps what is said about addresses apart from other Events.
const topicAddresses = "addresses"

// leaseChanged wakes the requests that a changed lease concerns. The ledger
// calls it for every change, so it only looks and enqueues.
func (h *Handler) leaseChanged(change ledger.Change) {
	for _, lease := range []*v1alpha1.IPLease{change.Before, change.After} {
		if lease != nil && lease.Spec.Owner != nil {
			h.wakeOwner(lease.Spec.Owner)
		}
	}

	if change.After != nil && convert.Reserved(change.After) {
		h.wakeMAC(change.After.Spec.MACAddress)
	}

	freed := change.After == nil ||
		change.Before != nil && change.Before.Spec.MACAddress != change.After.Spec.MACAddress
	if !freed {
		return
	}

	for _, request := range h.waiting.woken(change.Pool) {
		h.requests.EnqueueAfter(request.Namespace, request.Name, 0)
	}
}

// wakeOwner has the requests of a lease's owner looked at.
func (h *Handler) wakeOwner(owner *v1alpha1.LeaseOwner) {
	if owner.Kind != v1alpha1.OwnerVirtualMachine {
		h.requests.EnqueueAfter(owner.Namespace, owner.Name, 0)

		return
	}

	h.wake(kube.IndexRequestByVM, owner.Namespace+"/"+owner.Name)
}

// wakeMAC has the requests looked at for whose NIC an address was reserved.
func (h *Handler) wakeMAC(text string) {
	if mac, err := convert.MAC(text); err == nil && !mac.IsZero() {
		h.wake(kube.IndexRequestByMAC, mac.String())
	}
}

func (h *Handler) wake(index, key string) {
	requests, err := h.cache.GetByIndex(index, key)
	if err != nil {
		h.log.Error("cannot find the requests that a lease concerns", "index", index, "key", key, "error", err)

		return
	}

	for _, request := range requests {
		h.requests.EnqueueAfter(request.Namespace, request.Name, 0)
	}
}

// poolChanged has the requests on a pool's network looked at when the pool's
// spec has changed, or the pool has come or gone.
func (h *Handler) poolChanged(key string, pool *v1alpha1.IPPool) (*v1alpha1.IPPool, error) {
	for _, network := range h.changedNetworks(key, pool) {
		requests, err := h.cache.GetByIndex(kube.IndexRequestByNetwork, network)
		if err != nil {
			return pool, fmt.Errorf("find requests on network %s: %w", network, err)
		}

		for _, request := range requests {
			h.requests.EnqueueAfter(request.Namespace, request.Name, 0)
		}
	}

	return pool, nil
}

func (h *Handler) changedNetworks(key string, pool *v1alpha1.IPPool) []string {
	h.mu.Lock()
	defer h.mu.Unlock()

	before, known := h.networks[key]

	if pool == nil {
		delete(h.networks, key)

		return nonEmpty(before.network)
	}

	now := seenPool{
		network:    kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace),
		uid:        string(pool.UID),
		generation: pool.Generation,
	}
	h.networks[key] = now

	if known && before == now {
		return nil
	}

	return nonEmpty(now.network)
}

func nonEmpty(value string) []string {
	if value == "" {
		return nil
	}

	return []string{value}
}

func keyOf(key string) ledger.Key {
	namespace, name := kube.SplitKey(key)

	return ledger.Key{Namespace: namespace, Name: name}
}
