// Command agent answers DHCP on one network from one IPPool.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/agent/source"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/version"
)

// options is what the agent is told on its command line.
type options struct {
	kubeconfig string
	pool       string
	nic        string
	stateDir   string
	namespace  string
	identity   string
	uid        string
	lease      string
	httpPort   int
	logLevel   slog.Level
}

func main() {
	if err := run(); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}

		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := parseOptions(os.Args[1:], os.Getenv, os.Stderr)
	if err != nil {
		return err
	}

	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: o.logLevel}))
	kube.BridgeLogs(logger)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	logger.Info("agent starts", "version", version.Version, "pool", o.pool, "interface", o.nic)

	return serve(ctx, o, logger)
}

// maxPort is the largest TCP port.
const maxPort = 65535

func parseOptions(args []string, getenv func(string) string, output io.Writer) (options, error) {
	var (
		o     options
		level string
	)

	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.kubeconfig, "kubeconfig", getenv("KUBECONFIG"), "kubeconfig `file`; empty: the pod's own service account")
	flags.StringVar(&o.pool, "ippool-ref", getenv("IPPOOL_REF"), "the IPPool to serve, as `namespace/name`")
	flags.StringVar(&o.nic, "nic", "eth1", "network `interface` to answer on")
	flags.StringVar(&o.stateDir, "state-dir", "", "`directory` that keeps the leases over a restart; empty: none")
	flags.StringVar(&o.namespace, "namespace", getenv("POD_NAMESPACE"), "the agent's own `namespace`")
	flags.StringVar(&o.identity, "identity", getenv("POD_NAME"), "`name` of this replica among the others")
	flags.StringVar(&o.uid, "identity-uid", getenv("POD_UID"), "`UID` of this replica's Pod, which a Lease it has to make ends with; empty: such a Lease stays")
	flags.StringVar(&o.lease, "lease-name", "", "`name` of the Lease whose holder speaks for the server address; empty: nobody does")
	flags.IntVar(&o.httpPort, "http-port", 8080, "`port` of health, metrics and views")
	flags.StringVar(&level, "log-level", "info", "debug, info, warn or error")

	if err := flags.Parse(args); err != nil {
		return o, err // Flag has said it all.
	}

	var errs []error

	if namespace, name := kube.SplitKey(o.pool); namespace == "" || name == "" {
		errs = append(errs, fmt.Errorf("--ippool-ref %q cannot be used: write namespace/name of an IPPool", o.pool))
	}

	if o.httpPort < 1 || o.httpPort > maxPort {
		errs = append(errs, fmt.Errorf("--http-port %d cannot be used: write a port from 1 to %d", o.httpPort, maxPort))
	}

	if o.nic == "" {
		errs = append(errs, errors.New("--nic is empty; give the network interface to answer on, such as eth1"))
	}

	if err := o.logLevel.UnmarshalText([]byte(level)); err != nil {
		errs = append(errs, fmt.Errorf("--log-level %q cannot be used: write debug, info, warn or error", level))
	}

	if o.lease != "" && (o.namespace == "" || o.identity == "") {
		errs = append(errs, errors.New("--lease-name needs --namespace and --identity, or POD_NAMESPACE and POD_NAME"))
	}

	return o, errors.Join(errs...)
}

func serve(ctx context.Context, o options, logger *slog.Logger) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("load client configuration: %w", err)
	}

	config.UserAgent = "freehold-agent/" + version.Version
	namespace, name := kube.SplitKey(o.pool)

	lookup := func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	}

	feed, err := source.New(config, namespace, name, lookup, clock.RealClock{}, logger)
	if err != nil {
		return fmt.Errorf("watch IPPool %s: %w", o.pool, err)
	}

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf(":%d", o.httpPort))
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}

	var owner atomic.Bool

	server, err := agent.New(agent.Config{
		Pool: o.pool, Interface: o.nic, StateDir: o.stateDir, Listener: listener,
		Owner: owner.Load, Logger: logger, Now: time.Now,
	}, feed)
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}

	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make Kubernetes client: %w", err)
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx) })

	if o.lease != "" {
		group.Go(func() error {
			own(ctx, client, o, &owner, server.TakeOver, logger)

			return nil
		})
	}

	return group.Wait() // The parts say what they are.
}

// own holds the pool's Lease whenever it can. Its holder answers ARP for the
// server address, so that guests can renew by unicast. Everything else every
// replica does, with or without the Lease.
func own(ctx context.Context, client kubernetes.Interface, o options, owner *atomic.Bool, takeOver func(), logger *slog.Logger) {
	election := kube.Election{
		Namespace: o.namespace, Name: o.lease, Identity: o.identity,
		LeaseDuration: 10 * time.Second, RenewDeadline: 7 * time.Second, RetryPeriod: 2 * time.Second,
	}

	// The manager makes the Lease and it ends with the agents' Deployment, but
	// then agents that are still there would make it again, for good.
	if o.uid != "" {
		election.Owner = &metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: o.identity, UID: types.UID(o.uid)}
	}

	for ctx.Err() == nil {
		err := kube.RunLeader(ctx, client, election, func(ctx context.Context) error {
			owner.Store(true)
			defer owner.Store(false)

			takeOver()
			logger.Info("this replica speaks for the server address", "pool", o.pool)
			<-ctx.Done()

			return nil
		})
		if err != nil && ctx.Err() == nil {
			logger.Warn("another replica may speak for the server address now", "pool", o.pool, "error", err)
		}
	}
}
