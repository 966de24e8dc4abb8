package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/fault"
)

func (s *settings) fault() *cobra.Command {
	root := &cobra.Command{Use: "fault", Short: "Break parts of the cluster and mend them again"}
	var network string
	link := func(use, short string, do func(*cluster.Node, string) error) *cobra.Command {
		cmd := s.nodeFault(use, short, func(_ context.Context, n *cluster.Node) error { return do(n, network) })
		cmd.Flags().StringVar(&network, "network", "", "only this cluster network (default: all, the nodes' network included)")
		return cmd
	}
	plain := func(do func(*cluster.Node) error) func(context.Context, *cluster.Node) error {
		return func(_ context.Context, n *cluster.Node) error { return do(n) }
	}
	root.AddCommand(
		link("cut", "Take a node's cables out", fault.Cut),
		link("restore", "Put a node's cables back", fault.Restore),
		s.nodeFault("freeze", "Stop every process of a node", plain(fault.Freeze)),
		s.nodeFault("thaw", "Let a frozen node go on", plain(fault.Thaw)),
		s.nodeFault("stop-runtime", "Kill a node's kubelet and containerd", fault.StopRuntime),
		s.nodeFault("start-runtime", "Start them again", fault.StartRuntime),
		s.nodeFault("kill-node", "Kill a whole node at once", fault.KillNode),
		s.nodeFault("start-node", "Start a killed node and wait until it is Ready", fault.StartNode),
		s.serviceFault("stop", "Kill a service of the control plane", fault.StopControlPlane),
		s.serviceFault("start", "Start it again", fault.StartControlPlane),
	)
	return root
}

func (s *settings) nodeFault(use, short string, do func(context.Context, *cluster.Node) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " NODE", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := cluster.Open(s.stateDir)
			if err != nil {
				return err
			}
			n, err := c.Node(args[0])
			if err != nil {
				return err
			}
			if err := do(cmd.Context(), n); err != nil {
				return fmt.Errorf("%s %s: %w", use, n.Name, err)
			}
			return nil
		},
	}
}

func (s *settings) serviceFault(use, short string, do func(context.Context, *cluster.Cluster, string) error) *cobra.Command {
	names := []string{"apiserver", "etcd", "controller-manager", "scheduler"}
	services := map[string]string{
		"apiserver": cluster.APIServer, "etcd": cluster.Etcd,
		"controller-manager": cluster.ControllerManager, "scheduler": cluster.Scheduler,
	}
	return &cobra.Command{
		Use: use + " {apiserver|etcd|controller-manager|scheduler}", Short: short,
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := cluster.Open(s.stateDir)
			if err != nil {
				return err
			}
			if err := do(cmd.Context(), c, services[args[0]]); err != nil {
				return fmt.Errorf("%s %s: %w", use, args[0], err)
			}
			return nil
		},
	}
}
