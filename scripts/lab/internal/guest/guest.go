// Package guest makes what takes an address by DHCP in the lab: a small Linux
// that boots as a KubeVirt virtual machine, and light guests, real DHCP clients
// in a network namespace on a node's bridge, for when hundreds are needed. It
// reads what a guest prints on its console. It gives out no addresses and knows
// nothing of the product under test.
package guest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

// ImageName is the boot image: /boot/vmlinuz and /boot/initrd, nothing else.
const ImageName = "registry.local/guest:v1"

// Paths of the two files in the boot image, as KubeVirt's kernelBoot wants them.
const (
	KernelPath = "/boot/vmlinuz"
	InitrdPath = "/boot/initrd"
)

// wantedModules are the drivers a guest needs: its NICs, and the power button.
// What they depend on comes with them; what the kernel has built in is skipped.
const wantedModules = "virtio_pci virtio_net button evdev"

//go:embed files light
var files embed.FS

// Boot is where the guest's parts are on this machine.
type Boot struct {
	Kernel  string // vmlinuz
	Initrd  string // gzip-compressed initramfs
	Archive string // docker archive of ImageName with both
	Busybox string // the guest's user land, a static program that runs here too
}

// Build makes the boot image, or finds it in the cache. The kernel is Debian's
// linux-image-cloud-amd64, unpacked from its package without installing it; the
// user land is busybox-static.
func Build(ctx context.Context, cache *build.Cache) (Boot, error) {
	source, err := cache.SourceDir("internal", "guest", "files")
	if err != nil {
		return Boot{}, fmt.Errorf("guest image: %w", err)
	}
	key, err := build.HashFiles(source)
	if err != nil {
		return Boot{}, fmt.Errorf("guest image: %w", err)
	}
	part := build.Part{Name: "guest", Key: "v1-" + key, Title: "guest boot image", Estimate: "about 15 seconds"}
	dir, err := cache.EnsurePart(ctx, part, func(ctx context.Context, dir string) error {
		return makeBoot(ctx, cache, dir)
	})
	if err != nil {
		return Boot{}, err
	}
	return bootIn(dir), nil
}

func bootIn(dir string) Boot {
	return Boot{
		Kernel:  filepath.Join(dir, "vmlinuz"),
		Initrd:  filepath.Join(dir, "initrd"),
		Archive: filepath.Join(dir, "guest.tar"),
		Busybox: filepath.Join(dir, "busybox"),
	}
}

func makeBoot(ctx context.Context, cache *build.Cache, dir string) error {
	if err := cache.Apt(ctx, "xz-utils"); err != nil {
		return err
	}
	boot := bootIn(dir)
	kernel, err := fetch(ctx, cache, "linux-image-cloud-amd64", func(pkg io.Reader) (kernelFiles, error) {
		return readKernel(pkg, strings.Fields(wantedModules))
	})
	if err != nil {
		return err
	}
	busybox, err := fetch(ctx, cache, "busybox-static", readBusybox)
	if err != nil {
		return err
	}
	initrd, err := os.Create(boot.Initrd)
	if err != nil {
		return err
	}
	if err := errors.Join(writeInitramfs(initrd, busybox, kernel.modules), initrd.Close()); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	err = errors.Join(
		os.WriteFile(boot.Kernel, kernel.image, 0o644),
		os.WriteFile(boot.Busybox, busybox, 0o755), // a program
	)
	if err != nil {
		return err
	}
	return build.WriteImage(boot.Archive, []string{ImageName}, "", build.ImageConfig{
		Files: map[string]string{KernelPath: boot.Kernel, InitrdPath: boot.Initrd},
	})
}
