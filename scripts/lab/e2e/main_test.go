package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/stage"
)

// lab is the stage that all scenarios play on; TestMain sets it.
var lab *stage.Stage

// stageTimeout bounds how long the stage may take: with cold caches it builds
// Kubernetes and KubeVirt.
const stageTimeout = 40 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()

	if list := flag.Lookup("test.list"); list == nil || list.Value.String() == "" {
		if err := setUp(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: no scenario has run, because the lab did not come up: %v\nlogs are below %s\n",
				err, cluster.DefaultStateDir)
			os.Exit(1)
		}
	}

	os.Exit(m.Run())
}

// setUp brings up what of the stage is missing, and removes what scenarios that
// were killed have left on it.
func setUp() error {
	if os.Geteuid() != 0 {
		return errors.New("it needs root for its namespaces: run it as root")
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()

	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()

	dir, err := build.DefaultDir()
	if err != nil {
		return err
	}

	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))

	lab, err = stage.Up(ctx, &build.Cache{Dir: dir, Log: log, Progress: os.Stdout}, cluster.DefaultStateDir)
	if err != nil {
		return err
	}

	return sweep(ctx)
}

// sweep removes the namespaces of scenarios that did not come to their end.
func sweep(ctx context.Context) error {
	left, err := lab.Clients.Core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: scenarioLabel})
	if err != nil {
		return fmt.Errorf("look for what earlier scenarios left: %w", err)
	}

	group, ctx := errgroup.WithContext(ctx)

	for _, namespace := range left.Items {
		lab.Cache.Printf("e2e: removing namespace %s, which an earlier run has left", namespace.Name)
		group.Go(func() error { return remove(ctx, namespace.Name) })
	}

	return group.Wait()
}
