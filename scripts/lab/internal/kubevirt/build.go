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
	"slices"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

//go:embed files
var files embed.FS

// programs returns KubeVirt's commands, below kubevirt.io/kubevirt/cmd, that the
// one image for every component holds. Some of them run where there is no C
// library, and two of them need C: libvirt, which is opened at run time, so that
// its headers are not needed, and KVM's.
func programs(cgo bool) []string {
	if cgo {
		return []string{"virt-handler", "virt-launcher"}
	}
	return []string{
		"virt-operator", "virt-api", "virt-controller", "virt-launcher-monitor", "virt-launcher/libvirt-hook-client",
		"virt-chroot", "virt-probe", "virt-tail", "virt-freezer",
	}
}

// generator is the command that prints the operator's manifest.
const generator = "gen-operator"

// Parts is where KubeVirt's parts are on this machine.
type Parts struct {
	Archive  string // docker archive with an image for every component
	Manifest string // YAML that installs the operator
}

// Packages returns the Debian packages that Build installs.
func Packages() []string {
	return []string{"gcc", "libc6-dev", "patch", "debootstrap", "debian-archive-keyring", "util-linux", "libcap2-bin"}
}

// Build makes KubeVirt's images and manifest, or finds them in the cache.
func Build(ctx context.Context, cache *build.Cache) (Parts, error) {
	b, err := newBuilder(cache)
	if err != nil {
		return Parts{}, err
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

// BuildPrograms does that part of Build that keeps the processors busy.
func BuildPrograms(ctx context.Context, cache *build.Cache) error {
	b, err := newBuilder(cache)
	if err != nil {
		return err
	}
	_, err = b.binaries(ctx)
	return err
}

// BuildRootFS does that part of Build that mostly waits for the network.
func BuildRootFS(ctx context.Context, cache *build.Cache) error {
	b, err := newBuilder(cache)
	if err != nil {
		return err
	}
	_, err = b.rootfs(ctx)
	return err
}

// Fetch downloads the Go modules for what Build has yet to compile.
func Fetch(ctx context.Context, cache *build.Cache) error {
	b, err := newBuilder(cache)
	if err != nil {
		return err
	}
	part, err := b.part(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cache.Dir, part.Name, part.Key)); err == nil {
		return nil
	}
	modfile := filepath.Join(b.module, "go.mod")
	return errors.Join(cache.GoFetch(ctx, b.goBuild(false, modfile)), cache.GoFetch(ctx, b.goBuild(true, modfile)))
}

func newBuilder(cache *build.Cache) (*builder, error) {
	module, err := cache.SourceDir("modules", "kubevirt")
	if err != nil {
		return nil, fmt.Errorf("build KubeVirt: %w", err)
	}
	return &builder{cache: cache, module: module}, nil
}

// builder builds KubeVirt's parts; module is the directory of the Go module
// that pins what they are built from.
type builder struct {
	cache   *build.Cache
	module  string
	dummies bool // the kernel can make dummy links; part finds out
}

// part describes KubeVirt's programs.
func (b *builder) part(ctx context.Context) (build.Part, error) {
	hash, err := build.HashFiles(b.module)
	if err != nil {
		return build.Part{}, fmt.Errorf("build KubeVirt: %w", err)
	}
	b.dummies = hasDummyLinks(ctx)
	depends := []string{hash}
	for _, cgo := range []bool{false, true} {
		g := b.goBuild(cgo, "go.mod")
		depends = slices.Concat(depends, build.GoEnv(cgo), g.Flags, g.Packages)
	}
	key := Version + "-" + build.Key(depends...)
	if !b.dummies {
		key += "-nodummy"
	}
	return build.Part{Name: "kubevirt", Key: key, Title: "KubeVirt " + Version, Estimate: "about 2 minutes"}, nil
}

// binaries compiles KubeVirt's programs and generates the operator's manifest.
// The directory holds bin, etc (files of KubeVirt's source that go into the
// image) and operator.yaml.
func (b *builder) binaries(ctx context.Context) (string, error) {
	part, err := b.part(ctx)
	if err != nil {
		return "", err
	}
	return b.cache.EnsurePart(ctx, part, func(ctx context.Context, dir string) error {
		if err := b.cache.Apt(ctx, "gcc", "libc6-dev", "patch"); err != nil {
			return err
		}
		modfile := filepath.Join(b.module, "go.mod")
		if !b.dummies {
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
	if err := b.cache.RunTo(ctx, &out, b.module, build.GoEnv(false), "go", "list", "-m", "-f", "{{.Dir}}", path); err != nil {
		return "", err
	}
	dir := strings.TrimSpace(out.String())
	if dir == "" {
		return "", fmt.Errorf("the Go command does not say where module %s is", path)
	}
	return dir, nil
}

func (b *builder) run(ctx context.Context, argv ...string) error {
	return b.cache.Run(ctx, b.module, build.GoEnv(false), argv...)
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

// goBuild returns how the programs are built that need C, or those that do not.
func (b *builder) goBuild(cgo bool, modfile string) build.GoBuild {
	const version = "kubevirt.io/client-go/version"
	ldflags := fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitCommit=%[3]s -X %[1]s.gitTreeState=clean -X %[1]s.buildDate=2026-01-01T00:00:00Z",
		version, Version, commit)
	g := build.GoBuild{
		Dir: b.module, Cgo: cgo,
		Flags: []string{"-mod=mod", "-modfile=" + modfile, build.GoTags("selinux", "libvirt_dlopen"), "-ldflags", ldflags},
	}
	for _, p := range programs(cgo) {
		g.Packages = append(g.Packages, "kubevirt.io/kubevirt/cmd/"+p)
	}
	if !cgo {
		g.Packages = append(g.Packages, "./"+generator)
	}
	return g
}

func (b *builder) compile(ctx context.Context, dir, modfile string) error {
	bin := filepath.Join(dir, "bin")
	for _, cgo := range []bool{false, true} {
		if err := b.cache.GoBuild(ctx, bin+"/", b.goBuild(cgo, modfile)); err != nil {
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
	return b.manifest(ctx, filepath.Join(bin, generator), filepath.Join(dir, "operator.yaml"))
}

// manifest has the generator print the operator's manifest, and removes it: it
// does not belong into the image.
func (b *builder) manifest(ctx context.Context, program, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	argv := []string{program, "-registry", registry, "-version", Version, "-namespace", Namespace}
	return errors.Join(b.cache.RunTo(ctx, file, b.module, nil, argv...), file.Close(), os.Remove(program))
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
