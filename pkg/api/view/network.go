package view

import (
	"fmt"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/netpool"
)

// NetworkFacts is what is known of one network.
type NetworkFacts struct {
	Network *nadv1.NetworkAttachmentDefinition
	// Pool is the one that serves it; nil for none.
	Pool *v1alpha1.IPPool
	// ManagedByDefault says whether networks without an annotation get a pool.
	ManagedByDefault bool
	// Nodes are those that carry it, sorted.
	Nodes []string
}

// Network returns the body of a network.
func Network(facts NetworkFacts) v1.Network {
	network := facts.Network
	body := v1.Network{
		Namespace: network.Namespace, Name: network.Name, UID: string(network.UID),
		Type:           network.Labels[utils.KeyNetworkType],
		ClusterNetwork: kube.ClusterNetworkOf(network),
		VLAN:           kube.NetworkVLAN(network),
		Managed:        facts.Pool != nil,
		Pool:           poolRef(facts.Pool),
		Message:        NetworkMessage(facts),
		Nodes:          facts.Nodes,
	}

	// What is wrong with the route is in the message.
	if route, err := netpool.Route(network); err == nil {
		body.Mode, body.CIDR, body.Gateway = string(route.Mode), route.CIDR, route.Gateway
	}

	return body
}

// NetworkMessage says why the network has a pool or has none, and what to do.
func NetworkMessage(facts NetworkFacts) string {
	if facts.Pool == nil {
		decision := netpool.Plan(facts.Network, false, facts.ManagedByDefault)
		if decision.Create != nil {
			return "an IPPool is about to be made for it; if it stays so, see the network's Events and whether a manager leads"
		}

		return decision.Why
	}

	message := fmt.Sprintf("IPPool %s/%s serves it", facts.Pool.Namespace, facts.Pool.Name)

	if reason := kube.NetworkUnsuitable(facts.Network); reason != "" {
		return fmt.Sprintf("IPPool %s/%s is for it and cannot serve it: %s", facts.Pool.Namespace, facts.Pool.Name, reason)
	}

	// Harvester's probe is answered by no agent of ours: it has no lease.
	if route, err := netpool.Route(facts.Network); err == nil && route.Mode == utils.Auto {
		message += ", and its route is in mode auto: Harvester's own DHCP probe gets no answer there; set the route to manual"
	}

	return message
}

// Agent returns the body of an agent of the pool.
func Agent(pod *corev1.Pod, pool v1.ObjectRef) v1.Agent {
	body := v1.Agent{
		Name: pod.Name, Pool: pool, Node: pod.Spec.NodeName,
		Ready: pod.DeletionTimestamp.IsZero() && kube.PodReady(pod),
	}

	for _, container := range pod.Spec.Containers {
		body.Image = container.Image
	}

	if pod.Status.StartTime != nil {
		body.StartedAt = utc(*pod.Status.StartTime)
	}

	for _, status := range pod.Status.ContainerStatuses {
		body.Restarts += int(status.RestartCount)
	}

	body.Message = agentMessage(pod, body.Ready)

	return body
}

// agentMessage says why the agent is ready or not, as far as its Pod tells.
func agentMessage(pod *corev1.Pod, ready bool) string {
	switch {
	case ready:
		return "answers"
	case !pod.DeletionTimestamp.IsZero():
		return "is ending"
	}

	for _, status := range pod.Status.ContainerStatuses {
		switch {
		case status.State.Waiting != nil && status.State.Waiting.Reason != "":
			return withDetail("does not run yet: "+status.State.Waiting.Reason, status.State.Waiting.Message)
		case status.State.Terminated != nil:
			return withDetail(fmt.Sprintf("ended with code %d", status.State.Terminated.ExitCode), status.State.Terminated.Message)
		}
	}

	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return withDetail("has no node", condition.Message)
		}
	}

	if pod.Status.Phase == corev1.PodRunning {
		return "runs and is not ready yet; its log says what it waits for"
	}

	return "is " + string(pod.Status.Phase)
}

func withDetail(text, detail string) string {
	if detail == "" {
		return text
	}

	return text + ": " + detail
}
