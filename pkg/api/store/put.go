package store

import (
	"fmt"
	"reflect"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	kubevirtv1 "kubevirt.io/api/core/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// Attach has the store filled from the caches of clients, which it takes: call
// it before they are started. HasSynced tells when it has what they held first.
func (s *Store) Attach(clients *kube.Clients) error {
	for kind, informer := range map[string]cache.SharedIndexInformer{
		"IPPools": clients.Pools.Informer(), "IPLeases": clients.Leases.Informer(),
		"VirtualMachineNetworkConfigs": clients.Requests.Informer(), "NetworkAttachmentDefinitions": clients.Networks.Informer(),
		"VirtualMachines": clients.VMs.Informer(), "VirtualMachineInstances": clients.VMIs.Informer(),
		"Pods": clients.Pods.Informer(), "Nodes": clients.Nodes.Informer(),
	} {
		registration, err := informer.AddEventHandler(s.handler())
		if err != nil {
			return fmt.Errorf("watch %s: %w", kind, err)
		}

		s.synced = append(s.synced, registration.HasSynced)
	}

	return nil
}

// HasSynced tells whether the store has what the caches held when they started.
func (s *Store) HasSynced() bool {
	return !slices.ContainsFunc(s.synced, func(synced func() bool) bool { return !synced() })
}

func (s *Store) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, first bool) {
			if first {
				s.Load(object)
			} else {
				s.Put(object)
			}
		},
		UpdateFunc: func(_, object any) { s.Put(object) },
		DeleteFunc: func(object any) {
			// A deletion that the watch missed comes as the last known state.
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}

			s.Drop(object)
		},
	}
}

// Load enters an object that was there before the store was: it is no change of
// it that the history should tell.
func (s *Store) Load(object any) { s.apply(object, true, true) }

// Put enters an object of a kind of kube.Clients as it is now.
func (s *Store) Put(object any) { s.apply(object, false, true) }

// Drop removes an object that is gone.
func (s *Store) Drop(object any) { s.apply(object, false, false) }

func (s *Store) apply(object any, first, there bool) {
	s.writes.Lock()
	defer s.writes.Unlock()

	s.mu.Lock()
	changes := s.applyLocked(object, first, there)
	s.mu.Unlock()

	s.tell(changes)
}

func (s *Store) tell(changes []Change) {
	now := s.config.Clock().UTC()

	for _, change := range changes {
		change.At = now
		s.feed.tell(change)
	}
}

func (s *Store) applyLocked(object any, first, there bool) []Change {
	switch object := object.(type) {
	case *v1alpha1.IPLease:
		return s.applyLease(object, first, there)
	case *v1alpha1.IPPool:
		return s.applyPool(object, there)
	case *v1alpha1.VirtualMachineNetworkConfig:
		return s.applyRequest(object, there)
	case *nadv1.NetworkAttachmentDefinition:
		return s.applyNetwork(object, there)
	case *kubevirtv1.VirtualMachine:
		return s.applyVM(object, there)
	case *kubevirtv1.VirtualMachineInstance:
		s.remember(keyOf(object))
		set(s.vmis, keyOf(object), object, there)

		return s.touchMachine(keyOf(object))
	case *corev1.Pod:
		return s.applyPod(object, there)
	case *corev1.Node:
		set(s.nodes, object.Name, object, there)

		return nil
	default:
		return nil
	}
}

func set[K comparable, V any](index map[K]V, key K, value V, there bool) {
	if there {
		index[key] = value
	} else {
		delete(index, key)
	}
}

func change(kind v1.ChangeKind, object metav1.Object, had, there bool) Change {
	told := Change{Kind: kind, Type: v1.ChangeChanged, Namespace: object.GetNamespace(), Name: object.GetName()}

	switch {
	case !there:
		told.Type = v1.ChangeRemoved
	case !had:
		told.Type = v1.ChangeAdded
	default:
	}

	return told
}

func (s *Store) applyLease(lease *v1alpha1.IPLease, first, there bool) []Change {
	key := keyOf(lease)

	var (
		before *leaseEntry
		had    bool
	)

	if there {
		s.config.Ledger.Put(lease)
		before, had = s.leases.put(key, s.newLeaseEntry(lease))
	} else {
		s.config.Ledger.Drop(lease)
		before, had = s.leases.drop(key)
	}

	var old *v1alpha1.IPLease
	if had {
		old = before.facts.Lease
	}

	if !had && !there || there && sameVersion(old, lease) {
		return nil // a resync
	}

	if !first {
		s.history.note(s.config.Clock().UTC(), old, lease, there)
	}

	changes := []Change{change(v1.ChangeLease, lease, had, there)}

	// What a machine shows of its lease is in the lease's spec.
	if old != nil && there && old.UID == lease.UID && reflect.DeepEqual(old.Spec, lease.Spec) {
		return changes
	}

	for _, owner := range ownersOf(old, lease) {
		// The ledger may have shown the lease before, so that the body is the
		// same by now and nobody was told.
		if entry := s.machines.entries[owner]; entry != nil {
			entry.told = 0
		}

		changes = append(changes, s.touchMachine(owner)...)
	}

	return changes
}

