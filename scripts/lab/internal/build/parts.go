package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// Versions of what the lab builds; the modules below modules/ pin the same.
const (
	KubernetesVersion = "v1.36.1"
	EtcdVersion       = "v3.6.8"
	ContainerdVersion = "v2.2.9"
	RuncVersion       = "v1.5.2"
	PluginsVersion    = "v1.9.1"
	MultusVersion     = "v4.2.0"
	HelmVersion       = "v3.22.0"
)

// PauseImage is the name of the image in which every pod's namespaces live.
const PauseImage = "localhost/pause:dev"

// Names of files in the directory that Runtime returns.
const (
	PauseTar       = "pause.tar"       // docker archive of PauseImage
	UpstreamBridge = "bridge-upstream" // the unchanged CNI plugin; "bridge" is the lab's wrapper
	NodeInit       = "node-init"       // process 1 of a node
)

// controlPlaneNames are the names that the multi-call program answers to.
func controlPlaneNames() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}
}

// ControlPlane builds etcd and Kubernetes and returns a directory with etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy
// and kubectl; it serves as KUBEBUILDER_ASSETS.
func (c *Cache) ControlPlane(ctx context.Context) (string, error) {
	p := Part{
		Name: "controlplane", Key: KubernetesVersion, Estimate: "about 5 minutes",
		Title: "Kubernetes " + KubernetesVersion + " and etcd " + EtcdVersion,
	}
	// Without these every part calls itself v0.0.0, which charts refuse.
	flags := []string{"-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion +
		" -X k8s.io/client-go/pkg/version.gitVersion=" + KubernetesVersion}
	p.Key += "-" + shortHash(flags...)
	return c.ensureModule(ctx, p, func(ctx context.Context, mod, dir string) error {
		if err := c.GoBuild(ctx, mod, filepath.Join(dir, "kubernetes"), flags, "."); err != nil {
			return err
		}
		for _, name := range controlPlaneNames() {
			if err := os.Symlink("kubernetes", filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return c.GoBuild(ctx, mod, filepath.Join(dir, "kubectl"), flags, "k8s.io/kubernetes/cmd/kubectl")
	})
}

// Helm builds Helm and returns the directory that holds it.
func (c *Cache) Helm(ctx context.Context) (string, error) {
	p := Part{Name: "helm", Key: HelmVersion, Title: "Helm " + HelmVersion, Estimate: "about 1 minute"}
	flags := []string{"-ldflags", "-s -w -X helm.sh/helm/v3/internal/version.version=" + HelmVersion}
	p.Key += "-" + shortHash(flags...)
	return c.ensureModule(ctx, p, func(ctx context.Context, mod, dir string) error {
		return c.GoBuild(ctx, mod, filepath.Join(dir, "helm"), flags, "helm.sh/helm/v3/cmd/helm")
	})
}

// Runtime builds the container runtime and the network plugins and returns a
// directory with containerd, containerd-shim-runc-v2, ctr, runc, multus,
// host-local, loopback, bridge (the lab's wrapper), UpstreamBridge,
// NodeInit and PauseTar.
func (c *Cache) Runtime(ctx context.Context) (string, error) {
	parts := []func(context.Context) (string, error){c.containerd, c.runc, c.wrapper, c.pause}
	dirs := make([]string, 0, len(parts))
	for _, part := range parts {
		dir, err := part(ctx)
		if err != nil {
			return "", err
		}
		dirs = append(dirs, dir)
	}
	key := shortHash(dirs...)
	return c.EnsurePart(ctx, Part{Name: "runtime", Key: key, Title: "the container runtime's directory"},
		func(_ context.Context, dir string) error { return linkAll(dir, dirs) })
}

// shortHash makes a key of what a result depends on.
func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])[:12]
}

