package stage

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/kubevirt"
	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// ahead builds what the steps will ask the cache for before they do. A step that
// comes first waits for the part, or builds it itself.
type ahead struct {
	cache *build.Cache
	image product.Image
	built chan struct{} // closed when image is there
}

func newAhead(cache *build.Cache) *ahead {
	return &ahead{cache: cache, built: make(chan struct{})}
}

// awaitImage waits for the product's image. Building it is left to compile:
// begun as soon as somebody waits for it, it would take the processors from what
// is needed first.
func (a *ahead) awaitImage(ctx context.Context) (product.Image, error) {
	select {
	case <-a.built:
		return a.image, nil
	case <-ctx.Done():
		return product.Image{}, fmt.Errorf("wait for Freehold's image: %w", context.Cause(ctx))
	}
}

func (a *ahead) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.compile(ctx) })
	group.Go(func() error { return a.install(ctx) })
	group.Go(func() error { return product.BuildPage(ctx, a.cache) })
	group.Go(func() error {
		a.fetch(ctx)

		return nil
	})

	return group.Wait()
}

// compile runs the compilers one after the other, each of which keeps all
// processors busy, in the order in which the steps need the results. Those at
// the same time would compile twice what programs share.
func (a *ahead) compile(ctx context.Context) error {
	for _, part := range []func() error{
		func() error { _, err := a.cache.Runtime(ctx); return err },
		func() error { _, err := a.cache.ControlPlane(ctx); return err },
		func() error { return kubevirt.BuildPrograms(ctx, a.cache) },
		func() error { _, err := a.cache.Helm(ctx); return err },
		func() (err error) { a.image, err = product.Build(ctx, a.cache); return err },
	} {
		if err := part(); err != nil {
			return err
		}
	}

	close(a.built)

	return nil
}

// install installs all Debian packages in one go, then builds what is made of
// such packages.
func (a *ahead) install(ctx context.Context) error {
	// Guests are made with xz.
	packages := slices.Concat(cluster.Packages(), build.Packages(), kubevirt.Packages(), []string{"xz-utils"})
	if err := a.cache.Apt(ctx, packages...); err != nil {
		return err
	}

	return both(ctx,
		func(ctx context.Context) error { return kubevirt.BuildRootFS(ctx, a.cache) },
		func(ctx context.Context) error {
			_, err := guest.Build(ctx, a.cache)

			return err
		})
}

// fetch downloads Go modules while others compile. Whoever needs one that could
// not be had says so.
func (a *ahead) fetch(ctx context.Context) {
	for _, part := range []func(context.Context, *build.Cache) error{
		func(ctx context.Context, cache *build.Cache) error { return cache.Fetch(ctx) }, kubevirt.Fetch, product.Fetch,
	} {
		if part(ctx, a.cache) != nil {
			return
		}
	}
}
