package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/freehold-net/freehold/pkg/httpserver"
)

// ServeConfig is what Serve works with. All of it is required but Ready.
type ServeConfig struct {
	// Address is where to listen, such as ":8443".
	Address string
	// Certificate finds the certificate to show; that of a certificate.Keeper
	// does.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Ready is called once, when the server listens.
	Ready func()
	// Logger is told of what goes wrong with connections, at debug level.
	Logger *slog.Logger
}

// Serve serves the handler over TLS until ctx ends or the server fails. When ctx
// ends, requests under way are answered first and nil is returned. It fails at
// once when the address cannot be listened on.
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
	if config.Ready != nil {
		config.Ready()
	}

	err := httpserver.ServeOn(ctx, listener, httpserver.Config{
		Handler: handler,
		TLS:     &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: config.Certificate},
		Logger:  config.Logger,
	})
	if err != nil {
		return fmt.Errorf("serve admission requests: %w", err)
	}

	return nil
}