func sameVersion(old, lease *v1alpha1.IPLease) bool {
	return old != nil && old.ResourceVersion == lease.ResourceVersion && lease.ResourceVersion != ""
}

// ownersOf returns the machines that the lease is or was of.
func ownersOf(leases ...*v1alpha1.IPLease) []Key {
	var owners []Key

	for _, lease := range leases {
		if lease == nil || lease.Spec.Owner == nil {
			continue
		}

		owner := Key{Namespace: lease.Spec.Owner.Namespace, Name: lease.Spec.Owner.Name}
		if !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}

	return owners
}

// ownedLeases has the leases read anew that an owner of that name has.
func (s *Store) ownedLeases(kind string, owner Key) []Change {
	var changes []Change

	for _, lease := range s.config.Ledger.OfOwner(ledger.OwnerKey{Kind: kind, Namespace: owner.Namespace, Name: owner.Name}) {
		changes = append(changes, s.renewLease(keyOf(lease))...)
	}

	return changes
}

func (s *Store) applyPool(pool *v1alpha1.IPPool, there bool) []Change {
	key := keyOf(pool)

	var (
		before *poolEntry
		had    bool
		now    = newPoolEntry(pool)
	)

	if there {
		before, had = s.pools.put(key, now)
	} else {
		before, had = s.pools.drop(key)
		delete(s.heard, key)
	}

	if had {
		unlink(s.poolsOf, before.network, key)
	}

	if there {
		link(s.poolsOf, now.network, key, pool)
	}

	changes := []Change{change(v1.ChangePool, pool, had, there)}

	// Whether, and by which pool, a network is served.
	if had != there || had && (before.network != now.network || before.pool.UID != pool.UID ||
		before.pool.DeletionTimestamp.IsZero() != pool.DeletionTimestamp.IsZero()) {
		s.serving++

		for _, lease := range s.config.Ledger.OfPool(key) {
			changes = append(changes, s.renewLease(keyOf(lease))...)
		}
	}

	return changes
}

func (s *Store) applyRequest(request *v1alpha1.VirtualMachineNetworkConfig, there bool) []Change {
	key, machine := keyOf(request), Key{Namespace: request.Namespace, Name: request.Spec.VMName}
	touched := []Key{machine}

	s.remember(machine)

	// vmName cannot be changed, but an object of the same name may be another.
	if before := s.requests[key]; before != nil {
		old := Key{Namespace: before.Namespace, Name: before.Spec.VMName}
		unlink(s.requestsOf, old, key)

		if old != machine {
			touched = append(touched, old)
		}
	}

	set(s.requests, key, request, there)

	if there {
		link(s.requestsOf, machine, key, request)
	}

	var changes []Change

	for _, one := range touched {
		changes = append(changes, s.touchMachine(one)...)
		changes = append(changes, s.ownedLeases(v1alpha1.OwnerVirtualMachine, one)...)
	}

	return append(changes, s.ownedLeases(v1alpha1.OwnerVMNetCfg, key)...)
}

func (s *Store) applyVM(vm *kubevirtv1.VirtualMachine, there bool) []Change {
	key := keyOf(vm)
	before := s.vms[key]

	s.remember(key)
	set(s.vms, key, vm, there)

	changes := s.touchMachine(key)
	if !there || before == nil || before.UID != vm.UID {
		changes = append(changes, s.ownedLeases(v1alpha1.OwnerVirtualMachine, key)...)
	}

	return changes
}

func (s *Store) applyNetwork(network *nadv1.NetworkAttachmentDefinition, there bool) []Change {
	var had bool

	if there {
		_, had = s.networks.put(keyOf(network), network)
	} else {
		_, had = s.networks.drop(keyOf(network))
	}

	return []Change{change(v1.ChangeNetwork, network, had, there)}
}

func (s *Store) applyPod(pod *corev1.Pod, there bool) []Change {
	key, entry := keyOf(pod), newPodEntry(pod)

	var (
		before *podEntry
		had    bool
	)

	if there {
		before, had = s.pods.put(key, entry)
	} else {
		before, had = s.pods.drop(key)
	}

	if had {
		unlink(s.podsOf, before.pool, key)
	}

	if there {
		link(s.podsOf, entry.pool, key, entry)
	}

	agent := change(v1.ChangeAgent, pod, had, there)
	// Who may see a pool may see its agents, wherever they run.
	agent.Namespace = entry.pool.Namespace
	changes := []Change{agent}

	// How many answer is a fact of the pool.
	for pool := range s.pools.entries {
		if labelKey(pool) == entry.pool {
			changes = append(changes, Change{Kind: v1.ChangePool, Type: v1.ChangeChanged, Namespace: pool.Namespace, Name: pool.Name})
		}
	}

	return changes
}

func ownerIs(uid types.UID) func(metav1.OwnerReference) bool {
	return func(owner metav1.OwnerReference) bool { return owner.UID == uid }
}
