package guest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

// fetch downloads a Debian package without installing it, which keeps a kernel
// off this machine and lets busybox-static be had beside busybox, and gives the
// tar stream of its files to read.
func fetch[T any](ctx context.Context, cache *build.Cache, pkg string, read func(io.Reader) (T, error)) (T, error) {
	var zero T
	tmp, err := os.MkdirTemp("", "guest-package-")
	if err != nil {
		return zero, err
	}
	defer os.RemoveAll(tmp) // a temporary directory
	deb, err := download(ctx, cache, tmp, pkg)
	if err != nil { // there are no package lists, or they name a version that is gone
		if err := cache.Run(ctx, tmp, nil, "apt-get", "update"); err != nil {
			return zero, err
		}
		if deb, err = download(ctx, cache, tmp, pkg); err != nil {
			return zero, err
		}
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(cache.RunTo(ctx, pw, tmp, nil, "dpkg-deb", "--fsys-tarfile", deb)) }()
	result, err := read(pr)
	if err == nil { // what follows the last file still has to arrive
		_, err = io.Copy(io.Discard, pr)
	}
	if err = errors.Join(err, pr.Close()); err != nil {
		return zero, fmt.Errorf("package %s: %w", pkg, err)
	}
	return result, nil
}

// download puts the .deb of a package, or of the kernel it stands for, in dir
// and returns its path.
func download(ctx context.Context, cache *build.Cache, dir, pkg string) (string, error) {
	name := pkg
	if strings.HasPrefix(pkg, "linux-image-") {
		var err error
		if name, err = kernelPackage(ctx, pkg); err != nil {
			return "", err
		}
	}
	// As root apt drops to a user who cannot write here; it need not.
	if err := cache.Run(ctx, dir, nil, "apt-get", "-o", "APT::Sandbox::User=root", "download", name); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("download of %s left %d packages, want 1", name, len(debs))
	}
	return debs[0], nil
}

// kernelPackage asks apt which package a kernel's meta package stands for.
func kernelPackage(ctx context.Context, meta string) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", meta).Output()
	if err != nil {
		return "", fmt.Errorf("apt-cache depends %s: %w", meta, err)
	}
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok && strings.HasPrefix(name, "linux-image-") {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s depends on no linux-image package", meta)
}

// readBusybox finds the program in the tar stream of busybox-static.
func readBusybox(r io.Reader) ([]byte, error) {
	for tr := tar.NewReader(r); ; {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("no program named busybox in it")
		}
		if err != nil {
			return nil, err
		}
		if path.Base(hdr.Name) == "busybox" && hdr.Typeflag == tar.TypeReg {
			return io.ReadAll(tr)
		}
	}
}
