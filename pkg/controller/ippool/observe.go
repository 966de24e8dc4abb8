package ippool

import (
	"context"
	"fmt"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

func (h *Handler) observe(pool *v1alpha1.IPPool) (observation, error) {
	key := ledger.Key{Namespace: pool.Namespace, Name: pool.Name}
	seen := observation{pool: pool, networkKey: kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)}

	if err := h.observeNetwork(&seen); err != nil {
		return observation{}, err
	}

	seen.plan, seen.problems = convert.PoolPlan(&pool.Spec)
	if len(seen.problems) == 0 {
		seen.counts = h.ledger.Counts(key, seen.plan)

		if seen.counts.Used <= maxAllocated {
			seen.leases = h.ledger.OfPool(key)
		}
	}

	present, err := h.present.Get(h.config.Namespace, agentName(pool))
	if err != nil && !apierrors.IsNotFound(err) {
		return observation{}, fmt.Errorf("get Deployment of agents: %w", err)
	}

	if err == nil {
		seen.present = present
	}

	pods, err := h.pods.List(h.config.Namespace, labels.SelectorFromSet(kube.AgentLabels(pool)))
	if err != nil {
		return observation{}, fmt.Errorf("list agents: %w", err)
	}

	seen.ready = sortedNodes(pods)

	return seen, nil
}

func (h *Handler) observeNetwork(seen *observation) error {
	if seen.networkKey == "" {
		return nil
	}

	namespace, name := kube.SplitKey(seen.networkKey)

	found, err := h.networks.Get(namespace, name)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get network %s: %w", seen.networkKey, err)
	}

	if err == nil {
		seen.network = found
		seen.unsuitable = kube.NetworkUnsuitable(found)
	}

	serving, err := kube.PoolOf(h.poolCache, seen.networkKey)
	if err != nil {
		return fmt.Errorf("find pools of network %s: %w", seen.networkKey, err)
	}

	if serving != nil && serving.UID != seen.pool.UID {
		seen.rival = serving
	}

	if seen.network == nil {
		return nil
	}

	selector := labels.Everything()
	if label := kube.ClusterNetworkLabel(seen.network); label != "" {
		selector = labels.SelectorFromSet(labels.Set{label: "true"})
	}

	nodes, err := h.nodes.List(selector)
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}

	for _, node := range nodes {
		seen.nodes = append(seen.nodes, node.Name)
	}

	slices.Sort(seen.nodes)

	return nil
}

// registerRelated has pools looked at when what they depend on changes.
func (h *Handler) registerRelated(ctx context.Context, clients *kube.Clients) {
	clients.Networks.OnChange(ctx, handlerName, func(key string, network *nadv1.NetworkAttachmentDefinition) (*nadv1.NetworkAttachmentDefinition, error) {
		return network, h.enqueueNetwork(key)
	})
	clients.Nodes.OnChange(ctx, handlerName, h.nodeChanged)
	clients.Deployments.OnChange(ctx, handlerName, h.deploymentChanged)
	clients.Pods.OnChange(ctx, handlerName, func(_ string, pod *corev1.Pod) (*corev1.Pod, error) {
		if pod != nil {
			h.enqueueByLabels(pod.Labels)

			return pod, nil
		}
		// Which pool a Pod that is gone belonged to is not known any more. It
		// is rare enough to look at them all.
		return nil, h.enqueueAll()
	})
}

// deploymentChanged has the pool of the agents looked at, and removes agents
// whose pool went while no manager ran.
func (h *Handler) deploymentChanged(key string, deployment *appsv1.Deployment) (*appsv1.Deployment, error) {
	if deployment == nil {
		return nil, h.enqueueAll()
	}

	namespace, name := kube.SplitKey(deployment.Annotations[annotationPool])
	if namespace == "" {
		return deployment, nil // not one of ours
	}

	if _, err := h.poolCache.Get(namespace, name); err == nil {
		h.pools.EnqueueAfter(namespace, name, 0)

		return deployment, nil
	}

	if _, err := h.pools.Get(namespace, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return deployment, err //nolint:wrapcheck // nil, or the API server's own words
	}

	return deployment, h.removeAgents(deployment.Name)
}

// enqueueByLabels has the pool looked at that an agent's labels name. A name
// that was shortened for the label names no pool, so then all are.
func (h *Handler) enqueueByLabels(of map[string]string) {
	namespace, name := of[v1alpha1.LabelPoolNamespace], of[v1alpha1.LabelPoolName]
	if _, err := h.poolCache.Get(namespace, name); err == nil {
		h.pools.EnqueueAfter(namespace, name, 0)

		return
	}

	if err := h.enqueueAll(); err != nil {
		h.log.Error("cannot look at all pools", "error", err)
	}
}
