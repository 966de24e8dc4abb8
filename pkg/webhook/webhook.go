// Package webhook serves the admission of IPPools and
// VirtualMachineNetworkConfigs. Every replica of the manager serves it, from its
// own caches. It admits our kinds only, so that no virtual machine ever waits
// for it.
//
// The rules are in its sub-packages: ippool and vmnetcfg decide, review speaks
// with the API server, certificate keeps the TLS certificate. This package wires
// them.
package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/go-logr/logr"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/ippool"
	"github.com/freehold-net/freehold/pkg/webhook/review"
	"github.com/freehold-net/freehold/pkg/webhook/vmnetcfg"
)

// Paths of the endpoints. They are in the chart's webhook configurations too.
const (
	PathMutatePools      = "/mutate/ippools"
	PathMutateRequests   = "/mutate/virtualmachinenetworkconfigs"
	PathValidatePools    = "/validate/ippools"
	PathValidateRequests = "/validate/virtualmachinenetworkconfigs"
)

// Leases knows what is held; a *ledger.Ledger does.
type Leases interface {
	ippool.Leases
	vmnetcfg.Leases
}

// Config is what the endpoints work with. All of it is required but
// ServiceCIDRs. Everything is read only, and must be filled before the first
// request is served: an empty ledger would let a pool in use be deleted.
type Config struct {
	// Networks finds NetworkAttachmentDefinitions.
	Networks ippool.Networks
	// Pools finds IPPools by kube.IndexPoolByNetwork.
	Pools kube.PoolFinder
	// Requests finds requests by kube.IndexRequestByNetwork.
	Requests ippool.Requests
	// Leases is the process's ledger.
	Leases Leases
	// Namespaces tells whether a namespace is going.
	Namespaces ippool.Namespaces

	// ServiceCIDRs are the prefixes of the cluster's Services, from the flag
	// --service-cidr. When empty, overlap with them is not checked.
	ServiceCIDRs []netip.Prefix
	// Manager is the user name of the manager itself, see ServiceAccountUser.
	// What it writes into requests is never refused.
	Manager string
	// Logger is told of refusals and of what could not be judged.
	Logger *slog.Logger
}

// Observing returns a Config that looks at the world through the clients' caches
// and the ledger. It takes the caches, so it is called before they are started
// and together with Clients.RegisterIndexes. ServiceCIDRs, Manager and Logger
// are left to the caller.
func Observing(clients *kube.Clients, leases *ledger.Ledger) Config {
	return Config{
		Networks:   liveNetworks{cache: clients.Networks.Cache(), client: clients.Networks},
		Pools:      clients.Pools.Cache(),
		Requests:   clients.Requests.Cache(),
		Leases:     leases,
		Namespaces: liveNamespaces{kube: clients.Kube},
	}
}

// ServiceAccountUser is the user name by which the API server knows a service
// account.
func ServiceAccountUser(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

// New returns the handler of all endpoints. It answers any other path with 404,
// is safe for concurrent use, and keeps nothing between requests.
func New(config Config) (http.Handler, error) {
	pools := ippool.World{
		Networks: config.Networks, Pools: config.Pools, Requests: config.Requests,
		Leases: config.Leases, Namespaces: config.Namespaces, ServiceCIDRs: config.ServiceCIDRs,
	}
	requests := vmnetcfg.World{
		Networks: config.Networks, Pools: config.Pools, Leases: config.Leases, Manager: config.Manager,
	}
	pool := review.Kind{Singular: "IPPool", Resource: "ippools"}
	request := review.Kind{Singular: "VirtualMachineNetworkConfig", Resource: "virtualmachinenetworkconfigs"}

	endpoints := map[string]admission.Handler{
		PathMutatePools:      review.Mutating(pool, pools.Complete, config.Logger),
		PathValidatePools:    review.Validating(pool, pools.Validate, config.Logger),
		PathMutateRequests:   review.Mutating(request, requests.Complete, config.Logger),
		PathValidateRequests: review.Validating(request, requests.Validate, config.Logger),
	}

	mux := http.NewServeMux()

	for path, endpoint := range endpoints {
		handler, err := admission.StandaloneWebhook(&admission.Webhook{Handler: endpoint}, admission.StandaloneOptions{
			Logger:      logr.FromSlogHandler(config.Logger.Handler()),
			MetricsPath: path,
		})
		if err != nil {
			return nil, fmt.Errorf("make the endpoint %s: %w", path, err)
		}

		mux.Handle(path, handler)
	}

	return mux, nil
}

// networkCache is the part of the cache of networks that is needed.
type networkCache interface {
	Get(namespace, name string) (*nadv1.NetworkAttachmentDefinition, error)
}

// networkClient is the part of the client of networks that is needed.
type networkClient interface {
	Get(namespace, name string, options metav1.GetOptions) (*nadv1.NetworkAttachmentDefinition, error)
}

// liveNetworks asks the API server for what the cache does not have: a network
// and its pool are often applied in one go, and the pool must not be refused
// because the watch is slower than kubectl.
type liveNetworks struct {
	cache  networkCache
	client networkClient
}

// Get implements ippool.Networks and vmnetcfg.Networks.
func (n liveNetworks) Get(namespace, name string) (*nadv1.NetworkAttachmentDefinition, error) {
	found, err := n.cache.Get(namespace, name)
	if !apierrors.IsNotFound(err) {
		return found, err // The caller names the network.
	}

	return n.client.Get(namespace, name, metav1.GetOptions{}) // As above.
}

// liveNamespaces asks the API server. It is asked only when a pool in use is
// deleted.
type liveNamespaces struct{ kube kubernetes.Interface }

// Terminating implements ippool.Namespaces.
func (n liveNamespaces) Terminating(ctx context.Context, name string) (bool, error) {
	namespace, err := n.kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}

	if err != nil {
		return false, fmt.Errorf("get Namespace %s: %w", name, err)
	}

	return !namespace.DeletionTimestamp.IsZero(), nil
}
