package view

import (
	"fmt"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
)

// PoolFacts is what is known of one pool.
type PoolFacts struct {
	Pool *v1alpha1.IPPool
	// Network is the pool's network; nil if it does not exist.
	Network *nadv1.NetworkAttachmentDefinition
	// Problems are what is wrong with its plan; Counts says nothing with any.
	Problems field.ErrorList
	Counts   ipam.Counts
	// Agents are those of the pool, as they are now.
	Agents []v1.Agent
}

// Pool returns the body of a pool.
func Pool(facts PoolFacts) v1.Pool {
	pool := facts.Pool
	body := v1.Pool{
		Namespace: pool.Namespace, Name: pool.Name, UID: string(pool.UID), CreatedAt: utc(pool.CreationTimestamp),
		ResourceVersion: pool.ResourceVersion,
		Network:         poolNetwork(pool, facts.Network),
		Spec:            Plan(&pool.Spec),
		Agents:          poolAgents(facts),
		Conditions:      conditions(pool.Status.Conditions),
	}

	if len(facts.Problems) == 0 {
		body.Counts = counts(facts.Counts)
	}

	body.State, body.Message = poolState(facts, body.Agents)

	return body
}

func poolNetwork(pool *v1alpha1.IPPool, network *nadv1.NetworkAttachmentDefinition) v1.PoolNetwork {
	key := kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)
	if key == "" {
		return v1.PoolNetwork{Name: pool.Spec.NetworkName}
	}

	namespace, name := kube.SplitKey(key)
	body := v1.PoolNetwork{Namespace: namespace, Name: name, Exists: network != nil}

	if network != nil {
		body.ClusterNetwork = kube.ClusterNetworkOf(network)
		body.VLAN = kube.NetworkVLAN(network)
	}

	return body
}

func poolAgents(facts PoolFacts) v1.PoolAgents {
	agents := v1.PoolAgents{Nodes: []string{}}

	if status := facts.Pool.Status.Agent; status != nil {
		agents.Wanted = int(status.Replicas)
	}

	for _, agent := range facts.Agents {
		if agent.Ready {
			agents.Ready++
			agents.Nodes = append(agents.Nodes, agent.Node)
		}
	}

	slices.Sort(agents.Nodes)
	agents.Nodes = slices.Compact(agents.Nodes)

	return agents
}

func counts(from ipam.Counts) v1.Counts {
	number := func(n uint64) *int64 {
		value := int64(n) //nolint:gosec // an IPv4 range has at most 2^32 addresses

		return &value
	}

	return v1.Counts{
		Size: number(from.Size), Used: number(from.Used), Available: number(from.Free),
		Reserved: number(from.Reserved), Excluded: number(from.Excluded),
	}
}

// poolState finds the one word for the pool, and why.
func poolState(facts PoolFacts, agents v1.PoolAgents) (state v1.PoolState, message string) {
	of := func(kind string) *metav1.Condition {
		return meta.FindStatusCondition(facts.Pool.Status.Conditions, kind)
	}
	registered, served := of(v1alpha1.IPPoolRegistered), of(v1alpha1.IPPoolAgentReady)

	switch {
	case PoolPaused(facts.Pool):
		return v1.PoolPaused, "spec.paused is true: no agent answers and no address is given out; what is held stays held"
	case len(facts.Problems) > 0:
		return v1.PoolInvalid, facts.Problems.ToAggregate().Error()
	case registered == nil || served == nil:
		return v1.PoolUnknown, "no manager has looked at the pool yet; if it stays so, see whether a manager leads"
	case registered.Status == metav1.ConditionFalse:
		return v1.PoolInvalid, registered.Message
	case agents.Ready == 0 && served.Status == metav1.ConditionFalse:
		return v1.PoolUnserved, served.Message
	case agents.Ready == 0:
		return v1.PoolUnserved, "no agent answers just now; guests keep what they have until their leases run out"
	case agents.Ready < agents.Wanted:
		return v1.PoolDegraded, fmt.Sprintf("%d of %d agents answer", agents.Ready, agents.Wanted)
	case facts.Counts.Free == 0:
		return v1.PoolDegraded, "no address is left to be given out; widen the range, or release what nobody needs"
	default:
		return v1.PoolReady, served.Message
	}
}

// PoolPaused tells whether a person has paused the pool.
func PoolPaused(pool *v1alpha1.IPPool) bool { return pool.Spec.Paused != nil && *pool.Spec.Paused }

// Plan returns the plan of a pool as the API has it.
func Plan(spec *v1alpha1.IPPoolSpec) v1.PoolPlan {
	from := spec.IPv4Config
	plan := v1.PoolPlan{
		NetworkName: spec.NetworkName,
		Paused:      spec.Paused,
		IPv4Config: v1.IPv4Config{
			CIDR: from.CIDR, ServerIP: from.ServerIP, Router: from.Router, DNS: from.DNS,
			DomainName: from.DomainName, DomainSearch: from.DomainSearch, NTP: from.NTP,
			LeaseTime: from.LeaseTime, MTU: from.MTU,
		},
	}

	if spec.Agent != nil {
		plan.Agent = &v1.AgentPlan{Replicas: spec.Agent.Replicas}
	}

	if from.Pool.Start != "" || from.Pool.End != "" || len(from.Pool.Exclude) > 0 {
		plan.IPv4Config.Pool = &v1.RangePlan{Start: from.Pool.Start, End: from.Pool.End, Exclude: from.Pool.Exclude}
	}

	for _, route := range from.Routes {
		plan.IPv4Config.Routes = append(plan.IPv4Config.Routes, v1.RoutePlan(route))
	}

	return plan
}
