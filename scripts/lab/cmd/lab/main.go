// Lab runs the Kubernetes cluster that the demo and the end-to-end tests need:
// `lab up`, `lab status`, `lab fault`, `lab down` and more.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/kubevirt"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// settings are what all commands share.
type settings struct {
	stateDir string
	cacheDir string
	verbose  bool
}

func newCommand() *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use: "lab", Short: "A real Kubernetes cluster of several nodes on this machine",
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.stateDir, "state-dir", cluster.DefaultStateDir, "where the cluster keeps its state")
	flags.StringVar(&s.cacheDir, "cache-dir", "", "where built programs are kept (default: $"+build.CacheEnv+", else the user's cache directory)")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "log every command that is run")
	root.AddCommand(s.up(), s.down(), s.status(), s.demo(), s.stage(), s.build(), s.fault(), s.kubeconfig(), s.exec(), s.importImage())
	return root
}

func (s *settings) cache() (*build.Cache, error) {
	dir := s.cacheDir
	if dir == "" {
		var err error
		if dir, err = build.DefaultDir(); err != nil {
			return nil, err
		}
	}
	level := slog.LevelInfo
	if s.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return &build.Cache{Dir: dir, Log: log, Progress: os.Stdout}, nil
}

func (s *settings) up() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Build what is missing and start the cluster", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := s.cache()
			if err != nil {
				return err
			}
			_, err = cluster.Up(cmd.Context(), cache, cluster.Options{StateDir: s.stateDir})
			return err
		},
	}
}

func (s *settings) down() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "End the cluster and remove everything of it but the built programs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cluster.Down(cmd.Context(), s.stateDir); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "lab down: nothing is left but the cache of built programs")
			return nil
		},
	}
}

func (s *settings) build() *cobra.Command {
	parts := []string{"runtime", "controlplane", "helm", "kubevirt"}
	return &cobra.Command{
		Use: "build [" + strings.Join(parts, "|") + "]", Short: "Build the programs, or one part of them, and print where they are",
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs), ValidArgs: parts,
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := s.cache()
			if err != nil {
				return err
			}
			// Standard output is for the directories, which scripts read.
			cache.Progress = cmd.ErrOrStderr()
			if len(args) > 0 {
				parts = args
			}
			for _, part := range parts {
				dir, err := buildPart(cmd.Context(), cache, part)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), dir)
			}
			return nil
		},
	}
}

func buildPart(ctx context.Context, cache *build.Cache, part string) (string, error) {
	switch part {
	case "runtime":
		return cache.Runtime(ctx)
	case "controlplane":
		return cache.ControlPlane(ctx)
	case "helm":
		return cache.Helm(ctx)
	case "kubevirt":
		parts, err := kubevirt.Build(ctx, cache)
		return filepath.Dir(parts.Archive), err
	default:
		return "", fmt.Errorf("part %q: want runtime, controlplane, helm or kubevirt", part)
	}
}

func (s *settings) kubeconfig() *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig", Short: "Print the path of the administrator's kubeconfig", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster.Open(s.stateDir)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), c.Kubeconfig())
			return nil
		},
	}
}

func (s *settings) exec() *cobra.Command {
	return &cobra.Command{
		Use: "exec NODE -- COMMAND [ARGUMENT...]", Short: "Run a command inside a node", Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := cluster.Open(s.stateDir)
			if err != nil {
				return err
			}
			n, err := c.Node(args[0])
			if err != nil {
				return err
			}
			run, err := n.Command(cmd.Context(), args[1:]...)
			if err != nil {
				return err
			}
			run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return run.Run()
		},
	}
}

func (s *settings) importImage() *cobra.Command {
	var o cluster.ImportOptions
	cmd := &cobra.Command{
		Use: "import ARCHIVE", Short: "Import a docker archive on the nodes", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := cluster.Open(s.stateDir)
			if err != nil {
				return err
			}
			return c.ImportImageWith(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().StringSliceVar(&o.Nodes, "nodes", nil, "only on these nodes")
	cmd.Flags().BoolVar(&o.TagDigest, "tag-digest", false, "name the images NAME@DIGEST as well")
	return cmd
}
