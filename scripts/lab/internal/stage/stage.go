// Package stage sets the scene of the demo and of the end-to-end scenarios: the
// cluster, Harvester's part, KubeVirt and Freehold, each only if it is not there
// yet.
package stage

import (
	"context"
	"fmt"
	"time"

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
}

// Up sets the scene. It tells its steps and their times on the cache's Progress;
// an error names the step, the cause and the log.
func Up(ctx context.Context, cache *build.Cache, stateDir string) (*Stage, error) {
	s := &Stage{Cache: cache}

	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"cluster of three nodes", func(ctx context.Context) (err error) {
			s.Cluster, err = cluster.Up(ctx, cache, cluster.Options{StateDir: stateDir})

			return err
		}},
		{"Harvester's part: kinds, cluster networks, node labels", s.playHarvester},
		{"KubeVirt, from its own operator", func(ctx context.Context) error {
			return kubevirt.Deploy(ctx, cache, s.Cluster)
		}},
		{"Freehold, from its chart", func(ctx context.Context) (err error) {
			s.Image, err = product.Install(ctx, cache, s.Cluster)

			return err
		}},
	} {
		start := time.Now()

		if err := step.run(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}

		cache.Printf("up: %s (%s)", step.name, time.Since(start).Round(100*time.Millisecond))
	}

	return s, nil
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
