package ippool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// users is who stands in the way of a pool's deletion.
type users struct {
	// requests have a NIC on the pool's network; sorted.
	requests []string
	// holders are the owners of leases that none of the requests stands for,
	// each with its addresses; sorted.
	holders []string
	// namespaces are those of all of them.
	namespaces map[string]struct{}
	// unowned counts the reservations.
	unowned int
}

// validateDelete refuses to delete a pool that is in use, which goes by its
// network and its leases and not by its name.
func (w World) validateDelete(ctx context.Context, pool *v1alpha1.IPPool) (review.Verdict, error) {
	var verdict review.Verdict

	using, err := w.usersOf(pool)
	if err != nil {
		return verdict, err
	}

	if using.unowned > 0 {
		verdict.Warn("%s that nobody holds will stay; delete them if they are not for a pool to come",
			count(using.unowned, "IPLease", "IPLeases"))
	}

	if len(using.requests)+len(using.holders) == 0 || w.namespaceGoes(ctx, pool, using, &verdict) {
		return verdict, nil
	}

	network := kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)

	if len(using.requests) > 0 {
		verdict.Refuse(&field.Error{Type: field.ErrorTypeForbidden, Detail: fmt.Sprintf(
			"it's still used by VirtualMachineNetworkConfig(s) %s, which must be removed at first; "+
				"delete the virtual machines, or take their NICs off network %s (to stop the pool meanwhile, set its spec.paused to true)",
			enumerate(using.requests), network)})
	}

	if len(using.holders) > 0 {
		verdict.Refuse(&field.Error{Type: field.ErrorTypeForbidden, Detail: fmt.Sprintf(
			"it still holds the addresses of %s, which must be removed at first; "+
				"delete them, or take their NICs off network %s, and the addresses are freed", enumerate(using.holders), network)})
	}

	return verdict, nil
}

// usersOf finds who uses the pool. Requests do not count when they are being
// deleted, because their leases do as long as they hold any, nor when another
// pool is on the network and would go on serving them.
func (w World) usersOf(pool *v1alpha1.IPPool) (users, error) {
	using := users{namespaces: map[string]struct{}{}}
	represented := map[ledger.OwnerKey]struct{}{}
	network := kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)

	served, err := w.servedWithout(pool, network)
	if err != nil {
		return using, err
	}

	if network != "" && !served {
		requests, err := w.Requests.GetByIndex(kube.IndexRequestByNetwork, network)
		if err != nil {
			return using, fmt.Errorf("find the requests on network %s: %w", network, err)
		}

		for _, request := range requests {
			if !request.DeletionTimestamp.IsZero() {
				continue
			}

			using.requests = append(using.requests, request.Namespace+"/"+request.Name)
			using.namespaces[request.Namespace] = struct{}{}
			represented[ledger.OwnerKey{Kind: v1alpha1.OwnerVMNetCfg, Namespace: request.Namespace, Name: request.Name}] = struct{}{}
			represented[ledger.OwnerKey{Kind: v1alpha1.OwnerVirtualMachine, Namespace: request.Namespace, Name: request.Spec.VMName}] = struct{}{}
		}
	}

	addresses := map[string][]string{}

	for _, lease := range w.Leases.OfPool(keyOf(pool)) {
		owner := lease.Spec.Owner
		if convert.Reserved(lease) {
			using.unowned++

			continue
		}

		using.namespaces[owner.Namespace] = struct{}{}

		if _, ok := represented[ledger.OwnerKey{Kind: owner.Kind, Namespace: owner.Namespace, Name: owner.Name}]; !ok {
			addresses[convert.OwnerName(owner)] = append(addresses[convert.OwnerName(owner)], lease.Spec.Address)
		}
	}

	slices.Sort(using.requests)

	for _, holder := range slices.Sorted(maps.Keys(addresses)) {
		using.holders = append(using.holders, fmt.Sprintf("%s (%s)", holder, strings.Join(addresses[holder], ", ")))
	}

	return using, nil
}

// servedWithout tells whether another pool is on the network.
func (w World) servedWithout(pool *v1alpha1.IPPool, network string) (bool, error) {
	others, err := kube.PoolsOf(w.Pools, network)
	if err != nil {
		return false, fmt.Errorf("find the pools of network %s: %w", network, err)
	}

	return slices.ContainsFunc(others, func(other *v1alpha1.IPPool) bool { return keyOf(other) != keyOf(pool) }), nil
}

// namespaceGoes tells whether the pool is deleted with its namespace and all of
// its users with it. Refusing it then would leave the namespace terminating for
// as long as its objects happen to be deleted in the wrong order.
func (w World) namespaceGoes(ctx context.Context, pool *v1alpha1.IPPool, using users, verdict *review.Verdict) bool {
	if _, inside := using.namespaces[pool.Namespace]; !inside || len(using.namespaces) > 1 {
		return false
	}

	goes, err := w.Namespaces.Terminating(ctx, pool.Namespace)
	if err != nil {
		verdict.Warn("whether namespace %s is being deleted could not be found out: %v", pool.Namespace, err)

		return false
	}

	return goes
}
