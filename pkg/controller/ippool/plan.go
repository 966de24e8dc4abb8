package ippool

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
)

// defaultReplicas is how many agents a pool has unless it says otherwise: one
// answers while the other one is gone.
const defaultReplicas = 2

// observation is what the controller sees of one pool.
type observation struct {
	pool *v1alpha1.IPPool
	// network is the pool's network; nil if it does not exist.
	network *nadv1.NetworkAttachmentDefinition
	// networkKey is "namespace/name", or "" if spec.networkName cannot be read.
	networkKey string
	// unsuitable says why no agent can serve the network, or is "".
	unsuitable string
	// rival serves the network instead of this pool; nil if this one does.
	rival *v1alpha1.IPPool
	// plan is the address plan; problems are what is wrong with it.
	plan     ipam.Plan
	problems field.ErrorList
	// counts divides the addresses; leases are those of a small pool.
	counts ipam.Counts
	leases []*v1alpha1.IPLease
	// nodes are the names of the nodes that carry the network.
	nodes []string
	// present is the Deployment of the pool's agents, or nil.
	present *appsv1.Deployment
	// ready are the names of the nodes with a ready agent, one for each agent.
	ready []string
}

// decision is what to do about one pool.
type decision struct {
	// apply: the agents' Deployment has to be as wanted says.
	apply    bool
	replicas int32
	image    string
	// remove: there must be no agents.
	remove bool
	status v1alpha1.IPPoolStatus
}

// plan decides what becomes of the pool's agents and what its status says. It
// changes nothing that it is given.
func plan(seen observation, config AgentConfig) decision {
	do := decision{replicas: replicas(seen), image: image(seen, config)}

	switch {
	case paused(seen.pool), seen.rival != nil, seen.unsuitable != "":
		do.remove = true
	case seen.network == nil, len(seen.problems) > 0:
		// What runs goes on with what it knows; nothing new is started.
	default:
		do.apply = true
	}

	do.status = status(seen, do)

	return do
}

func paused(pool *v1alpha1.IPPool) bool {
	return pool.Spec.Paused != nil && *pool.Spec.Paused
}

// replicas is the number of agents: as many as asked for, but each needs a node.
func replicas(seen observation) int32 {
	wanted := int32(defaultReplicas)
	if agent := seen.pool.Spec.Agent; agent != nil && agent.Replicas != nil {
		wanted = *agent.Replicas
	}

	return max(1, min(wanted, int32(len(seen.nodes)))) //nolint:gosec // a cluster has fewer than 2^31 nodes
}

// image is the agents' image: the manager's choice, unless an upgrade is held
// back; then the agents keep what they run.
func image(seen observation, config AgentConfig) string {
	hold, held := seen.pool.Annotations[v1alpha1.AnnotationHoldUpgrade]
	if !held || hold == "false" || seen.present == nil {
		return config.Image
	}

	for _, container := range seen.present.Spec.Template.Spec.Containers {
		if container.Name == agentContainer {
			return container.Image
		}
	}

	return config.Image
}

func status(seen observation, do decision) v1alpha1.IPPoolStatus {
	next := *seen.pool.Status.DeepCopy()
	next.ObservedGeneration = seen.pool.Generation

	if len(seen.problems) == 0 {
		next.IPv4 = ipv4Status(seen)
	}

	next.Agent = agentStatus(seen, do)
	next.Conditions = conditions(seen, do)

	return next
}

func ipv4Status(seen observation) *v1alpha1.IPv4Status {
	return &v1alpha1.IPv4Status{
		Range:     seen.plan.Range.String(),
		Size:      int64(seen.counts.Size),     //nolint:gosec // an IPv4 range has at most 2^32 addresses
		Used:      int64(seen.counts.Used),     //nolint:gosec // as above
		Available: int64(seen.counts.Free),     //nolint:gosec // as above
		Reserved:  int64(seen.counts.Reserved), //nolint:gosec // as above
		Excluded:  int64(seen.counts.Excluded), //nolint:gosec // as above
		Allocated: allocated(seen),
	}
}

// maxAllocated is the size up to which status.ipv4.allocated is filled in.
const maxAllocated = 1024

// allocated is the old view of who holds what. It returns nil for pools that
// are too large for it.
func allocated(seen observation) map[string]string {
	marks := seen.counts.Excluded + seen.counts.Reserved
	if seen.counts.Used > maxAllocated || marks > maxAllocated {
		return nil
	}

	view := map[string]string{}

	for _, excluded := range seen.plan.Excluded {
		// What is excluded outside the range may be millions, and is not shown.
		first, last := excluded.First, excluded.Last
		if first.Less(seen.plan.Range.First) {
			first = seen.plan.Range.First
		}

		if seen.plan.Range.Last.Less(last) {
			last = seen.plan.Range.Last
		}

		for address := first; address.IsValid() && !last.Less(address); address = address.Next() {
			view[address.String()] = v1alpha1.MarkExcluded
		}
	}

	for _, address := range []netip.Addr{seen.plan.Server, seen.plan.Router} {
		if seen.plan.Range.Contains(address) {
			view[address.String()] = v1alpha1.MarkReserved
		}
	}

	for _, lease := range seen.leases {
		view[lease.Spec.Address] = lease.Spec.MACAddress
		if lease.Spec.MACAddress == "" {
			view[lease.Spec.Address] = v1alpha1.MarkReserved
		}
	}

	return view
}

