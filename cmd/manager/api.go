package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/change"
	front "github.com/freehold-net/freehold/pkg/api/server"
	"github.com/freehold-net/freehold/pkg/api/store"
	"github.com/freehold-net/freehold/pkg/api/stream"
	"github.com/freehold-net/freehold/pkg/api/wire"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/httpserver"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/version"
	"github.com/freehold-net/freehold/pkg/webhook"
	"github.com/freehold-net/freehold/pkg/webhook/certificate"
	"github.com/freehold-net/freehold/pkg/webhook/review"
	"github.com/freehold-net/freehold/pkg/webhook/vmnetcfg"
	"github.com/freehold-net/freehold/web"
)

// served is the REST API of one replica and its page.
type served struct {
	manager *manager
	config  *rest.Config
	clients *kube.Clients
	book    *ledger.Ledger
	keeper  *certificate.Keeper

	handler *front.Handler
	callers *access.Kubernetes
	store   *store.Store
	started time.Time
}

// newAPI makes the API, which knows nothing yet. It takes caches, so it is called
// before they are started.
func (m *manager) newAPI(config *rest.Config, keeper *certificate.Keeper, clients *kube.Clients, book *ledger.Ledger) (*served, error) {
	page, err := web.Handler()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}

	callers, err := access.New(config)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}

	index := store.New(store.Config{Clock: time.Now, Ledger: book, ManagedByDefault: m.options.managedByDefault})
	if err := index.Attach(clients); err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}

	return &served{
		manager: m, config: config, clients: clients, book: book, keeper: keeper,
		handler: front.New(page), callers: callers, store: index, started: time.Now(),
	}, nil
}

// run serves until ctx ends. Who calls before fill is told to come again.
func (s *served) run(ctx context.Context) error {
	listener, err := httpserver.Listen(ctx, fmt.Sprintf(":%d", s.manager.options.apiPort))
	if err != nil {
		return fmt.Errorf("serve the API: %w", err)
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.callers.Run(ctx, func() { s.manager.wait("api", "") }) })
	group.Go(func() error {
		return front.Serve(ctx, listener, front.Config{
			Handler: s.handler, Certificate: s.keeper.GetCertificate, ClientCAs: s.callers.ClientCAs, Logger: s.manager.log,
		})
	})

	return group.Wait() //nolint:wrapcheck // the parts say what they are
}

// fill begins to answer, once the caches are filled. Streams end with ctx.
func (s *served) fill(ctx context.Context, admission webhook.Config) error {
	made := api.New(api.Config{ //nolint:contextcheck // each call has a context of its own
		Store: s.store, Authenticator: s.callers, Reviewer: s.callers,
		Observer: wire.New(s.clients.Pods.Cache(), s.manager.options.namespace),
		Clock:    time.Now, Logger: s.manager.log,
		About: api.About{
			Version: version.Version, Replica: s.manager.options.identity, StartedAt: s.started, Leader: s.manager.leads.Load,
		},
	})

	changes, err := change.New(change.Config{
		Client: s.config, Ledger: s.book, Store: s.store,
		Pools: s.clients.Pools.Cache(), Requests: s.clients.Requests.Cache(),
		Judge: judge(admission), Logger: s.manager.log,
	})
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	changes.Register(made) //nolint:contextcheck // as above

	hub := stream.New(stream.Config{
		Feed: s.store, Object: made.Object, Namespaces: s.store.Namespaces,
		Authenticator: s.callers, Reviewer: s.callers,
		// No other start has it, here or elsewhere, as far as clocks go.
		Epoch: strconv.FormatInt(s.started.UnixNano(), 36),
		Clock: time.Now, Logger: s.manager.log,
	})
	context.AfterFunc(ctx, hub.Close)

	made.HandleStream(http.MethodGet, "/v1/events", hub.Serve) //nolint:contextcheck // as above
	s.handler.Fill(made)

	return nil
}

// judge judges edits of requests by the rules of the admission webhook, for whoever
// asks for them by way of the API.
func judge(admission webhook.Config) change.Judge {
	world := vmnetcfg.World{Networks: admission.Networks, Pools: admission.Pools, Leases: admission.Leases}

	return func(ctx context.Context, user string, old, edited *v1alpha1.VirtualMachineNetworkConfig) (field.ErrorList, error) {
		verdict, err := world.Validate(ctx, review.Request[v1alpha1.VirtualMachineNetworkConfig]{
			Operation: admissionv1.Update, User: user, Namespace: edited.Namespace, Name: edited.Name, Object: edited, Old: old,
		})

		return verdict.Problems, err //nolint:wrapcheck // says what it is
	}
}
