package kubevirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

// rootfsPackages are what libvirt, QEMU and KubeVirt's helpers need of Debian.
const rootfsPackages = "libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-log libvirt-clients " +
	"qemu-system-x86 qemu-utils nftables iproute2 xorriso procps acl"

// rootfs makes the root file system all of KubeVirt's images share.
func (b *builder) rootfs(ctx context.Context) (string, error) {
	dir, err := b.cache.SourceDir("internal", "kubevirt", "files", "rootfs.sh")
	if err != nil {
		return "", fmt.Errorf("build KubeVirt's root file system: %w", err)
	}
	key, err := build.HashFiles(dir)
	if err != nil {
		return "", fmt.Errorf("build KubeVirt's root file system: %w", err)
	}
	part := build.Part{
		Name: "kubevirt-rootfs", Key: "trixie-" + key,
		Title: "root file system with libvirt and QEMU", Estimate: "about 1 minute",
	}
	return b.cache.EnsurePart(ctx, part, func(ctx context.Context, dir string) error {
		if err := b.cache.Apt(ctx, "debootstrap", "debian-archive-keyring", "util-linux"); err != nil {
			return err
		}
		script, err := files.ReadFile("files/rootfs.sh")
		if err != nil {
			return err
		}
		argv := []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", string(script), "rootfs.sh", filepath.Join(dir, "root")}
		return b.cache.Run(ctx, dir, nil, append(argv, strings.Fields(rootfsPackages)...)...)
	})
}

// image puts KubeVirt's programs into the root file system: one layer, two
// images, because operator, API and controller must not run as root and
// handler and launcher must.
func (b *builder) image(ctx context.Context, binaries, rootfs string) (string, error) {
	source, err := b.cache.SourceDir("internal", "kubevirt", "files", "virtqemud")
	if err != nil {
		return "", fmt.Errorf("build KubeVirt's images: %w", err)
	}
	hash, err := build.HashFiles(source)
	if err != nil {
		return "", fmt.Errorf("build KubeVirt's images: %w", err)
	}
	part := build.Part{
		Name: "kubevirt-image", Key: filepath.Base(binaries) + "-" + filepath.Base(rootfs) + "-" + hash,
		Title: "KubeVirt's images", Estimate: "about 15 seconds",
	}
	return b.cache.EnsurePart(ctx, part, func(ctx context.Context, dir string) error {
		if err := b.cache.Apt(ctx, "libcap2-bin"); err != nil {
			return err
		}
		root := filepath.Join(dir, "root")
		if err := b.cache.Run(ctx, dir, nil, "cp", "-a", "--reflink=auto", filepath.Join(rootfs, "root"), root); err != nil {
			return err
		}
		if err := b.populate(ctx, root, binaries); err != nil {
			return err
		}
		if err := build.WriteImages(filepath.Join(dir, "kubevirt.tar"), root, images()...); err != nil {
			return err
		}
		return os.RemoveAll(root)
	})
}

func images() []build.Image {
	tag := func(components ...string) []string {
		tags := make([]string, len(components))
		for i, c := range components {
			tags[i] = registry + "/virt-" + c + ":" + Version
		}
		return tags
	}
	return []build.Image{
		{Tags: tag("operator", "api", "controller"), Config: build.ImageConfig{User: "1001"}},
		{Tags: tag("handler", "launcher")},
	}
}

// populate adds to the tree what KubeVirt's own images have.
func (b *builder) populate(ctx context.Context, root, binaries string) error {
	virtqemud, err := files.ReadFile("files/virtqemud")
	if err != nil {
		return err
	}
	nsswitch, err := os.ReadFile(filepath.Join(binaries, "etc", "nsswitch.conf"))
	if err != nil {
		return err
	}
	// Debian's minimal system has no libnss-myhostname.
	nsswitch = []byte(strings.ReplaceAll(string(nsswitch), " myhostname", ""))
	etc := func(name string) string { return filepath.Join(binaries, "etc", name) }
	argv := append([]string{"install", "-m", "755", "-t", filepath.Join(root, "usr/bin")}, glob(filepath.Join(binaries, "bin", "*"))...)
	return errors.Join(
		os.WriteFile(filepath.Join(root, "usr/sbin/virtqemud"), virtqemud, 0o755), // a program
		os.WriteFile(filepath.Join(root, "etc/nsswitch.conf"), nsswitch, 0o644),   // world-readable by nature
		b.run(ctx, argv...),
		b.run(ctx, "install", "-m", "755", etc("node-labeller.sh"), filepath.Join(root, "usr/bin/node-labeller.sh")),
		b.run(ctx, "install", "-m", "644", etc("qemu.conf"), etc("virtqemud.conf"), filepath.Join(root, "etc/libvirt")),
		b.run(ctx, "install", "-m", "755", "-o", "107", "-g", "107", etc("qemu"), filepath.Join(root, "etc/libvirt/hooks/qemu")),
		// Without it virt-launcher, which runs as user 107, is not started.
		b.run(ctx, "setcap", "cap_net_bind_service=+ep", filepath.Join(root, "usr/bin/virt-launcher-monitor")),
	)
}

// glob is filepath.Glob for patterns that are known to be well formed.
func glob(pattern string) []string {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return names
}
