package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/freehold-net/freehold/pkg/httpserver"
	"github.com/freehold-net/freehold/pkg/webhook/certificate"
)

// ServeConfig is what Serve works with. All of it is required but Ready.
type ServeConfig struct {
	// Address is where to listen, such as ":8443".
	Address string
	// Certificate says where the certificate is kept and for which name.
	Certificate certificate.Config
	// Ready is called once, when the server listens, has a certificate, and has
	// put its authority into the webhook configurations.
	Ready func()
	// Logger is told of what goes wrong with connections, at debug level.
	Logger *slog.Logger
}

// Serve serves the handler over TLS and keeps the certificate, until ctx ends or
// the server fails. When ctx ends, requests under way are answered first and nil
// is returned. It fails at once when the address cannot be listened on; trouble
// with the certificate is logged and tried again, and Ready waits for it.
//
// It is for every replica, not only for the leader.
func Serve(ctx context.Context, config ServeConfig, handler http.Handler) error {
	listener, err := httpserver.Listen(ctx, config.Address)
	if err != nil {
		return fmt.Errorf("serve admission requests: %w", err)
	}

	return serve(ctx, config, handler, listener)
}

func serve(ctx context.Context, config ServeConfig, handler http.Handler, listener net.Listener) error {
	keeper := certificate.New(config.Certificate)
	group, ctx := errgroup.WithContext(ctx)

	group.Go(func() error { return keeper.Run(ctx, config.Ready) })
	group.Go(func() error {
		err := httpserver.ServeOn(ctx, listener, httpserver.Config{
			Handler: handler,
			TLS:     &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: keeper.GetCertificate},
			Logger:  config.Logger,
		})
		if err != nil {
			return fmt.Errorf("serve admission requests: %w", err)
		}

		return nil
	})

	return group.Wait() // The parts say what they are.
}
