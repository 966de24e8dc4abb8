// Command manager runs Freehold's controllers, its admission webhooks, its
// metrics and its debug views.
//
// Every replica serves admission, metrics and views from its caches; the one
// that leads also writes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/version"
)

func main() {
	if err := run(); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}

		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run() error {
	options, err := parseOptions(os.Args[1:], os.Getenv, os.Stderr)
	if err != nil {
		return err
	}

	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: options.logLevel}))
	kube.BridgeLogs(logger)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	logger.Info("manager starts", "version", version.Version, "namespace", options.namespace, "name", options.name,
		"agentImage", options.agents.Image)

	return newManager(options, logger).run(ctx)
}
