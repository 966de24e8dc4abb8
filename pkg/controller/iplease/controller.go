// Package iplease frees the addresses whose owner has ended, and nothing else
// frees them. One that a person has reserved goes back to being reserved.
//
// An owner has ended when the API server itself says that there is no object of
// its name and UID any more. Stopped, paused, migrating, restored or being
// deleted is not ended, and neither is anything that happened while no manager
// ran: every lease is looked at when a manager begins to lead.
package iplease

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// handlerName is in logs and metrics of the framework.
const handlerName = "freehold-iplease"

// The parts of Wrangler's controllers, clients and caches that are used here.
type (
	leases interface {
		kube.LeaseWriter
		EnqueueAfter(namespace, name string, pause time.Duration)
	}
)

// Handler frees the leases of owners that have ended.
type Handler struct {
	leases       leases
	pools        kube.Cached[*v1alpha1.IPPool]
	requests     kube.Live[*v1alpha1.VirtualMachineNetworkConfig]
	requestCache kube.Cached[*v1alpha1.VirtualMachineNetworkConfig]
	vms          kube.Live[*kubevirtv1.VirtualMachine]
	vmCache      kube.Cached[*kubevirtv1.VirtualMachine]
	ledger       *ledger.Ledger
	events       *kube.Announcer
	log          *slog.Logger
}

// New returns the handler. It takes the caches that it needs, so it is called
// before they are started.
func New(clients *kube.Clients, book *ledger.Ledger, events *kube.Announcer, log *slog.Logger) *Handler {
	return &Handler{
		leases:       clients.Leases,
		pools:        clients.Pools.Cache(),
		requests:     clients.Requests,
		requestCache: clients.Requests.Cache(),
		vms:          clients.VMs,
		vmCache:      clients.VMs.Cache(),
		ledger:       book,
		events:       events,
		log:          log.With("controller", "iplease"),
	}
}

// Register has the handler called for every lease, and again for the leases of
// a virtual machine or a request that has gone or has another UID.
func (h *Handler) Register(ctx context.Context, clients *kube.Clients) {
	clients.Leases.OnChange(ctx, handlerName, h.OnChange)
	clients.VMs.OnChange(ctx, handlerName, func(key string, vm *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachine, error) {
		if vm == nil {
			h.enqueueOwner(v1alpha1.OwnerVirtualMachine, key, "")
		} else {
			h.enqueueOwner(v1alpha1.OwnerVirtualMachine, key, vm.UID)
		}

		return vm, nil
	})
	clients.Requests.OnChange(ctx, handlerName, func(key string, request *v1alpha1.VirtualMachineNetworkConfig) (*v1alpha1.VirtualMachineNetworkConfig, error) {
		if request == nil {
			h.enqueueOwner(v1alpha1.OwnerVMNetCfg, key, "")
		} else {
			h.enqueueOwner(v1alpha1.OwnerVMNetCfg, key, request.UID)
		}

		return request, nil
	})
}

// enqueueOwner has the leases looked at that an owner of that key, but not of
// that UID, holds.
func (h *Handler) enqueueOwner(kind, key string, alive types.UID) {
	namespace, name := kube.SplitKey(key)

	for _, lease := range h.ledger.OfOwner(ledger.OwnerKey{Kind: kind, Namespace: namespace, Name: name}) {
		if lease.Spec.Owner.UID != alive {
			h.leases.EnqueueAfter(lease.Namespace, lease.Name, 0)
		}
	}
}

// OnChange frees the lease if its owner has ended. A reservation is a person's
// and is left alone.
func (h *Handler) OnChange(key string, lease *v1alpha1.IPLease) (*v1alpha1.IPLease, error) {
	if lease == nil || !lease.DeletionTimestamp.IsZero() || convert.Reserved(lease) {
		return lease, nil
	}

	ended, err := h.ended(lease.Spec.Owner)
	if err != nil {
		return lease, fmt.Errorf("look for the owner of IPLease %s: %w", key, err)
	}

	if !ended {
		return lease, nil
	}

	reserved, err := kube.FreeLease(h.leases, h.ledger, lease)
	if err != nil {
		// A conflict: it was changed meanwhile, perhaps to another owner.
		return lease, err //nolint:wrapcheck // the framework recognises a bare conflict and tries again quietly
	}

	h.announce(lease, reserved)

	return lease, nil
}

// ended tells whether the owner exists no more.
func (h *Handler) ended(owner *v1alpha1.LeaseOwner) (bool, error) {
	switch owner.Kind {
	case v1alpha1.OwnerVirtualMachine:
		return kube.Ended(h.vmCache, h.vms, owner) //nolint:wrapcheck // says what it is
	case v1alpha1.OwnerVMNetCfg:
		return kube.Ended(h.requestCache, h.requests, owner) //nolint:wrapcheck // as above
	default:
		// The schema knows no other kind; what a later version wrote is kept.
		return false, nil
	}
}

// announce tells what became of the address: reserved is the reservation that
// it is now, or nil.
func (h *Handler) announce(lease, reserved *v1alpha1.IPLease) {
	owner := lease.Spec.Owner
	h.log.Info("address freed: its owner is gone", "reserved", reserved != nil, "pool", ledger.PoolOf(lease).String(), "address", lease.Spec.Address,
		"mac", lease.Spec.MACAddress, "kind", owner.Kind, "owner", owner.Namespace+"/"+owner.Name)

	pool, err := h.pools.Get(lease.Namespace, lease.Spec.PoolName)
	if err != nil {
		return // the pool is gone too; nobody is left to tell
	}

	if reserved != nil {
		h.events.Note(pool, "released", v1alpha1.ReasonReleased, fmt.Sprintf("%s was deleted; %s is kept by %s",
			convert.OwnerName(owner), lease.Spec.Address, convert.Holder(reserved)))

		return
	}

	h.events.Note(pool, "released", v1alpha1.ReasonReleased, fmt.Sprintf("%s is free again: %s was deleted",
		lease.Spec.Address, convert.OwnerName(owner)))
}
