// Package ippool runs the DHCP agents of each pool on nodes that carry its
// network, and tells in the pool's status what is held, what is free and who
// answers.
//
// It decides in plan, which is pure, and writes Deployments, disruption budgets
// and the status of pools. It gives out no addresses.
package ippool

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

const (
	// handlerName is in logs and metrics of the framework.
	handlerName = "freehold-ippool"
	// statusInterval is the least time between two writes of one pool's status
	// when only its counts have changed.
	statusInterval = time.Second
	// topicAgents keeps what is said about agents apart from other Events.
	topicAgents = "agents"
)

// The parts of Wrangler's controllers, clients and caches that are used here.
type (
	pools interface {
		Get(namespace, name string, options metav1.GetOptions) (*v1alpha1.IPPool, error)
		UpdateStatus(pool *v1alpha1.IPPool) (*v1alpha1.IPPool, error)
		EnqueueAfter(namespace, name string, pause time.Duration)
	}
	poolCache interface {
		kube.PoolFinder
		Get(namespace, name string) (*v1alpha1.IPPool, error)
		List(namespace string, selector labels.Selector) ([]*v1alpha1.IPPool, error)
	}
	cached[T any] interface {
		Get(namespace, name string) (T, error)
	}
	nodes interface {
		List(selector labels.Selector) ([]*corev1.Node, error)
	}
	pods interface {
		List(namespace string, selector labels.Selector) ([]*corev1.Pod, error)
	}
	deployments interface {
		Create(deployment *appsv1.Deployment) (*appsv1.Deployment, error)
		Update(deployment *appsv1.Deployment) (*appsv1.Deployment, error)
		Delete(namespace, name string, options *metav1.DeleteOptions) error
	}
)

// Handler runs the agents of pools and writes the pools' status.
type Handler struct {
	kube        kubernetes.Interface
	pools       pools
	poolCache   poolCache
	networks    cached[*nadv1.NetworkAttachmentDefinition]
	nodes       nodes
	pods        pods
	deployments deployments
	present     cached[*appsv1.Deployment]
	ledger      *ledger.Ledger
	events      *kube.Announcer
	clock       clock.PassiveClock
	log         *slog.Logger
	config      AgentConfig

	mu sync.Mutex
	// written is when the status of each pool was written last.
	written map[string]time.Time
	// budgets has, for each Deployment, whether its disruption budget was last
	// seen to exist.
	budgets map[string]bool
	// labels are those of each node when the pools were last looked at.
	labels map[string]map[string]string
}

// New returns the handler. It takes the caches that it needs, so it is called
// before they are started.
func New(clients *kube.Clients, book *ledger.Ledger, events *kube.Announcer, now clock.PassiveClock, log *slog.Logger, config AgentConfig) *Handler {
	return &Handler{
		kube:        clients.Kube,
		pools:       clients.Pools,
		poolCache:   clients.Pools.Cache(),
		networks:    clients.Networks.Cache(),
		nodes:       clients.Nodes.Cache(),
		pods:        clients.Pods.Cache(),
		deployments: clients.Deployments,
		present:     clients.Deployments.Cache(),
		ledger:      book,
		events:      events,
		clock:       now,
		log:         log.With("controller", "ippool"),
		config:      config,
		written:     map[string]time.Time{},
		budgets:     map[string]bool{},
		labels:      map[string]map[string]string{},
	}
}

// OnChange brings one pool's agents and status up to date.
func (h *Handler) OnChange(key string, pool *v1alpha1.IPPool) (*v1alpha1.IPPool, error) {
	if pool == nil {
		return nil, h.forget(key)
	}

	if !pool.DeletionTimestamp.IsZero() {
		return pool, nil
	}

	seen, err := h.observe(pool)
	if err != nil {
		return pool, fmt.Errorf("observe IPPool %s: %w", key, err)
	}

	do := plan(seen, h.config)
	actErr := h.act(seen, do)

	updated, err := h.writeStatus(pool, do.status)
	if err != nil && actErr == nil {
		return pool, err
	}

	if actErr != nil {
		if apierrors.IsConflict(actErr) {
			return updated, actErr
		}

		return updated, fmt.Errorf("run agents of IPPool %s: %w", key, actErr)
	}

	if updated != pool {
		h.announce(pool, updated)
	}

	return updated, nil
}

