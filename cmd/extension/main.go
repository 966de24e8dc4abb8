// Command extension serves the files of Freehold's extension for Rancher and
// Harvester, and nothing else. It runs in the cluster of the Rancher that shows
// the extension, where there is no manager: it asks for no rights and talks to
// nobody.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/freehold-net/freehold/pkg/httpserver"
	"github.com/freehold-net/freehold/pkg/version"
	"github.com/freehold-net/freehold/web"
)

// maxPort is the largest TCP port.
const maxPort = 65535

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)

	stop()

	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "extension:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, output io.Writer) error {
	port, err := parsePort(args, output)
	if err != nil {
		return err
	}

	handler, err := newHandler()
	if err != nil {
		return err
	}

	logger := slog.New(slog.NewJSONHandler(output, nil))
	logger.Info("extension starts", "version", version.Version, "port", port)

	return httpserver.Serve(ctx, fmt.Sprintf(":%d", port), handler)
}

func parsePort(args []string, output io.Writer) (int, error) {
	set := flag.NewFlagSet("extension", flag.ContinueOnError)
	set.SetOutput(output)
	port := set.Int("http-port", 8080, "TCP `port` on which the files are served, at /, and /healthz")

	if err := set.Parse(args); err != nil {
		return 0, err
	}

	if set.NArg() > 0 {
		return 0, fmt.Errorf("argument %q: there are only flags", set.Arg(0))
	}

	if *port < 0 || *port > maxPort {
		return 0, fmt.Errorf("--http-port=%d: a TCP port is at most %d; 0 takes any that is free", *port, maxPort)
	}

	return *port, nil
}

func newHandler() (http.Handler, error) {
	files, err := web.ExtensionHandler()
	if err != nil {
		return nil, fmt.Errorf("%w; build it with scripts/web before this program is compiled", err)
	}

	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.HandleFunc("/healthz", func(response http.ResponseWriter, _ *http.Request) {
		// A reader that went away is nobody to be told.
		_, _ = io.WriteString(response, "ok")
	})

	return mux, nil
}
