// Package httpserver serves a handler with limits that keep a slow or silent
// client from holding on to the process, and stops in good order.
package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = time.Minute
	idleTimeout    = 2 * time.Minute
	drainTimeout   = 5 * time.Second
	maxHeaderBytes = 16 << 10
)

// Config is what ServeOn works with. The Handler is required.
type Config struct {
	Handler http.Handler
	// TLS has the certificate, or a function that finds it; nil serves plain
	// HTTP.
	TLS *tls.Config
	// Logger is told of what goes wrong with connections, at debug level: what
	// anybody in reach of the port can bring about. Nil discards it.
	Logger *slog.Logger
}

// Serve is ServeOn for a TCP address such as ":8080" and plain HTTP.
func Serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := Listen(ctx, address)
	if err != nil {
		return err
	}

	return ServeOn(ctx, listener, Config{Handler: handler})
}

// Listen listens on a TCP address such as ":8443".
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig

	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}

	return listener, nil
}

// ServeOn serves until ctx ends and then returns nil, or returns why it could not
// serve. Requests that are under way when ctx ends have five seconds to finish.
// The listener is closed in any case.
func ServeOn(ctx context.Context, listener net.Listener, config Config) error {
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}

	server := &http.Server{
		Handler:           config.Handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         config.TLS,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)

	go func() {
		if config.TLS != nil {
			failed <- server.ServeTLS(listener, "", "")
		} else {
			failed <- server.Serve(listener)
		}
	}()

	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), errors.Join(err, server.Close()))
	case <-ctx.Done():
	}

	// The process's context has ended; what is under way gets a little longer.
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()

	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		// A slow reader must not hold the process up.
		err = server.Close()
	}

	<-failed

	if err != nil {
		return fmt.Errorf("stop serving HTTP on %s: %w", listener.Addr(), err)
	}

	return nil
}
