// Package stage sets the scene of the demo and of the end-to-end scenarios: the
// cluster, Harvester's part, KubeVirt and Freehold, each only if it is not there
// yet.
package stage

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/harvester"
	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
	"github.com/freehold-net/freehold/scripts/lab/internal/kubevirt"
	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// Stage is a cluster with everything on it.
type Stage struct {
	Cache     *build.Cache
	Cluster   *cluster.Cluster
	Clients   *kube.Clients
	Harvester *harvester.Harvester
	Image     product.Image

	stateDir   string
	deployment *kubevirt.Deployment
}

// Up sets the scene. It tells its steps and their times on the cache's Progress;
// an error names the step, the cause and the log.
//
// What has to be built is built in the background, ahead of the steps that need
// it: while compilers keep the processors busy, steps wait for a network or for
// pods.
func Up(ctx context.Context, cache *build.Cache, stateDir string) (*Stage, error) {
	s := &Stage{Cache: cache, stateDir: stateDir}
	group, ctx := errgroup.WithContext(ctx)
	a := newAhead(cache)

	group.Go(func() error { return a.run(ctx) })
	group.Go(func() error { return s.run(ctx, a) })

	if err := group.Wait(); err != nil {
		return nil, err
	}

	return s, nil
}

func (s *Stage) run(ctx context.Context, a *ahead) error {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"cluster of three nodes", s.startCluster},
		{"Harvester's part: kinds, cluster networks, node labels", s.playHarvester},
		{"images on every node; KubeVirt's operator", func(ctx context.Context) error {
			return both(ctx, s.installKubeVirt, func(ctx context.Context) (err error) {
				if s.Image, err = a.awaitImage(ctx); err != nil {
					return err
				}

				return product.Import(ctx, s.Cluster, s.Image)
			})
		}},
		// Freehold's manager waits for KubeVirt's kinds, not for KubeVirt.
		{"KubeVirt, from its own operator; Freehold, from its chart", func(ctx context.Context) error {
			return both(ctx, s.deployment.Await, func(ctx context.Context) error {
				return product.Install(ctx, s.Cache, s.Cluster, s.Image)
			})
		}},
	} {
		start := time.Now()

		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}

		s.Cache.Printf("up: %s (%s)", step.name, time.Since(start).Round(100*time.Millisecond))
	}

	return nil
}

// both runs both at the same time; the first error ends the other.
func both(ctx context.Context, one, other func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return one(ctx) })
	group.Go(func() error { return other(ctx) })

	return group.Wait()
}

func (s *Stage) startCluster(ctx context.Context) (err error) {
	s.Cluster, err = cluster.Up(ctx, s.Cache, cluster.Options{StateDir: s.stateDir})

	return err
}

func (s *Stage) installKubeVirt(ctx context.Context) (err error) {
	s.deployment, err = kubevirt.Install(ctx, s.Cache, s.Cluster)

	return err
}

func (s *Stage) playHarvester(ctx context.Context) error {
	config, err := s.Cluster.RestConfig()
	if err != nil {
		return err
	}

	if s.Clients, err = kube.New(config); err != nil {
		return err
	}

	s.Harvester = harvester.New(s.Clients)
	if err := s.Harvester.Install(ctx); err != nil {
		return err
	}

	for _, network := range s.Cluster.ClusterNetworks() {
		if err := s.Harvester.AddClusterNetwork(ctx, network.Name, network.Nodes); err != nil {
			return err
		}
	}

	return nil
}
