// Package ippool holds the rules that admit IPPools: which defaults are filled
// in, what may be created and edited, and when a pool may go.
//
// What can be said of a pool by itself is said by convert; here are the rules
// that need to see more: the network, other pools, leases and requests. The
// package reads caches and writes nothing.
package ippool

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// Networks finds VM networks. The error is NotFound when there is none of that
// name.
type Networks interface {
	Get(namespace, name string) (*nadv1.NetworkAttachmentDefinition, error)
}

// Requests finds requests by an index; the cache of requests is one.
type Requests interface {
	GetByIndex(indexName, key string) ([]*v1alpha1.VirtualMachineNetworkConfig, error)
}

// Leases knows what is held; a *ledger.Ledger does.
type Leases interface {
	OfPool(pool ledger.Key) []*v1alpha1.IPLease
	Holder(pool ledger.Key, address netip.Addr) *v1alpha1.IPLease
}

// Namespaces tells whether a namespace is being deleted, or is gone already.
type Namespaces interface {
	Terminating(ctx context.Context, name string) (bool, error)
}

// World is what the rules look at beside the pool itself. All of it is required
// but ServiceCIDRs. It is safe for concurrent use if its parts are.
type World struct {
	Networks   Networks
	Pools      kube.PoolFinder
	Requests   Requests
	Leases     Leases
	Namespaces Namespaces
	// ServiceCIDRs are the prefixes of the cluster's Services. A pool that
	// overlaps one would cut its guests off from the cluster, and its nodes from
	// the API server. When empty, this is not checked: nothing is guessed.
	ServiceCIDRs []netip.Prefix
}

// Paths of the fields that the rules speak of.
func networkPath() *field.Path { return field.NewPath("spec", "networkName") }
func configPath() *field.Path  { return field.NewPath("spec", "ipv4Config") }

// Validate judges a request about a pool. It is a review.Rules.
//
// An UPDATE is let through when the pool is being deleted, because only its
// finalizers can change then, and when neither the network nor the plan and
// options change: an old mistake must not stand in the way of a label, of a
// pause or of our own bookkeeping. Of an UPDATE that changes them, mistakes that
// were there before are warnings.
func (w World) Validate(ctx context.Context, request review.Request[v1alpha1.IPPool]) (review.Verdict, error) {
	if request.Operation == admissionv1.Delete {
		return w.validateDelete(ctx, request.Old)
	}

	pool, old := request.Object, request.Old
	if !pool.DeletionTimestamp.IsZero() {
		return review.Verdict{}, nil
	}

	if old != nil && samePlan(pool, old) {
		return review.Verdict{}, nil
	}

	var verdict review.Verdict

	judgeItself(pool, old, &verdict)

	if err := w.judgeNetwork(pool, old, &verdict); err != nil {
		return review.Verdict{}, err
	}

	plan, errs := convert.PoolPlan(&pool.Spec)
	if len(errs) > 0 {
		return verdict, nil // As judgeItself said.
	}

	if old == nil || old.Spec.IPv4Config.CIDR != pool.Spec.IPv4Config.CIDR {
		w.judgeServices(plan, pool.Spec.IPv4Config.CIDR, &verdict)
	}

	judgeServer(pool, old, plan, &verdict)
	w.judgeLeases(pool, old, plan, &verdict)

	if ipam.Count(plan, nil).Free == 0 {
		verdict.Warn("the pool can give out no address: all of %s is excluded or is the server's or the router's", plan.Range)
	}

	return verdict, nil
}

// samePlan tells whether two states of a pool have the same network, plan and
// options.
func samePlan(a, b *v1alpha1.IPPool) bool {
	return equality.Semantic.DeepEqual(a.Spec.IPv4Config, b.Spec.IPv4Config) &&
		a.Spec.NetworkName == b.Spec.NetworkName
}

// judgeItself refuses what convert refuses, and warns of what it would have
// refused before.
func judgeItself(pool, old *v1alpha1.IPPool, verdict *review.Verdict) {
	var before field.ErrorList
	if old != nil {
		before = convert.ValidatePool(old)
	}

	for _, problem := range convert.ValidatePool(pool) {
		known := slices.ContainsFunc(before, func(other *field.Error) bool { return other.Error() == problem.Error() })
		if known {
			verdict.Warn("%s", problem.Error())
		} else {
			verdict.Refuse(problem)
		}
	}
}

