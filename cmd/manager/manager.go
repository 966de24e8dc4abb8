package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"github.com/freehold-net/freehold/crds"
	"github.com/freehold-net/freehold/pkg/controller/iplease"
	"github.com/freehold-net/freehold/pkg/controller/ippool"
	"github.com/freehold-net/freehold/pkg/controller/network"
	"github.com/freehold-net/freehold/pkg/controller/virtualmachine"
	"github.com/freehold-net/freehold/pkg/controller/vmnetcfg"
	"github.com/freehold-net/freehold/pkg/debugview"
	"github.com/freehold-net/freehold/pkg/httpserver"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/metrics"
	"github.com/freehold-net/freehold/pkg/version"
	"github.com/freehold-net/freehold/pkg/webhook"
	"github.com/freehold-net/freehold/pkg/webhook/certificate"
)

const (
	// component is the name that Events are written in.
	component = "freehold"
	// clientQPS and clientBurst bound our calls of the API server; its own
	// fairness does the rest.
	clientQPS   = 200
	clientBurst = 400
	// clientTimeout bounds each call but watches: generated clients take no
	// context.
	clientTimeout = 30 * time.Second
)

// manager is one replica.
type manager struct {
	options options
	log     *slog.Logger

	mu sync.Mutex
	// waiting has what keeps the replica from being ready, in plain words.
	waiting map[string]string
	// leads tells whether this replica runs the controllers.
	leads atomic.Bool
}

func newManager(o options, log *slog.Logger) *manager {
	return &manager{options: o, log: log, waiting: map[string]string{
		"caches":      "the caches are not filled yet",
		"webhook":     "the admission webhook does not listen yet",
		"certificate": "there is no certificate for the admission webhook and the API yet",
		"api":         "the API does not listen yet",
	}}
}

// run runs the replica until ctx ends or something fails that does not mend
// itself; the process then ends and Kubernetes starts it again.
func (m *manager) run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", m.options.kubeconfig)
	if err != nil {
		return fmt.Errorf("load client configuration: %w", err)
	}

	config.QPS, config.Burst, config.UserAgent = clientQPS, clientBurst, component+"-manager/"+version.Version
	config.Timeout = clientTimeout

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", m.ready)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return httpserver.Serve(ctx, fmt.Sprintf(":%d", m.options.httpPort), mux)
	})
	group.Go(func() error { return m.serve(ctx, config, mux) })

	return group.Wait() //nolint:wrapcheck // the parts say what they are
}

// serve fills the caches, serves from them, and writes while it leads.
func (m *manager) serve(ctx context.Context, config *rest.Config, mux *http.ServeMux) error {
	definitions, err := crds.All()
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	if err := kube.ApplyCRDs(ctx, config, definitions); err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	clients, err := kube.NewClients(config, m.options.namespace)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	scheme, err := kube.NewScheme()
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	recorder, stopEvents := kube.NewEventRecorder(clients.Kube, scheme, component)
	defer stopEvents()

	book := ledger.New()
	controllers := m.controllers(clients, book, kube.NewAnnouncer(recorder))
	admission := webhook.Observing(clients, book)

	keeper, err := m.keeper(config, clients)
	if err != nil {
		return err
	}

	served, err := m.newAPI(config, keeper, clients, book)
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return keeper.Run(ctx, func() { m.wait("certificate", "") }) })
	group.Go(func() error { return served.run(ctx) })
	group.Go(func() error {
		if err := m.fill(ctx, clients, book, served.store.HasSynced); err != nil {
			return err
		}

		m.exposeViews(mux, clients, book)

		if err := served.fill(ctx, admission); err != nil {
			return err
		}

		group.Go(func() error { return m.serveWebhook(ctx, keeper, admission) })

		return kube.RunLeader(ctx, clients.Kube, kube.Election{
			Namespace: m.options.namespace, Name: m.options.name, Identity: m.options.identity,
		}, func(ctx context.Context) error {
			return m.lead(ctx, clients, controllers)
		})
	})

	return group.Wait() //nolint:wrapcheck // the parts say what they are
}

