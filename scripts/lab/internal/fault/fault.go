// Package fault breaks parts of a running lab on demand and mends them again.
// Every fault has an opposite; nothing here waits for the cluster's reaction
// unless it says so.
package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
)

// Cut takes the cable out of a node: that of one cluster network, or of all
// networks when clusterNetwork is empty. The node's end loses its carrier.
func Cut(n *cluster.Node, clusterNetwork string) error { return setLinks(n, clusterNetwork, false) }

// Restore undoes Cut.
func Restore(n *cluster.Node, clusterNetwork string) error {
	return setLinks(n, clusterNetwork, true)
}

func setLinks(n *cluster.Node, clusterNetwork string, up bool) error {
	links, err := n.Links(clusterNetwork)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		errs = append(errs, cluster.SetLink(l, up))
	}
	return errors.Join(errs...)
}

// Freeze stops every process of the node, those of its pods and guests
// included: the node is there, and does nothing. Its network interfaces still
// answer pings, as those of a hung machine do.
func Freeze(n *cluster.Node) error { return signalAll(n, unix.SIGSTOP) }

// Thaw undoes Freeze.
func Thaw(n *cluster.Node) error { return signalAll(n, unix.SIGCONT) }

// signalAll signals all processes of the node until no new ones appear. A
// thawed process must not find its process 1 asleep, nor a frozen one it awake,
// hence process 1 first in both cases.
func signalAll(n *cluster.Node, sig unix.Signal) error {
	root := n.Pid()
	if root == 0 {
		return fmt.Errorf("node %s is down", n.Name)
	}
	done := map[int]bool{}
	for {
		parents, err := parents()
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range descendants(parents, root) {
			if done[pid] {
				continue
			}
			done[pid], fresh = true, true
			if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("node %s: signal process %d: %w", n.Name, pid, err)
			}
		}
		if !fresh {
			return nil
		}
	}
}

// parents returns the parent of every process of this machine.
func parents() (map[int]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has just ended
		}
		// The name in parentheses may hold anything; the state and the parent follow it.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		if parents[pid], err = strconv.Atoi(fields[1]); err != nil {
			return nil, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return parents, nil
}

// descendants returns root and everything below it, parents before children.
func descendants(parents map[int]int, root int) []int {
	children := map[int][]int{}
	for pid, parent := range parents {
		children[parent] = append(children[parent], pid)
	}
	list := []int{root}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
	}
	return list
}

// StopRuntime kills the node's kubelet and containerd; its pods run on with
// nobody to look after them.
func StopRuntime(ctx context.Context, n *cluster.Node) error {
	return errors.Join(
		nodeinit.Stop(ctx, n.ControlSocket(), cluster.Kubelet),
		nodeinit.Stop(ctx, n.ControlSocket(), cluster.Containerd))
}

// StartRuntime undoes StopRuntime.
func StartRuntime(ctx context.Context, n *cluster.Node) error {
	return errors.Join(
		nodeinit.Start(ctx, n.ControlSocket(), cluster.Containerd),
		nodeinit.Start(ctx, n.ControlSocket(), cluster.Kubelet))
}

// KillNode pulls the plug: every process of the node is gone at once.
func KillNode(ctx context.Context, n *cluster.Node) error { return n.Kill(ctx) }

// StartNode starts a killed node again, with the images that it had, and waits
// until it is Ready. The API server has to be up.
func StartNode(ctx context.Context, n *cluster.Node) error {
	began := time.Now()
	if err := n.Start(ctx); err != nil {
		return err
	}
	if err := n.StartKubelet(ctx); err != nil {
		return err
	}
	return n.AwaitReady(ctx, began)
}

// StopControlPlane kills one of the control plane's services, such as
// cluster.APIServer or cluster.Etcd, and keeps it from starting.
func StopControlPlane(ctx context.Context, c *cluster.Cluster, service string) error {
	return nodeinit.Stop(ctx, c.ControlSocket(), service)
}

// StartControlPlane undoes StopControlPlane and waits until the API server is
// ready, unless another service that it needs is stopped.
func StartControlPlane(ctx context.Context, c *cluster.Cluster, service string) error {
	if err := nodeinit.Start(ctx, c.ControlSocket(), service); err != nil {
		return err
	}
	services, err := nodeinit.Status(ctx, c.ControlSocket())
	if err != nil {
		return err
	}
	for _, s := range services {
		if !s.Wanted && (s.Name == cluster.Etcd || s.Name == cluster.APIServer) {
			return nil
		}
	}
	return c.AwaitAPI(ctx)
}