// judgeNetwork looks at the network and at other pools on it.
func (w World) judgeNetwork(pool, old *v1alpha1.IPPool, verdict *review.Verdict) error {
	namespace, name, err := convert.NetworkRef(pool.Spec.NetworkName, pool.Namespace)
	if err != nil {
		return nil //nolint:nilerr // judgeItself has said so
	}

	network := namespace + "/" + name

	found, err := w.Networks.Get(namespace, name)

	switch {
	case apierrors.IsNotFound(err):
		missing := field.NotFound(networkPath(), pool.Spec.NetworkName)
		missing.Detail = fmt.Sprintf("there is no NetworkAttachmentDefinition %s; create the VM network first, or correct the name", network)
		verdict.Refuse(missing)
	case err != nil:
		return fmt.Errorf("get NetworkAttachmentDefinition %s: %w", network, err)
	default:
		judgeSuitability(pool, found, verdict)
	}

	others, err := kube.PoolsOf(w.Pools, network)
	if err != nil {
		return fmt.Errorf("find the pools of network %s: %w", network, err)
	}

	for _, other := range others {
		if other.Namespace == pool.Namespace && other.Name == pool.Name {
			continue
		}

		if old == nil {
			verdict.Refuse(field.Invalid(networkPath(), pool.Spec.NetworkName, fmt.Sprintf(
				"network %s is served by IPPool %s/%s already, and two pools would give out addresses twice; edit that pool, or delete it first",
				network, other.Namespace, other.Name)))
		} else {
			// Pools that were there before the rule. One of them has to be
			// editable.
			verdict.Warn("IPPool %s/%s is on network %s too; the older of the two serves it, delete the other one",
				other.Namespace, other.Name, network)
		}

		break
	}

	return nil
}

// judgeSuitability refuses a network that can never be served. Of one that can
// be put right it warns: the pool may well come before that edit, and serves
// after it.
func judgeSuitability(pool *v1alpha1.IPPool, network *nadv1.NetworkAttachmentDefinition, verdict *review.Verdict) {
	if reason := kube.NetworkNeverSuitable(network); reason != "" {
		verdict.Refuse(field.Invalid(networkPath(), pool.Spec.NetworkName, reason))
	} else if reason := kube.NetworkUnsuitable(network); reason != "" {
		verdict.Warn("network %s cannot be served as it is: %s", pool.Spec.NetworkName, reason)
	}
}

// judgeServices refuses a network that overlaps the cluster's Services.
func (w World) judgeServices(plan ipam.Plan, cidr string, verdict *review.Verdict) {
	for _, services := range w.ServiceCIDRs {
		if services.Overlaps(plan.Prefix) {
			verdict.Refuse(field.Invalid(configPath().Child("cidr"), cidr, fmt.Sprintf(
				"overlaps %s, the network of the cluster's Services, so neither its guests nor its nodes could tell the two apart; "+
					"use another network, or correct the manager's --service-cidr", services)))
		}
	}
}

// judgeServer looks at a server address that is excluded. Plans written for
// vm-dhcp-controller have it, so a new pool may; but moving the server of a
// pool to an address that was kept for somebody else is a mistake.
func judgeServer(pool, old *v1alpha1.IPPool, plan ipam.Plan, verdict *review.Verdict) {
	server := pool.Spec.IPv4Config.ServerIP
	if server == "" || old != nil && old.Spec.IPv4Config.ServerIP == server {
		return
	}

	for i, excluded := range plan.Excluded {
		if !excluded.Contains(plan.Server) {
			continue
		}

		entry := configPath().Child("pool", "exclude").Index(i)

		if old == nil {
			verdict.Warn("%s contains the server address %s; make sure that no other machine has it", entry, server)
		} else {
			verdict.Refuse(field.Invalid(configPath().Child("serverIP"), server, fmt.Sprintf(
				"server ip %s is already occupied: %s keeps it for another machine; choose another address, or take it out of the list first", server, entry)))
		}

		return
	}
}