// keeper makes the keeper of the certificate of the webhook and the API.
func (m *manager) keeper(config *rest.Config, clients *kube.Clients) (*certificate.Keeper, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client of APIServices: %w", err)
	}

	return certificate.New(certificate.Config{
		Name: m.options.name, Namespace: m.options.namespace,
		Secrets: clients.Secrets, Kube: clients.Kube,
		APIService: m.options.apiService,
		APIServices: client.Resource(schema.GroupVersionResource{
			Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices",
		}),
		Now: time.Now, Logger: m.log,
	}), nil
}

// controller is what a leader runs.
type controller interface {
	Register(ctx context.Context, clients *kube.Clients)
}

// controllers makes the controllers, which takes the caches that they need.
func (m *manager) controllers(clients *kube.Clients, book *ledger.Ledger, events *kube.Announcer) []controller {
	return []controller{
		network.New(clients, events, m.log, m.options.managedByDefault),
		ippool.New(clients, book, events, clock.RealClock{}, m.log, m.options.agents),
		virtualmachine.New(clients, events),
		vmnetcfg.New(clients, book, events, m.log),
		iplease.New(clients, book, events, m.log),
	}
}

// fill fills the caches, the ledger, and what else is filled from the caches. It waits for the kinds of Multus and
// KubeVirt, which may be installed after us.
func (m *manager) fill(ctx context.Context, clients *kube.Clients, book *ledger.Ledger, others ...func() bool) error {
	clients.RegisterIndexes()

	filled, err := clients.Leases.Informer().AddEventHandler(book.EventHandler())
	if err != nil {
		return fmt.Errorf("watch IPLeases: %w", err)
	}

	err = kube.WaitForForeignCRDs(ctx, clients.Kube.Discovery(), func(resource string) {
		m.log.Warn("waiting for a resource that is not served yet; is its operator installed?", "resource", resource)
		m.wait("caches", resource+" is not served by this cluster yet")
	})
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	if err := clients.StartCaches(ctx); err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	for _, synced := range append(others, filled.HasSynced) {
		if !waitFor(ctx, synced) {
			return nil // ctx ended
		}
	}

	m.wait("caches", "")

	return nil
}

// waitFor polls until it is so, or ctx ends.
func waitFor(ctx context.Context, so func() bool) bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()

	for !so() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}

	return true
}

func (m *manager) exposeViews(mux *http.ServeMux, clients *kube.Clients, book *ledger.Ledger) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		metrics.NewCollector(clients.Pools.Cache(), clients.Requests.Cache(), book, m.log),
	)

	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	debugview.Register(mux, clients.Pools.Cache(), book)
}

func (m *manager) serveWebhook(ctx context.Context, keeper *certificate.Keeper, config webhook.Config) error {
	config.ServiceCIDRs = m.options.serviceCIDRs
	config.Manager = webhook.ServiceAccountUser(m.options.namespace, m.options.serviceAccount)
	config.Logger = m.log

	handler, err := webhook.New(config)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	return webhook.Serve(ctx, webhook.ServeConfig{ //nolint:wrapcheck // says what it is
		Address:     fmt.Sprintf(":%d", m.options.webhookPort),
		Certificate: keeper.GetCertificate,
		Ready:       func() { m.wait("webhook", "") },
		Logger:      m.log,
	}, handler)
}

// lead runs the controllers until ctx ends.
func (m *manager) lead(ctx context.Context, clients *kube.Clients, controllers []controller) error {
	m.log.Info("this replica leads", "identity", m.options.identity)
	m.leads.Store(true)

	defer m.leads.Store(false)

	// Handlers stay registered until the process ends, which it does with the
	// leadership: Lasso takes them out of a list that its workers may be reading.
	for _, one := range controllers {
		one.Register(context.WithoutCancel(ctx), clients)
	}

	if err := clients.StartControllers(ctx, m.options.workers); err != nil {
		return err //nolint:wrapcheck // says what it is
	}

	<-ctx.Done()
	m.log.Info("this replica no longer leads", "identity", m.options.identity)

	return nil
}

// wait records what keeps the replica from being ready; "" for nothing more.
func (m *manager) wait(part, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	if why == "" {
		delete(m.waiting, part)
	} else {
		m.waiting[part] = why
	}
}

// ready answers whether the replica can do its work.
func (m *manager) ready(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()

	for _, why := range m.waiting {
		http.Error(w, why, http.StatusServiceUnavailable)

		return
	}

	fmt.Fprintln(w, "ok")
}