// linkAll links every file of the directories into dir.
func linkAll(dir string, from []string) error {
	for _, source := range from {
		entries, err := os.ReadDir(source)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.Symlink(filepath.Join(source, e.Name()), filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cache) containerd(ctx context.Context) (string, error) {
	p := Part{
		Name: "containerd", Key: ContainerdVersion, Estimate: "about 2 minutes",
		Title: "containerd " + ContainerdVersion + ", CNI plugins " + PluginsVersion + ", Multus " + MultusVersion,
	}
	return c.ensureModule(ctx, p, func(ctx context.Context, mod, dir string) error {
		// One go build for all: it overlaps compiling and linking.
		err := c.GoBuild(ctx, mod, dir+"/", []string{"-tags", "no_btrfs no_devmapper no_zfs no_aufs"},
			"github.com/containerd/containerd/v2/cmd/containerd",
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"github.com/containerd/containerd/v2/cmd/ctr",
			"github.com/containernetworking/plugins/plugins/ipam/host-local",
			"github.com/containernetworking/plugins/plugins/main/bridge",
			"github.com/containernetworking/plugins/plugins/main/loopback",
			"gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus")
		if err != nil {
			return err
		}
		return os.Rename(filepath.Join(dir, "bridge"), filepath.Join(dir, UpstreamBridge))
	})
}

func (c *Cache) runc(ctx context.Context) (string, error) {
	p := Part{Name: "runc", Key: RuncVersion, Title: "runc " + RuncVersion, Estimate: "about 20 seconds"}
	return c.ensureModule(ctx, p, func(ctx context.Context, mod, dir string) error {
		// Pod sandboxes always carry a seccomp profile, hence libseccomp.
		if err := c.Apt(ctx, "gcc", "libc6-dev", "libseccomp-dev", "pkg-config"); err != nil {
			return err
		}
		return c.GoBuild(ctx, mod, filepath.Join(dir, "runc"), []string{"-tags", "seccomp"}, "github.com/opencontainers/runc")
	})
}

// wrapper builds the lab's CNI plugin, which stands before the bridge plugin,
// and process 1 of the nodes.
func (c *Cache) wrapper(ctx context.Context) (string, error) {
	root, err := c.SourceDir()
	if err != nil {
		return "", err
	}
	key, err := HashFiles(filepath.Join(root, "cni"), filepath.Join(root, "cmd", NodeInit),
		filepath.Join(root, "internal", "vlan"), filepath.Join(root, "internal", "nodeinit"), filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	return c.EnsurePart(ctx, Part{Name: "node", Key: key, Title: "the lab's node-init and CNI plugin"},
		func(ctx context.Context, dir string) error {
			if err := c.goBuildStatic(ctx, root, filepath.Join(dir, NodeInit), "./cmd/"+NodeInit); err != nil {
				return err
			}
			return c.goBuildStatic(ctx, root, filepath.Join(dir, "bridge"), "./cni")
		})
}

// pause builds the image of the process that holds a pod's namespaces.
func (c *Cache) pause(ctx context.Context) (string, error) {
	root, err := c.SourceDir()
	if err != nil {
		return "", err
	}
	key, err := HashFiles(filepath.Join(root, "pause"))
	if err != nil {
		return "", err
	}
	return c.EnsurePart(ctx, Part{Name: "pause", Key: key, Title: "the pause image"},
		func(ctx context.Context, dir string) error {
			bin := filepath.Join(dir, "pause")
			if err := c.goBuildStatic(ctx, root, bin, "./pause"); err != nil {
				return err
			}
			return WriteImage(filepath.Join(dir, PauseTar), []string{PauseImage}, "",
				ImageConfig{Entrypoint: []string{"/pause"}, Files: map[string]string{"/pause": bin}})
		})
}

// ensureModule builds what a module below modules/ pins; its content is part of
// the key.
func (c *Cache) ensureModule(ctx context.Context, p Part, fill func(ctx context.Context, mod, dir string) error) (string, error) {
	mod, err := c.SourceDir("modules", p.Name)
	if err != nil {
		return "", err
	}
	if p.Name == "containerd" {
		mod = filepath.Join(filepath.Dir(mod), "runtime")
	}
	hash, err := HashFiles(mod)
	if err != nil {
		return "", err
	}
	p.Key += "-" + hash
	return c.EnsurePart(ctx, p, func(ctx context.Context, dir string) error { return fill(ctx, mod, dir) })
}

// GoBuild builds packages of the module in dir as out (a directory when it ends
// with a slash), stripped and without paths of this machine. CGO is as Go's
// default has it.
func (c *Cache) GoBuild(ctx context.Context, dir, out string, flags []string, packages ...string) error {
	return c.goBuild(ctx, dir, out, []string{"GOFLAGS=-mod=readonly", "GOWORK=off"}, flags, packages)
}

// goBuildStatic is GoBuild for programs that are put in images without a libc.
func (c *Cache) goBuildStatic(ctx context.Context, dir, out string, packages ...string) error {
	return c.goBuild(ctx, dir, out, []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0"}, nil, packages)
}

func (c *Cache) goBuild(ctx context.Context, dir, out string, env, flags, packages []string) error {
	argv := []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out}
	argv = append(append(argv, flags...), packages...)
	return c.Run(ctx, dir, env, argv...)
}
