// Package network makes an IPPool for each VM network whose addresses are known:
// a Harvester network whose route is in mode manual. It says in Events why it
// makes none where one might be expected. It never changes a pool.
package network

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/netpool"
)

const (
	// handlerName is in logs and metrics of the framework.
	handlerName = "freehold-network"
	// topicPool keeps what is said about a network's pool apart from other Events.
	topicPool = "pool"
)

// The parts of Wrangler's controllers, clients and caches that are used here.
type (
	networks interface {
		EnqueueAfter(namespace, name string, pause time.Duration)
	}
	pools interface {
		Create(pool *v1alpha1.IPPool) (*v1alpha1.IPPool, error)
	}
	poolCache interface {
		kube.PoolFinder
		Get(namespace, name string) (*v1alpha1.IPPool, error)
	}
)

// Handler makes the pools of networks.
type Handler struct {
	networks         networks
	pools            pools
	poolCache        poolCache
	events           *kube.Announcer
	log              *slog.Logger
	managedByDefault bool
}

// New returns the handler. With managedByDefault, networks without the
// managed-dhcp annotation get a pool. It takes the caches that it needs, so it
// is called before they are started.
func New(clients *kube.Clients, events *kube.Announcer, log *slog.Logger, managedByDefault bool) *Handler {
	return &Handler{
		networks:         clients.Networks,
		pools:            clients.Pools,
		poolCache:        clients.Pools.Cache(),
		events:           events,
		log:              log.With("controller", "network"),
		managedByDefault: managedByDefault,
	}
}

// Register has the handler called for changes of networks, and again when a
// network's pool has gone.
func (h *Handler) Register(ctx context.Context, clients *kube.Clients) {
	clients.Networks.OnChange(ctx, handlerName, h.OnChange)
	clients.Pools.OnChange(ctx, handlerName, func(key string, pool *v1alpha1.IPPool) (*v1alpha1.IPPool, error) {
		if pool == nil {
			namespace, name := kube.SplitKey(key)
			h.networks.EnqueueAfter(namespace, name, 0)
		}

		return pool, nil
	})
}

// OnChange makes the network's pool if it should have one and has none.
func (h *Handler) OnChange(key string, network *nadv1.NetworkAttachmentDefinition) (*nadv1.NetworkAttachmentDefinition, error) {
	if network == nil {
		h.events.Forget(key)

		return nil, nil
	}

	pools, err := kube.PoolsOf(h.poolCache, key)
	if err != nil {
		return network, fmt.Errorf("find pools of network %s: %w", key, err)
	}

	do := netpool.Plan(network, len(pools) > 0, h.managedByDefault)
	if do.Create == nil {
		h.refuse(network, do)

		return network, nil
	}

	pool, err := h.pools.Create(do.Create)

	switch {
	case apierrors.IsAlreadyExists(err):
		// Either the cache is behind, or the name is taken by another
		// network's pool; then a person has to choose another one.
		return network, h.nameTaken(network, do.Create)
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err):
		h.events.Warn(network, topicPool, v1alpha1.ReasonPoolNotCreated, "no IPPool is made: "+err.Error())

		return network, nil
	case err != nil:
		return network, fmt.Errorf("create IPPool %s/%s: %w", do.Create.Namespace, do.Create.Name, err)
	}

	h.log.Info("pool created", "pool", key, "cidr", pool.Spec.IPv4Config.CIDR, "server", pool.Spec.IPv4Config.ServerIP)
	h.events.Note(network, topicPool, v1alpha1.ReasonPoolCreated, fmt.Sprintf(
		"IPPool %s gives out %s to %s of %s; its DHCP server is %s", key, pool.Spec.IPv4Config.Pool.Start,
		pool.Spec.IPv4Config.Pool.End, pool.Spec.IPv4Config.CIDR, pool.Spec.IPv4Config.ServerIP))

	return network, nil
}

func (h *Handler) refuse(network *nadv1.NetworkAttachmentDefinition, do netpool.Decision) {
	switch {
	case !do.Tell:
	case do.Warning:
		h.events.Warn(network, topicPool, v1alpha1.ReasonPoolNotCreated, do.Why)
	default:
		h.events.Note(network, topicPool, v1alpha1.ReasonPoolNotCreated, do.Why)
	}
}

func (h *Handler) nameTaken(network *nadv1.NetworkAttachmentDefinition, wanted *v1alpha1.IPPool) error {
	present, err := h.poolCache.Get(wanted.Namespace, wanted.Name)
	if apierrors.IsNotFound(err) {
		return nil // the watch brings it
	}

	if err != nil {
		return fmt.Errorf("get IPPool %s/%s: %w", wanted.Namespace, wanted.Name, err)
	}

	if kube.NetworkKey(present.Spec.NetworkName, present.Namespace) != wanted.Spec.NetworkName {
		h.events.Warn(network, topicPool, v1alpha1.ReasonPoolNotCreated, fmt.Sprintf(
			"no IPPool is made: IPPool %s/%s exists and serves network %s; create one of another name with spec.networkName %s",
			present.Namespace, present.Name, present.Spec.NetworkName, wanted.Spec.NetworkName))
	}

	return nil
}
