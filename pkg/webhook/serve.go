package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/freehold-net/freehold/pkg/webhook/certificate"
)

// Limits of the server. The API server gives up on us after timeoutSeconds of
// the webhook configuration, which is less.
const (
	headerTimeout = 10 * time.Second
	wholeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 10 * time.Second
)

// ServeConfig is what Serve works with. All of it is required but Ready and the
// Events of the certificate.
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
	var listening net.ListenConfig

	listener, err := listening.Listen(ctx, "tcp", config.Address)
	if err != nil {
		return fmt.Errorf("listen for admission requests: %w", err)
	}

	return serve(ctx, config, handler, listener)
}

func serve(ctx context.Context, config ServeConfig, handler http.Handler, listener net.Listener) error {
	keeper := certificate.New(config.Certificate)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       wholeTimeout,
		WriteTimeout:      wholeTimeout,
		IdleTimeout:       idleTimeout,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: keeper.GetCertificate},
		ErrorLog:          slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
	}

	running, stop := context.WithCancel(ctx)
	defer stop()

	kept := make(chan error, 1)
	served := make(chan error, 1)

	go func() { kept <- keeper.Run(running, config.Ready) }()
	go func() { served <- server.ServeTLS(listener, "", "") }()

	select {
	case err := <-served:
		stop()
		<-kept

		return fmt.Errorf("serve admission requests: %w", err)
	case err := <-kept:
		if err == nil {
			err = drain(ctx, server)
		} else {
			err = errors.Join(err, server.Close())
		}

		<-served

		return err
	}
}

// drain lets the requests under way end.
func drain(ctx context.Context, server *http.Server) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()

	if err := server.Shutdown(limited); err != nil {
		return fmt.Errorf("stop serving admission requests: %w", err)
	}

	return nil
}