// announce writes an Event when the answer to "is it served" has changed. That
// a new pool's agents have yet to start is nothing to be warned of.
func (h *Handler) announce(before, pool *v1alpha1.IPPool) {
	condition := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.IPPoolAgentReady)
	if condition == nil {
		return
	}

	starting := condition.Reason == v1alpha1.ReasonAgentsNotReady &&
		!meta.IsStatusConditionTrue(before.Status.Conditions, v1alpha1.IPPoolAgentReady)

	if condition.Status == metav1.ConditionTrue || starting {
		h.events.Note(pool, topicAgents, condition.Reason, condition.Message)
	} else {
		h.events.Warn(pool, topicAgents, condition.Reason, condition.Message)
	}
}

// forget removes the agents of a pool that is gone.
func (h *Handler) forget(key string) error {
	h.events.Forget(key)

	h.mu.Lock()
	delete(h.written, key)
	h.mu.Unlock()

	namespace, name := kube.SplitKey(key)
	pool := &v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}

	return h.removeAgents(agentName(pool))
}

// writeStatus writes the status if it says something new: at once when a
// condition or the agents have changed, and at most once in statusInterval
// when only counts have.
func (h *Handler) writeStatus(pool *v1alpha1.IPPool, status v1alpha1.IPPoolStatus) (*v1alpha1.IPPool, error) {
	if equality.Semantic.DeepEqual(pool.Status, status) {
		return pool, nil
	}

	key := pool.Namespace + "/" + pool.Name
	now := h.clock.Now()

	h.mu.Lock()
	wait := statusInterval - now.Sub(h.written[key])
	h.mu.Unlock()

	if wait > 0 && onlyCountsDiffer(pool.Status, status) {
		h.pools.EnqueueAfter(pool.Namespace, pool.Name, wait)

		return pool, nil
	}

	changed := pool.DeepCopy()
	changed.Status = status
	changed.Status.LastUpdate = &metav1.Time{Time: now}

	updated, err := h.pools.UpdateStatus(changed)
	if err != nil {
		if apierrors.IsConflict(err) {
			return pool, err //nolint:wrapcheck // the framework recognises a bare conflict and tries again quietly
		}

		return pool, fmt.Errorf("update status of IPPool %s: %w", key, err)
	}

	h.mu.Lock()
	h.written[key] = now
	h.mu.Unlock()

	return updated, nil
}

func onlyCountsDiffer(before, after v1alpha1.IPPoolStatus) bool {
	before.IPv4, after.IPv4 = nil, nil

	return equality.Semantic.DeepEqual(before, after)
}

// Register has the handler called for changes of pools, and again for what
// their agents and their status depend on: networks, nodes, agents and leases.
func (h *Handler) Register(ctx context.Context, clients *kube.Clients) {
	h.ledger.Watch(func(change ledger.Change) {
		h.pools.EnqueueAfter(change.Pool.Namespace, change.Pool.Name, 0)
	})
	clients.Pools.OnChange(ctx, handlerName, h.OnChange)
	h.registerRelated(ctx, clients)
}

// enqueueNetwork has the pools of the network looked at.
func (h *Handler) enqueueNetwork(network string) error {
	pools, err := h.poolCache.GetByIndex(kube.IndexPoolByNetwork, network)
	if err != nil {
		return fmt.Errorf("find pools of network %s: %w", network, err)
	}

	for _, pool := range pools {
		h.pools.EnqueueAfter(pool.Namespace, pool.Name, 0)
	}

	return nil
}

// nodeChanged has all pools looked at when a node has come, gone or changed its
// labels; its heartbeats change nothing for us.
func (h *Handler) nodeChanged(name string, node *corev1.Node) (*corev1.Node, error) {
	h.mu.Lock()

	before, known := h.labels[name]
	if node == nil {
		delete(h.labels, name)
	} else {
		h.labels[name] = node.Labels
	}

	h.mu.Unlock()

	if node != nil && known && maps.Equal(before, node.Labels) {
		return node, nil
	}

	return node, h.enqueueAll()
}

func (h *Handler) enqueueAll() error {
	pools, err := h.poolCache.List(metav1.NamespaceAll, labels.Everything())
	if err != nil {
		return fmt.Errorf("list IPPools: %w", err)
	}

	for _, pool := range pools {
		h.pools.EnqueueAfter(pool.Namespace, pool.Name, 0)
	}

	return nil
}

// sortedNodes returns the node of each ready agent, sorted.
func sortedNodes(pods []*corev1.Pod) []string {
	var nodes []string

	for _, pod := range pods {
		if pod.DeletionTimestamp.IsZero() && kube.PodReady(pod) {
			nodes = append(nodes, pod.Spec.NodeName)
		}
	}

	slices.Sort(nodes)

	return nodes
}
