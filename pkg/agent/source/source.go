// Package source feeds an agent from the API server: it watches one IPPool and
// its IPLeases and hands the agent a complete view after every change.
//
// It reads and never writes. The agent's answers do not wait for it.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

const (
	// freshFor is how long after the last sign of life of the API server the
	// view counts as current.
	freshFor = 30 * time.Second
	// brokenFor is how long after a failure a watch counts as broken: longer
	// than the 30 s that an informer waits at most before it tries again.
	brokenFor = 45 * time.Second
	// probeInterval is how often the API server is asked for one.
	probeInterval = 10 * time.Second
	probeTimeout  = 5 * time.Second
	// resolveInterval is how often host names of time servers are looked up again.
	resolveInterval = 5 * time.Minute
)

// Source is an agent.Source that watches one pool. Make one with New.
type Source struct {
	namespace, name string
	client          rest.Interface
	resolver        *resolver
	clock           clock.WithTicker
	log             *slog.Logger

	// alive is when the API server last showed that it knows the pool as we do,
	// broken when a watch last failed.
	alive, broken atomic.Pointer[time.Time]
}

// New returns a source for the pool of that namespace and name. The lookup
// function finds the addresses of a host name; net.DefaultResolver will do.
func New(config *rest.Config, namespace, name string, lookup Lookup, now clock.WithTicker, log *slog.Logger) (*Source, error) {
	if namespace == "" || name == "" {
		return nil, errors.New("the pool has no namespace or no name; give it as namespace/name")
	}

	scheme, err := kube.NewScheme()
	if err != nil {
		return nil, err // Says what it is.
	}

	group := rest.CopyConfig(config)
	group.APIPath = "/apis"
	group.GroupVersion = &v1alpha1.SchemeGroupVersion
	group.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()

	client, err := rest.RESTClientFor(group)
	if err != nil {
		return nil, fmt.Errorf("make client for %s: %w", v1alpha1.SchemeGroupVersion, err)
	}

	return &Source{
		namespace: namespace, name: name, client: client,
		resolver: newResolver(lookup), clock: now, log: log.With("pool", namespace+"/"+name),
	}, nil
}

// Fresh implements agent.Source.
func (s *Source) Fresh() bool {
	alive, broken := s.alive.Load(), s.broken.Load()
	if broken != nil && s.clock.Since(*broken) < brokenFor {
		return false
	}

	return alive != nil && s.clock.Since(*alive) < freshFor
}

// Run implements agent.Source.
func (s *Source) Run(ctx context.Context, update func(agent.State)) error {
	changed := make(chan struct{}, 1)
	notify := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { signal(changed) },
		UpdateFunc: func(any, any) { signal(changed) },
		DeleteFunc: func(any) { signal(changed) },
	}

	pools := s.informer("ippools", fields.OneTermEqualSelector("metadata.name", s.name), &v1alpha1.IPPool{})
	leases := s.informer("ipleases", fields.OneTermEqualSelector("spec.poolName", s.name), &v1alpha1.IPLease{})

	for _, informer := range []cache.SharedIndexInformer{pools, leases} {
		if _, err := informer.AddEventHandler(notify); err != nil {
			return fmt.Errorf("watch: %w", err)
		}

		if err := informer.SetWatchErrorHandlerWithContext(s.watchFailed); err != nil {
			return fmt.Errorf("watch: %w", err)
		}

		go informer.RunWithContext(ctx)
	}

	if !cache.WaitForCacheSync(ctx.Done(), pools.HasSynced, leases.HasSynced) {
		return nil // ctx ended
	}

	s.follow(ctx, changed, func() {
		if state, ok := s.build(ctx, pools.GetStore(), leases.GetStore()); ok {
			update(state)
		}
	}, func() { s.probe(ctx, pools.GetStore()) })

	return nil
}

// watchFailed notes that a watch is down. The end of a watch in good order is
// none.
func (s *Source) watchFailed(_ context.Context, _ *cache.Reflector, err error) {
	if errors.Is(err, io.EOF) {
		return
	}

	now := s.clock.Now()
	s.broken.Store(&now)
	s.log.Warn("the watch of the API server is down; answering goes on from the last view", "error", err)
}

// follow calls build now and after each change, and probe at its interval, until
// ctx ends.
func (s *Source) follow(ctx context.Context, changed <-chan struct{}, build, probe func()) {
	probes := s.clock.NewTicker(probeInterval)
	defer probes.Stop()

	again := s.clock.NewTicker(resolveInterval)
	defer again.Stop()

	probe()
	build()

	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			build()
		case <-again.C():
			s.resolver.expire()
			build()
		case <-probes.C():
			probe()
		}
	}
}

// signal never blocks: one signal that waits stands for all.
func signal(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// informer watches one resource in the pool's namespace.
func (s *Source) informer(resource string, selector fields.Selector, kind runtime.Object) cache.SharedIndexInformer {
	watched := cache.NewListWatchFromClient(s.client, resource, s.namespace, selector)

	return cache.NewSharedIndexInformer(watched, kind, 0, cache.Indexers{})
}

// build makes the view of what the stores hold. It returns false when there is
// nothing new to tell: the agent then goes on with what it has.
func (s *Source) build(ctx context.Context, pools, leases cache.Store) (agent.State, bool) {
	object, exists, err := pools.GetByKey(s.namespace + "/" + s.name)
	if err != nil {
		s.log.Error("cannot read the watched pool", "error", err)

		return agent.State{}, false
	}

	pool, isPool := object.(*v1alpha1.IPPool)
	if !exists || !isPool {
		return agent.State{Withdrawn: true}, true
	}

	var held []*v1alpha1.IPLease

	for _, object := range leases.List() {
		if lease, ok := object.(*v1alpha1.IPLease); ok && lease.Spec.PoolName == s.name {
			held = append(held, lease)
		}
	}

	state, problems := stateOf(pool, held, func(host string) []netip.Addr { return s.resolver.resolve(ctx, host) })
	for _, problem := range problems {
		s.log.Warn("part of the pool is not served", "problem", problem)
	}

	if !state.Withdrawn && !state.Network.Prefix.IsValid() {
		return agent.State{}, false // an edit that cannot be served; the last one that could be goes on
	}

	return state, true
}

// probe asks the API server for the pool, and takes an answer that agrees with
// what the watch brought as a sign that the watch is alive.
func (s *Source) probe(ctx context.Context, pools cache.Store) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()

	asked := s.clock.Now()

	var live metav1.PartialObjectMetadata

	err := s.client.Get().Namespace(s.namespace).Resource("ippools").Name(s.name).
		SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").Do(ctx).Into(&live)
	if err != nil {
		s.log.Debug("the API server does not answer", "error", err)

		return
	}

	object, exists, err := pools.GetByKey(s.namespace + "/" + s.name)
	if err != nil || !exists {
		return
	}

	if pool, ok := object.(*v1alpha1.IPPool); ok && pool.UID == live.UID && pool.Generation == live.Generation {
		s.alive.Store(&asked)
	}
}
