// Package change is the changing side of the REST API: reserving, releasing and
// fixing addresses, pausing, and making and editing pools.
//
// Each change is reviewed for the caller, the very object and the verb that they
// would need to do the same with kubectl. Then it is made with the manager's own
// client, so that the API server judges it as everybody's, with its webhooks and
// its schema; a dry run is the API server's own. The manager's log says who asked
// for a change: to the API server it was the manager.
package change

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// Ledger knows what is held and chooses what is free; a *ledger.Ledger does.
type Ledger interface {
	Get(key ledger.Key) *v1alpha1.IPLease
	Holder(pool ledger.Key, address netip.Addr) *v1alpha1.IPLease
	OfPool(pool ledger.Key) []*v1alpha1.IPLease
	OfMAC(pool ledger.Key, mac dhcp.MAC) []*v1alpha1.IPLease
	OfOwner(owner ledger.OwnerKey) []*v1alpha1.IPLease
	Reserve(pool ledger.Key, plan ipam.Plan, wanted netip.Addr) (netip.Addr, error)
	Release(pool ledger.Key, address netip.Addr)
	Written(lease *v1alpha1.IPLease)
	Deleted(lease *v1alpha1.IPLease)
}

// Store words objects as the reading side does; a *store.Store does.
type Store interface {
	DescribeLease(lease *v1alpha1.IPLease) v1.Lease
	DescribePool(pool *v1alpha1.IPPool) v1.Pool
	VM(key ledger.Key) (v1.VM, bool)
	// OwnerOf returns the request that speaks for the owner of the lease.
	OwnerOf(lease ledger.Key) (request ledger.Key, found bool)
}

// Pools finds pools; the cache of IPPools does.
type Pools interface {
	Get(namespace, name string) (*v1alpha1.IPPool, error)
}

// Requests finds requests by kube.IndexRequestByVM; the cache of requests does.
type Requests interface {
	GetByIndex(indexName, key string) ([]*v1alpha1.VirtualMachineNetworkConfig, error)
}

// Judge judges an edit of a request as the admission webhook judges one of the
// user. The webhook itself lets through what the manager writes, so that without
// this a caller could do by way of the API what they may not do themselves.
type Judge func(ctx context.Context, user string, old, edited *v1alpha1.VirtualMachineNetworkConfig) (field.ErrorList, error)

// Config is what Changes works with. All of it is required but Logger.
type Config struct {
	// Client says how to reach the API server, as the manager; it is copied.
	Client   *rest.Config
	Ledger   Ledger
	Store    Store
	Pools    Pools
	Requests Requests
	Judge    Judge
	// Logger is told who asked for which change.
	Logger *slog.Logger
}

// Changes makes changes. Make one with New. It is safe for concurrent use.
type Changes struct {
	Config

	objects objects
}

// New returns Changes. Nothing is asked of the API server yet.
func New(config Config) (*Changes, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}

	objects, err := newObjects(config.Client)
	if err != nil {
		return nil, err
	}

	return &Changes{Config: config, objects: objects}, nil
}

// Register has the API answer the changing calls.
func (c *Changes) Register(a *api.API) {
	const (
		pool  = "/v1/pools/{namespace}/{name}"
		lease = "/v1/leases/{namespace}/{name}"
		vm    = "/v1/vms/{namespace}/{name}"
	)

	for _, one := range []struct {
		method, path string
		handler      api.Handler
	}{
		{http.MethodPost, "/v1/pools", c.createPool},
		{http.MethodPatch, pool, c.editPool},
		{http.MethodPost, pool + "/pause", c.pausePool(true)},
		{http.MethodPost, pool + "/resume", c.pausePool(false)},
		{http.MethodPost, pool + "/leases", c.reserve},
		{http.MethodDelete, lease, c.release},
		{http.MethodPost, lease + "/fix", c.fix},
		{http.MethodPost, vm + "/pause", c.pauseVM(true)},
		{http.MethodPost, vm + "/resume", c.pauseVM(false)},
	} {
		a.Handle(one.method, one.path, one.handler)
	}
}

// named is the object that the path of a call names.
func named(call *api.Call) ledger.Key {
	return ledger.Key{Namespace: call.Var("namespace"), Name: call.Var("name")}
}

// freehold is an object of our own kinds, as it is reviewed for.
func freehold(resource string, key ledger.Key) access.Object {
	return access.Object{Group: access.GroupFreehold, Resource: resource, Namespace: key.Namespace, Name: key.Name}
}

// done notes who asked for a change that was made.
func (c *Changes) done(call *api.Call, act string, key ledger.Key) {
	c.Logger.InfoContext(call.Context(), "changed for a caller of the API", "user", call.Caller.GetName(), "act", act,
		"namespace", key.Namespace, "name", key.Name)
}

// told returns an error of the API server as a caller should hear it. Most of
// that is package problem's; here is what it cannot know.
func told(err error, what string, key ledger.Key) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return problem.NotFound(what, key.Namespace, key.Name)
	case apierrors.IsBadRequest(err):
		// What the strict reading of the API server does not know.
		return problem.New(http.StatusUnprocessableEntity, err.Error(), v1.FieldProblem{
			Field: "spec", Detail: err.Error(), Remedy: "see /v1/openapi.json for the fields that there are",
		})
	default:
		return err
	}
}

// planOf reads the plan of a pool, or says that it cannot be used.
func planOf(pool *v1alpha1.IPPool, read func(*v1alpha1.IPPoolSpec) (ipam.Plan, field.ErrorList)) (ipam.Plan, error) {
	plan, errs := read(&pool.Spec)
	if len(errs) > 0 {
		return ipam.Plan{}, problem.Conflict(fmt.Sprintf(
			"the plan of IPPool %s/%s has mistakes; correct them first", pool.Namespace, pool.Name), problem.Fields(errs)...)
	}

	return plan, nil
}

// isPaused tells whether a field that pauses does.
func isPaused(field *bool) bool { return field != nil && *field }
