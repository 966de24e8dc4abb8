package kubevirt

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

//go:embed files
var files embed.FS

// program is one of KubeVirt's commands.
type program struct {
	path   string // below kubevirt.io/kubevirt/cmd
	static bool   // runs where there is no C library
}

// programs returns what the one image for every component holds.
func programs() []program {
	return []program{
		{path: "virt-operator"},
		{path: "virt-api"},
		{path: "virt-controller"},
		{path: "virt-handler"},
		{path: "virt-launcher"},
		{path: "virt-launcher-monitor", static: true},
		{path: "virt-launcher/libvirt-hook-client"},
		{path: "virt-chroot", static: true},
		{path: "virt-probe"},
		{path: "virt-tail"},
		{path: "virt-freezer"},
	}
}

// Parts is where KubeVirt's parts are on this machine.
type Parts struct {
	Archive  string // docker archive with an image for every component
	Manifest string // YAML that installs the operator
}

// Build makes KubeVirt's images and manifest, or finds them in the cache.
func Build(ctx context.Context, cache *build.Cache) (Parts, error) {
	b := &builder{cache: cache}
	var err error
	if b.module, err = cache.SourceDir("modules", "kubevirt"); err != nil {
		return Parts{}, fmt.Errorf("build KubeVirt: %w", err)
	}
	binaries, err := b.binaries(ctx)
	if err != nil {
		return Parts{}, err
	}
	rootfs, err := b.rootfs(ctx)
	if err != nil {
		return Parts{}, err
	}
	image, err := b.image(ctx, binaries, rootfs)
	if err != nil {
		return Parts{}, err
	}
	return Parts{
		Archive:  filepath.Join(image, "kubevirt.tar"),
		Manifest: filepath.Join(binaries, "operator.yaml"),
	}, nil
}

// builder builds KubeVirt's parts; module is the directory of the Go module
// that pins what they are built from.
type builder struct {
	cache  *build.Cache
	module string
}

// binaries compiles KubeVirt's programs and generates the operator's manifest.
// The directory holds bin, etc (files of KubeVirt's source that go into the
// image) and operator.yaml.
func (b *builder) binaries(ctx context.Context) (string, error) {
	hash, err := build.HashFiles(b.module)
	if err != nil {
		return "", fmt.Errorf("build KubeVirt: %w", err)
	}
	dummies := hasDummyLinks(ctx)
	key := Version + "-" + hash
	if !dummies {
		key += "-nodummy"
	}
	part := build.Part{Name: "kubevirt", Key: key, Title: "KubeVirt " + Version, Estimate: "about 3 minutes"}
	return b.cache.EnsurePart(ctx, part, func(ctx context.Context, dir string) error {
		if err := b.cache.Apt(ctx, "gcc", "libc6-dev", "patch"); err != nil {
			return err
		}
		modfile := filepath.Join(b.module, "go.mod")
		if !dummies {
			b.cache.Printf("  this kernel has no dummy links: KubeVirt is built with a netlink library that uses vxlan ones instead")
			if modfile, err = b.patchNetlink(ctx, dir); err != nil {
				return err
			}
		}
		return b.compile(ctx, dir, modfile)
	})
}

// hasDummyLinks tells whether the kernel can make the dummy links that
// KubeVirt's bridge binding needs, by making one where nobody sees it.
func hasDummyLinks(ctx context.Context) bool {
	return exec.CommandContext(ctx, "unshare", "--net", "ip", "link", "add", "probe", "type", "dummy").Run() == nil
}

// moduleDir returns where the Go module cache has a module's source.
func (b *builder) moduleDir(ctx context.Context, path string) (string, error) {
	if err := b.run(ctx, "go", "mod", "download", path); err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := b.cache.RunTo(ctx, &out, b.module, goEnv(), "go", "list", "-m", "-f", "{{.Dir}}", path); err != nil {
		return "", err
	}
	dir := strings.TrimSpace(out.String())
	if dir == "" {
		return "", fmt.Errorf("the Go command does not say where module %s is", path)
	}
	return dir, nil
}

func goEnv(more ...string) []string {
	return append([]string{"GOWORK=off", "GOFLAGS=-buildvcs=false"}, more...)
}

func (b *builder) run(ctx context.Context, argv ...string) error {
	return b.cache.Run(ctx, b.module, goEnv(), argv...)
}

// patchNetlink puts a patched copy of the netlink library below dir and
// returns a module file that uses it.
func (b *builder) patchNetlink(ctx context.Context, dir string) (string, error) {
	const path = "github.com/vishvananda/netlink"
	source, err := b.moduleDir(ctx, path)
	if err != nil {
		return "", err
	}
	netlink := filepath.Join(dir, "netlink")
	if err := os.CopyFS(netlink, os.DirFS(source)); err != nil {
		return "", err
	}
	patch := filepath.Join(b.module, "netlink-without-dummy.patch")
	modfile := filepath.Join(dir, "patched.mod")
	return modfile, errors.Join(
		b.run(ctx, "chmod", "-R", "u+w", netlink),
		b.run(ctx, "patch", "--batch", "-p1", "-d", netlink, "-i", patch),
		b.run(ctx, "cp", filepath.Join(b.module, "go.mod"), modfile),
		b.run(ctx, "cp", filepath.Join(b.module, "go.sum"), filepath.Join(dir, "patched.sum")),
		b.run(ctx, "go", "mod", "edit", "-replace", path+"="+netlink, modfile),
	)
}

func (b *builder) compile(ctx context.Context, dir, modfile string) error {
	const version = "kubevirt.io/client-go/version"
	ldflags := fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitCommit=%[3]s -X %[1]s.gitTreeState=clean -X %[1]s.buildDate=2026-01-01T00:00:00Z",
		version, Version, commit)
	flags := []string{"-mod=mod", "-modfile=" + modfile, "-trimpath", "-tags", "selinux,libvirt_dlopen", "-ldflags", ldflags}
	bin := filepath.Join(dir, "bin")
	for _, p := range programs() {
		env := goEnv("CGO_ENABLED=1") // libvirt is opened at run time: its headers are not needed
		if p.static {
			env = goEnv("CGO_ENABLED=0")
		}
		argv := append([]string{"go", "build", "-o", filepath.Join(bin, filepath.Base(p.path))}, flags...)
		if err := b.cache.Run(ctx, b.module, env, append(argv, "kubevirt.io/kubevirt/cmd/"+p.path)...); err != nil {
			return err
		}
	}
	source, err := b.moduleDir(ctx, "kubevirt.io/kubevirt")
	if err != nil {
		return err
	}
	disk := filepath.Join(source, "cmd", "container-disk-v2alpha", "main.c")
	if err := b.run(ctx, "gcc", "-O2", "-static", "-o", filepath.Join(bin, "container-disk"), disk); err != nil {
		return err
	}
	if err := copyConfigs(filepath.Join(source, "cmd", "virt-launcher"), filepath.Join(dir, "etc")); err != nil {
		return err
	}
	manifest, err := os.Create(filepath.Join(dir, "operator.yaml"))
	if err != nil {
		return err
	}
	argv := append([]string{"go", "run"}, flags...)
	argv = append(argv, "./gen-operator", "-registry", registry, "-version", Version, "-namespace", Namespace)
	return errors.Join(b.cache.RunTo(ctx, manifest, b.module, goEnv(), argv...), manifest.Close())
}

// copyConfigs keeps the files of virt-launcher's source that its image holds.
func copyConfigs(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"qemu", "qemu.conf", "virtqemud.conf", "nsswitch.conf", "node-labeller/node-labeller.sh"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
