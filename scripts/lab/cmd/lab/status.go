package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
)

func (s *settings) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say what runs and what does not", Args: cobra.NoArgs,
		Long: "Say what runs and what does not. The exit code is 0 only when everything runs.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster.Open(s.stateDir)
			if err != nil {
				return err
			}
			st := c.Status(cmd.Context())
			if err := printStatus(cmd.OutOrStdout(), c, st); err != nil {
				return err
			}
			if !st.Well() {
				return errors.New("not everything runs; see above")
			}
			return nil
		},
	}
}

func printStatus(out io.Writer, c *cluster.Cluster, st cluster.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	api := "ready"
	if st.API != nil {
		api = "not ready: " + st.API.Error()
	}
	fmt.Fprintf(w, "API server\t%s\t%s\n", c.APIServer(), api)
	fmt.Fprintf(w, "control plane\t\t%s\n", services(st.ControlPlane, st.ControlPlaneErr))
	for _, n := range st.Nodes {
		fmt.Fprintf(w, "node %s\t%s\t%s; networks %s; %s\n", n.Name, n.IP, nodeState(n), strings.Join(n.Networks, ", "), services(n.Services, n.Err))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s\nlogs and state: %s\nexport KUBECONFIG=%s\nexport PATH=$PATH:%s\n",
		st.VLANMode.Describe(), c.StateDir(), c.Kubeconfig(), strings.Join(c.BinDirs(), ":"))
	return err
}

func nodeState(n cluster.NodeStatus) string {
	switch {
	case n.Pid == 0:
		return "down"
	case n.Ready:
		return fmt.Sprintf("Ready (pid %d)", n.Pid)
	default:
		return fmt.Sprintf("not Ready (pid %d): %s", n.Pid, n.Why)
	}
}

func services(list []nodeinit.ServiceStatus, err error) string {
	if err != nil {
		return "no answer: " + err.Error()
	}
	var words []string
	for _, s := range list {
		switch {
		case s.Running && s.Starts > 1:
			words = append(words, fmt.Sprintf("%s runs (start %d: %s)", s.Name, s.Starts, s.Last))
		case s.Running:
			words = append(words, s.Name+" runs")
		case !s.Wanted:
			words = append(words, s.Name+" STOPPED")
		default:
			words = append(words, fmt.Sprintf("%s DOWN (%s; log %s)", s.Name, s.Last, s.Log))
		}
	}
	return strings.Join(words, ", ")
}
