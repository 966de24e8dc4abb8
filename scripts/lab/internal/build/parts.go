package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Versions of what the lab builds; the modules below modules/ pin the same.
const (
	KubernetesVersion = "v1.36.3"
	EtcdVersion       = "v3.6.8"
	ContainerdVersion = "v2.2.9"
	RuncVersion       = "v1.5.2"
	PluginsVersion    = "v1.9.1"
	MultusVersion     = "v4.2.0"
	HelmVersion       = "v3.21.4"
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
	return c.ensureModule(ctx, controlPlane())
}

func controlPlane() module {
	return module{
		Part: Part{
			Name: "controlplane", Key: KubernetesVersion, Estimate: "about 3 minutes",
			Title: "Kubernetes " + KubernetesVersion + " and etcd " + EtcdVersion,
		},
		source: "controlplane",
		// Without these every part calls itself v0.0.0, which charts refuse.
		flags: []string{"-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion +
			" -X k8s.io/client-go/pkg/version.gitVersion=" + KubernetesVersion},
		packages: []string{".", "k8s.io/kubernetes/cmd/kubectl"},
		finish: func(dir string) error {
			for _, name := range controlPlaneNames() {
				if err := os.Symlink("controlplane", filepath.Join(dir, name)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// Helm builds Helm and returns the directory that holds it.
func (c *Cache) Helm(ctx context.Context) (string, error) {
	return c.ensureModule(ctx, helm())
}

func helm() module {
	return module{
		Part:     Part{Name: "helm", Key: HelmVersion, Title: "Helm " + HelmVersion, Estimate: "about 20 seconds"},
		source:   "helm",
		flags:    []string{"-ldflags", "-s -w -X helm.sh/helm/v3/internal/version.version=" + HelmVersion},
		packages: []string{"helm.sh/helm/v3/cmd/helm"},
	}
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
	key := Key(dirs...)
	return c.EnsurePart(ctx, Part{Name: "runtime", Key: key, Title: "the container runtime's directory"},
		func(_ context.Context, dir string) error { return linkAll(dir, dirs) })
}

// Key makes a key of what a result depends on.
func Key(parts ...string) string {
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
	return c.ensureModule(ctx, containerd())
}

func containerd() module {
	return module{
		Part: Part{
			Name: "containerd", Key: ContainerdVersion, Estimate: "about 1 minute",
			Title: "containerd " + ContainerdVersion + ", CNI plugins " + PluginsVersion + ", Multus " + MultusVersion,
		},
		source: "runtime",
		flags:  []string{GoTags("no_btrfs", "no_devmapper", "no_zfs", "no_aufs")},
		// One go build for all: it overlaps compiling and linking.
		packages: []string{
			"github.com/containerd/containerd/v2/cmd/containerd",
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"github.com/containerd/containerd/v2/cmd/ctr",
			"github.com/containernetworking/plugins/plugins/ipam/host-local",
			"github.com/containernetworking/plugins/plugins/main/bridge",
			"github.com/containernetworking/plugins/plugins/main/loopback",
			"gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus",
		},
		finish: func(dir string) error {
			return os.Rename(filepath.Join(dir, "bridge"), filepath.Join(dir, UpstreamBridge))
		},
	}
}

// Packages returns the Debian packages that Runtime installs. Pod sandboxes
// always carry a seccomp profile, hence libseccomp.
func Packages() []string {
	return []string{"gcc", "libc6-dev", "libseccomp-dev", "pkg-config"}
}

func (c *Cache) runc(ctx context.Context) (string, error) {
	return c.ensureModule(ctx, module{
		Part:   Part{Name: "runc", Key: RuncVersion, Title: "runc " + RuncVersion, Estimate: "about 10 seconds"},
		source: "runc", cgo: true, debian: Packages(),
		flags: []string{GoTags("seccomp")}, packages: []string{"github.com/opencontainers/runc"},
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
		filepath.Join(root, "internal", "vlan"), filepath.Join(root, "internal", "nodeinit"),
		filepath.Join(root, "internal", "build", "goflags"), filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	return c.EnsurePart(ctx, Part{Name: "node", Key: key, Title: "the lab's node-init and CNI plugin"},
		func(ctx context.Context, dir string) error {
			if err := c.GoBuild(ctx, dir+"/", GoBuild{Dir: root, Packages: []string{"./cmd/" + NodeInit}}); err != nil {
				return err
			}
			return c.GoBuild(ctx, filepath.Join(dir, "bridge"), GoBuild{Dir: root, Packages: []string{"./cni"}})
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
			if err := c.GoBuild(ctx, bin, GoBuild{Dir: root, Packages: []string{"./pause"}}); err != nil {
				return err
			}
			return WriteImage(filepath.Join(dir, PauseTar), []string{PauseImage}, "",
				ImageConfig{Entrypoint: []string{"/pause"}, Files: map[string]string{"/pause": bin}})
		})
}

// module is a part that is built from a module below modules/.
type module struct {
	Part
	source   string // directory below modules/
	cgo      bool
	debian   []string // Debian packages that the build needs
	flags    []string
	packages []string
	finish   func(dir string) error // names the results; may be nil
}

// ensureModule builds the part, whose key gets what the result depends on.
func (c *Cache) ensureModule(ctx context.Context, m module) (string, error) {
	p, b, err := c.locate(m)
	if err != nil {
		return "", err
	}
	return c.EnsurePart(ctx, p, func(ctx context.Context, dir string) error {
		if err := c.Apt(ctx, m.debian...); err != nil {
			return err
		}
		if err := c.GoBuild(ctx, dir+"/", b); err != nil || m.finish == nil {
			return err
		}
		return m.finish(dir)
	})
}

// locate returns the part with its whole key, and the build.
func (c *Cache) locate(m module) (Part, GoBuild, error) {
	dir, err := c.SourceDir("modules", m.source)
	if err != nil {
		return m.Part, GoBuild{}, err
	}
	hash, err := HashFiles(dir)
	if err != nil {
		return m.Part, GoBuild{}, err
	}
	b := GoBuild{Dir: dir, Cgo: m.cgo, Flags: m.flags, Packages: m.packages}
	m.Key += "-" + Key(slices.Concat([]string{hash}, GoEnv(m.cgo), m.flags, m.packages)...)
	return m.Part, b, nil
}

// Fetch downloads the Go modules of what ControlPlane and Helm have yet to
// build, so that the compiler need not wait for them when their turn comes.
func (c *Cache) Fetch(ctx context.Context) error {
	for _, m := range []module{controlPlane(), helm()} {
		p, b, err := c.locate(m)
		if err != nil {
			return err
		}
		if isDir(filepath.Join(c.Dir, p.Name, p.Key)) {
			continue
		}
		if err := c.GoFetch(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
