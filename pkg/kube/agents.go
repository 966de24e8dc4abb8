package kube

import (
	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// AgentLabels select the agents of one pool.
func AgentLabels(pool *v1alpha1.IPPool) map[string]string {
	return map[string]string{
		v1alpha1.LabelComponent:     v1alpha1.ComponentAgent,
		v1alpha1.LabelPoolNamespace: pool.Namespace,
		v1alpha1.LabelPoolName:      LabelValue(pool.Name),
	}
}

// ClusterNetworkLabel is the label of the nodes that carry the network, or ""
// for a network that is on every node.
func ClusterNetworkLabel(network *nadv1.NetworkAttachmentDefinition) string {
	if name := ClusterNetworkOf(network); name != "" {
		return utils.GetLabelKeyOfClusterNetwork(name)
	}

	return ""
}

// ClusterNetworkOf is Harvester's cluster network that the network is on, or "".
func ClusterNetworkOf(network *nadv1.NetworkAttachmentDefinition) string {
	return network.Labels[utils.KeyClusterNetworkLabel]
}

// PodReady tells whether the Pod says that it is ready.
func PodReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}

	return false
}
