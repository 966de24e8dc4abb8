package main

import (
	"context"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/api/access"
	front "github.com/freehold-net/freehold/pkg/api/server"
	"github.com/freehold-net/freehold/pkg/httpserver"
	"github.com/freehold-net/freehold/pkg/webhook/certificate"
	"github.com/freehold-net/freehold/web"
)

// served is the REST API of one replica and its page.
type served struct {
	address string
	handler *front.Handler
	callers *access.Kubernetes
	keeper  *certificate.Keeper
	log     *slog.Logger
	// listening is called when it is so.
	listening func()
}

// newAPI makes the API, which knows nothing yet.
func (m *manager) newAPI(config *rest.Config, keeper *certificate.Keeper) (*served, error) {
	page, err := web.Handler()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}

	callers, err := access.New(config)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}

	return &served{
		address: fmt.Sprintf(":%d", m.options.apiPort),
		handler: front.New(page), callers: callers, keeper: keeper, log: m.log,
		listening: func() { m.wait("api", "") },
	}, nil
}

// run serves until ctx ends. Who calls before Fill is told to come again.
func (s *served) run(ctx context.Context) error {
	listener, err := httpserver.Listen(ctx, s.address)
	if err != nil {
		return fmt.Errorf("serve the API: %w", err)
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.callers.Run(ctx, s.listening) })
	group.Go(func() error {
		return front.Serve(ctx, listener, front.Config{
			Handler: s.handler, Certificate: s.keeper.GetCertificate, ClientCAs: s.callers.ClientCAs, Logger: s.log,
		})
	})

	return group.Wait() //nolint:wrapcheck // the parts say what they are
}