func agentStatus(seen observation, do decision) *v1alpha1.AgentStatus {
	ready := int32(len(seen.ready)) //nolint:gosec // at most 16 replicas and as many again during an upgrade

	if do.remove {
		if ready == 0 {
			return nil
		}

		do.replicas = 0
	}

	nodes := slices.Clone(seen.ready)
	slices.Sort(nodes)

	return &v1alpha1.AgentStatus{
		Summary:  fmt.Sprintf("%d/%d", ready, do.replicas),
		Replicas: do.replicas,
		Ready:    ready,
		Image:    do.image,
		Nodes:    slices.Compact(nodes),
	}
}

// conditions says in four conditions what is so and why.
func conditions(seen observation, do decision) []metav1.Condition {
	kept := slices.DeleteFunc(slices.Clone(seen.pool.Status.Conditions), func(condition metav1.Condition) bool {
		switch condition.Type {
		case v1alpha1.IPPoolRegistered, v1alpha1.IPPoolCacheReady, v1alpha1.IPPoolAgentReady, v1alpha1.IPPoolStopped:
			return false
		default:
			return true
		}
	})

	for _, condition := range []metav1.Condition{registered(seen), cacheReady(seen), agentReady(seen, do), stopped(seen)} {
		condition.ObservedGeneration = seen.pool.Generation
		meta.SetStatusCondition(&kept, condition)
	}

	return kept
}

func registered(seen observation) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.IPPoolRegistered, Status: metav1.ConditionFalse}

	switch {
	case seen.network == nil:
		condition.Reason = v1alpha1.ReasonNetworkMissing
		condition.Message = fmt.Sprintf("network %s does not exist; create it, or delete this pool", seen.pool.Spec.NetworkName)
	case seen.unsuitable != "":
		condition.Reason = v1alpha1.ReasonNetworkUnmanaged
		condition.Message = fmt.Sprintf("network %s cannot be served: %s", seen.networkKey, seen.unsuitable)
	case seen.rival != nil:
		condition.Reason = v1alpha1.ReasonPoolConflict
		condition.Message = fmt.Sprintf("network %s is served by IPPool %s/%s, which is older; delete one of the two",
			seen.networkKey, seen.rival.Namespace, seen.rival.Name)
	default:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonRegistered
		condition.Message = fmt.Sprintf("serves network %s", seen.networkKey)
	}

	return condition
}

func cacheReady(seen observation) metav1.Condition {
	if len(seen.problems) > 0 {
		return metav1.Condition{
			Type: v1alpha1.IPPoolCacheReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonPoolInvalid,
			Message: seen.problems.ToAggregate().Error(),
		}
	}

	return metav1.Condition{Type: v1alpha1.IPPoolCacheReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPlanValid}
}

func stopped(seen observation) metav1.Condition {
	if paused(seen.pool) {
		return metav1.Condition{
			Type: v1alpha1.IPPoolStopped, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPoolPaused,
			Message: "spec.paused is true: no agent answers and no address is given out; what is held stays held",
		}
	}

	return metav1.Condition{Type: v1alpha1.IPPoolStopped, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRunning}
}

// agentReady answers "is it served, and why not".
func agentReady(seen observation, do decision) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.IPPoolAgentReady, Status: metav1.ConditionFalse}
	ready := len(seen.ready)

	nodes := slices.Clone(seen.ready)
	slices.Sort(nodes)
	where := strings.Join(slices.Compact(nodes), ", ")

	switch {
	case paused(seen.pool):
		condition.Reason = v1alpha1.ReasonPoolPaused
		condition.Message = "the pool is paused, so it has no agents"
	case do.remove:
		condition.Reason = v1alpha1.ReasonAgentsNotReady
		condition.Message = "the pool does not serve its network (see condition Registered), so it has no agents"
	case ready > 0:
		condition.Status = metav1.ConditionTrue
		condition.Reason, condition.Message = readyReason(seen, do, ready, where)
	case seen.network == nil, len(seen.problems) > 0:
		condition.Reason = v1alpha1.ReasonAgentsNotReady
		condition.Message = "the pool cannot be served as it is (see conditions Registered and CacheReady), so no agent is started"
	case len(seen.nodes) == 0:
		condition.Reason = v1alpha1.ReasonNoNode
		condition.Message = fmt.Sprintf("no node carries network %s, so no agent can run; "+
			"check the cluster network and its VlanConfigs", seen.networkKey)
	default:
		condition.Reason = v1alpha1.ReasonAgentsNotReady
		condition.Message = fmt.Sprintf("none of %d agents answers yet; see the Pods with label %s=%s",
			do.replicas, v1alpha1.LabelPoolName, kube.AgentLabels(seen.pool)[v1alpha1.LabelPoolName])
	}

	return condition
}

func readyReason(seen observation, do decision, ready int, where string) (reason, message string) {
	if do.replicas == 1 && len(seen.nodes) == 1 {
		return v1alpha1.ReasonSingleAgent, fmt.Sprintf(
			"1 agent answers, on %s; the network is on this node only, so there is no second one", where)
	}

	return v1alpha1.ReasonAgentsReady, fmt.Sprintf("%d of %d agents answer, on %s", min(ready, int(do.replicas)), do.replicas, where)
}
