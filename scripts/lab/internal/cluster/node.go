package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
)

// Pid returns the process id, on this machine, of the node's process 1, and 0
// when the node is down.
func (n *Node) Pid() int {
	p, ok, err := readPid(n.file(pidFile))
	if err != nil || !ok {
		return 0
	}
	return p.Pid
}

// Netns returns the path of the node's network namespace. It leads nowhere
// while the node is down.
func (n *Node) Netns() string { return fmt.Sprintf("/proc/%d/ns/net", n.Pid()) }

// Command prepares a command inside the node: its namespaces, with the lab's
// programs in PATH. It fails when the node is down.
func (n *Node) Command(ctx context.Context, argv ...string) (*exec.Cmd, error) {
	if len(argv) == 0 {
		return nil, errors.New("no command given")
	}
	pid := n.Pid()
	if pid == 0 {
		return nil, fmt.Errorf("node %s is down", n.Name)
	}
	enter := []string{"--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--wd=/", "--", "/usr/bin/env", n.cluster.path()}
	return exec.CommandContext(ctx, "nsenter", append(enter, argv...)...), nil
}

// Exec runs a command inside the node and returns what it wrote to standard
// output. The error of a command that fails quotes what it wrote to standard
// error.
func (n *Node) Exec(ctx context.Context, argv ...string) ([]byte, error) {
	cmd, err := n.Command(ctx, argv...)
	if err != nil {
		return nil, err
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("on node %s: %s: %w: %s", n.Name, strings.Join(argv, " "), err, bytes.TrimSpace(errOut.Bytes()))
	}
	return out.Bytes(), nil
}

// Start starts the node, which must be down: its process 1 and containerd. Its
// kubelet follows with StartKubelet. Images and containers of its last life are
// still there.
func (n *Node) Start(ctx context.Context) error {
	if n.Pid() != 0 {
		return fmt.Errorf("node %s is already up", n.Name)
	}
	if err := removeCgroups(n.cgroup()); err != nil {
		return err
	}
	if err := makeCgroups(n.cgroup()); err != nil {
		return err
	}
	if err := n.writeConfigs(); err != nil {
		return err
	}
	// What is left of a node that died: a socket that nobody listens on.
	if err := os.Remove(n.ContainerdSocket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := n.cluster.spawn(ctx, n.dir(), n.ControlSocket(), nodeNamespaces, n.plugIn); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return n.awaitContainerd(ctx)
}

// StartKubelet lets the kubelet and kube-proxy of a started node run. The API
// server should be there.
func (n *Node) StartKubelet(ctx context.Context) error {
	for _, service := range []string{Kubelet, KubeProxy} {
		if err := nodeinit.Start(ctx, n.ControlSocket(), service); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

// Kill ends the node at once, as pulling the plug does.
func (n *Node) Kill(ctx context.Context) error {
	if err := kill(ctx, n.file(pidFile)); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return nil
}

func (n *Node) awaitContainerd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := n.ctr(ctx, "version")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return failed("containerd of node "+n.Name, err, filepath.Join(n.LogDir(), Containerd+".log"))
		case <-tick.C:
		}
	}
}

// ctr runs containerd's client for the images and containers of Kubernetes.
func (n *Node) ctr(ctx context.Context, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(n.cluster.RuntimeDir, "ctr"),
		append([]string{"--address", n.ContainerdSocket(), "--namespace", "k8s.io"}, argv...)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("node %s: ctr %s: %w: %s", n.Name, strings.Join(argv, " "), err, bytes.TrimSpace(errOut.Bytes()))
	}
	return out, nil
}

// ImportOptions change what ImportImageWith does.
type ImportOptions struct {
	TagDigest bool     // also name each image NAME@DIGEST, as KubeVirt's live migration asks for it
	Nodes     []string // empty means all
}

// ImportImage imports a docker archive on the nodes named (none means all), in
// parallel.
func (c *Cluster) ImportImage(ctx context.Context, tarPath string, nodes ...string) error {
	return c.ImportImageWith(ctx, tarPath, ImportOptions{Nodes: nodes})
}

// ImportImageWith is ImportImage with options.
func (c *Cluster) ImportImageWith(ctx context.Context, tarPath string, o ImportOptions) error {
	targets := c.nodes
	if len(o.Nodes) > 0 {
		targets = nil
		for _, name := range o.Nodes {
			n, err := c.Node(name)
			if err != nil {
				return err
			}
			targets = append(targets, n)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range targets {
		g.Go(func() error {
			if _, err := n.ctr(ctx, "images", "import", tarPath); err != nil {
				return err
			}
			if !o.TagDigest {
				return nil
			}
			tags, err := build.ImageTags(tarPath)
			if err != nil {
				return err
			}
			return n.tagDigests(ctx, tags)
		})
	}
	return g.Wait()
}

// tagDigests names the images by their digest as well.
func (n *Node) tagDigests(ctx context.Context, tags []string) error {
	out, err := n.ctr(ctx, "images", "list")
	if err != nil {
		return err
	}
	digests := imageDigests(string(out))
	for _, tag := range tags {
		digest, ok := digests[tag]
		if !ok {
			return fmt.Errorf("node %s: image %s is missing after its import", n.Name, tag)
		}
		name, _, _ := cutTag(tag)
		if _, err := n.ctr(ctx, "images", "tag", "--force", tag, name+"@"+digest); err != nil {
			return err
		}
	}
	return nil
}

// cutTag splits NAME:TAG; a colon before a slash belongs to the registry's port.
func cutTag(image string) (name, tag string, ok bool) {
	i := strings.LastIndexByte(image, ':')
	if i < strings.LastIndexByte(image, '/') || i < 0 {
		return image, "", false
	}
	return image[:i], image[i+1:], true
}

// imageDigests reads the table that ctr prints: image, type, digest, and more.
func imageDigests(table string) map[string]string {
	digests := map[string]string{}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(f[2], "sha256:") {
			digests[f[0]] = f[2]
		}
	}
	return digests
}
