package ippool

import (
	"context"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// Complete fills in what was left empty: the namespace of the network, which is
// the pool's, the server address and the ends of the range. A pool that is wrong
// is left as it is, for Validate to say so. It is a review.Defaults.
func (w World) Complete(_ context.Context, request review.Request[v1alpha1.IPPool]) (review.Changes, error) {
	var changes review.Changes

	pool, old := request.Object, request.Old
	if !pool.DeletionTimestamp.IsZero() {
		return changes, nil
	}

	if name := networkName(pool, old); name != pool.Spec.NetworkName {
		changes.Set(name, "spec", "networkName")
	}

	w.completePlan(pool, old, &changes)

	return changes, nil
}

// networkName returns the network in full. The field cannot be changed, so a
// pool that exists keeps its spelling: one with the other spelling of the same
// network would be refused.
func networkName(pool, old *v1alpha1.IPPool) string {
	full := kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)

	switch {
	case full == "":
		return pool.Spec.NetworkName
	case old == nil:
		return full
	case full == kube.NetworkKey(old.Spec.NetworkName, old.Namespace):
		return old.Spec.NetworkName
	default:
		return pool.Spec.NetworkName
	}
}

func (w World) completePlan(pool, old *v1alpha1.IPPool, changes *review.Changes) {
	given := pool.Spec.IPv4Config
	if given.ServerIP != "" && given.Pool.Start != "" && given.Pool.End != "" {
		return
	}

	completed, ok := w.completed(pool, old)
	if !ok {
		return
	}

	config := completed.IPv4Config

	if given.ServerIP == "" {
		changes.Set(config.ServerIP, "spec", "ipv4Config", "serverIP")
		changes.Warn("spec.ipv4Config.serverIP was empty: %s was filled in as the address of the DHCP server", config.ServerIP)
	}

	if given.Pool.Start == "" {
		changes.Set(config.Pool.Start, "spec", "ipv4Config", "pool", "start")
	}

	if given.Pool.End == "" {
		changes.Set(config.Pool.End, "spec", "ipv4Config", "pool", "end")
	}

	if given.Pool.Start == "" || given.Pool.End == "" {
		changes.Warn("spec.ipv4Config.pool was completed: addresses from %s to %s are given out", config.Pool.Start, config.Pool.End)
	}
}

// completed returns the spec with its defaults. The server stays where it was,
// if it can, and does not go to an address that is held.
func (w World) completed(pool, old *v1alpha1.IPPool) (v1alpha1.IPPoolSpec, bool) {
	if pool.Spec.IPv4Config.ServerIP == "" && old != nil && old.Spec.IPv4Config.ServerIP != "" {
		kept := pool.Spec.DeepCopy()
		kept.IPv4Config.ServerIP = old.Spec.IPv4Config.ServerIP

		if len(convert.CompletePool(kept)) == 0 {
			return *kept, true
		}
	}

	chosen := pool.Spec.DeepCopy()
	if len(convert.CompletePool(chosen)) > 0 {
		return v1alpha1.IPPoolSpec{}, false
	}

	if pool.Spec.IPv4Config.ServerIP != "" || !w.held(pool, chosen) {
		return *chosen, true
	}

	// Once more, with what is held out of the way.
	careful := pool.Spec.DeepCopy()

	for _, lease := range w.Leases.OfPool(keyOf(pool)) {
		if address := ledger.AddressOf(lease); address.Is4() {
			careful.IPv4Config.Pool.Exclude = append(careful.IPv4Config.Pool.Exclude, address.String())
		}
	}

	if len(convert.CompletePool(careful)) == 0 {
		chosen.IPv4Config.ServerIP = careful.IPv4Config.ServerIP
	}

	return *chosen, true
}

// held tells whether the server's address in spec is held in the pool.
func (w World) held(pool *v1alpha1.IPPool, spec *v1alpha1.IPPoolSpec) bool {
	server, err := convert.IPv4(spec.IPv4Config.ServerIP)

	return err == nil && w.Leases.Holder(keyOf(pool), server) != nil
}
