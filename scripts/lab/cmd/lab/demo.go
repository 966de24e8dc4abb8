package main

import (
	"github.com/spf13/cobra"

	"github.com/freehold-net/freehold/scripts/lab/internal/demo"
	"github.com/freehold-net/freehold/scripts/lab/internal/stage"
)

func (s *settings) demo() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Show the product at work, from nothing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := s.cache()
			if err != nil {
				return err
			}
			return demo.Run(cmd.Context(), cache, s.stateDir, cmd.OutOrStdout())
		},
	}
}

func (s *settings) stage() *cobra.Command {
	return &cobra.Command{
		Use: "stage", Short: "Start the cluster with Harvester's part, KubeVirt and Freehold on it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := s.cache()
			if err != nil {
				return err
			}
			_, err = stage.Up(cmd.Context(), cache, s.stateDir)
			return err
		},
	}
}
