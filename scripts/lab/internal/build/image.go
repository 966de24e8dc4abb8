package build

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

// ImageConfig is what a container of the image starts with, and files to add to
// those of the tree.
type ImageConfig struct {
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value; empty means a plain PATH
	User       string   // name or number; empty means root
	WorkingDir string
	Files      map[string]string // absolute path in the image -> file of this machine, added as root with mode 0755
}

// Image is one image of an archive written by WriteImages.
type Image struct {
	Tags   []string // full names, such as localhost/pause:dev
	Config ImageConfig
}

// WriteImage writes a docker archive with one image of one layer: the tree
// below rootDir (none when empty) with owners, modes, hard links and extended
// attributes such as file capabilities, and cfg.Files. A /tmp is added when
// there is none. It does not follow symbolic links.
func WriteImage(tarPath string, tags []string, rootDir string, cfg ImageConfig) error {
	return WriteImages(tarPath, rootDir, Image{Tags: tags, Config: cfg})
}

// WriteImages is WriteImage for several images that share the tree: it is
// stored once. All images get the files of the first.
func WriteImages(tarPath, rootDir string, images ...Image) (err error) {
	if len(images) == 0 {
		return fmt.Errorf("write image %s: no image given", tarPath)
	}
	layerFile := tarPath + ".layer"
	defer os.Remove(layerFile) // may not exist
	layer, err := writeLayer(layerFile, rootDir, images[0].Config.Files)
	if err != nil {
		return fmt.Errorf("write image %s: %w", tarPath, err)
	}
	refs := map[name.Reference]v1.Image{}
	for _, im := range images {
		img, err := configure(layer, im.Config)
		if err != nil {
			return fmt.Errorf("write image %s: %w", tarPath, err)
		}
		for _, t := range im.Tags {
			tag, err := name.NewTag(t)
			if err != nil {
				return fmt.Errorf("write image %s: tag %q: %w", tarPath, t, err)
			}
			refs[tag] = img
		}
	}
	if err := tarball.MultiRefWriteToFile(tarPath, refs); err != nil {
		return fmt.Errorf("write image %s: %w", tarPath, err)
	}
	return nil
}

// configure puts the layer and the start parameters together.
func configure(layer v1.Layer, cfg ImageConfig) (v1.Image, error) {
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{
		Entrypoint: cfg.Entrypoint, Cmd: cfg.Cmd, Env: cfg.Env, User: cfg.User, WorkingDir: cfg.WorkingDir,
	}
	if len(cfg.Env) == 0 {
		file.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	return mutate.ConfigFile(img, file)
}

// plainLayer is an uncompressed layer in a file: compressing hundreds of
// megabytes that are unpacked at once on the same machine is lost time.
type plainLayer struct {
	path string
	hash v1.Hash
	size int64
}

func (l plainLayer) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l plainLayer) DiffID() (v1.Hash, error)             { return l.hash, nil }
func (l plainLayer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l plainLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l plainLayer) Size() (int64, error)                 { return l.size, nil }
func (l plainLayer) MediaType() (types.MediaType, error)  { return types.DockerUncompressedLayer, nil }

func writeLayer(layerFile, rootDir string, files map[string]string) (_ v1.Layer, err error) {
	f, err := os.Create(layerFile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	size := &counter{}
	w := &treeWriter{tw: tar.NewWriter(io.MultiWriter(f, sum, size)), seen: map[string]bool{}, links: map[[2]uint64]string{}}
	if rootDir != "" {
		if err := w.addTree(rootDir); err != nil {
			return nil, err
		}
	}
	for _, target := range slices.Sorted(maps.Keys(files)) {
		if err := w.addFile(target, files[target]); err != nil {
			return nil, err
		}
	}
	if !w.seen["tmp"] {
		if err := w.tw.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777, ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
	}
	if err := w.tw.Close(); err != nil {
		return nil, err
	}
	return plainLayer{path: layerFile, size: size.n, hash: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}}, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// treeWriter adds files to a layer.
type treeWriter struct {
	tw    *tar.Writer
	seen  map[string]bool      // names written, without leading slash
	links map[[2]uint64]string // device and inode -> first name, for hard links
}

func (w *treeWriter) addTree(root string) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil || rel == "." {
			return err
		}
		if err := w.addEntry(rel, p, d); err != nil {
			return err
		}
		if d.IsDir() && (rel == "proc" || rel == "sys" || rel == "dev") { // the runtime fills these
			return filepath.SkipDir
		}
		return nil
	})
}

func (w *treeWriter) addEntry(rel, p string, d fs.DirEntry) error {
	fi, err := d.Info()
	if err != nil {
		return err
	}
	if fi.Mode()&fs.ModeSocket != 0 {
		return nil
	}
	var target string
	if fi.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(p); err != nil {
			return err
		}
	}
	hdr, err := tar.FileInfoHeader(fi, target)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	hdr.Name, hdr.Uname, hdr.Gname, hdr.Format = rel, "", "", tar.FormatPAX
	hdr.ModTime, hdr.AccessTime, hdr.ChangeTime = hdr.ModTime.Truncate(time.Second), time.Time{}, time.Time{}
	if d.IsDir() {
		hdr.Name += "/"
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && fi.Mode().IsRegular() && st.Nlink > 1 {
		id := [2]uint64{uint64(st.Dev), st.Ino} //nolint:unconvert // 32 bits wide on some systems
		if first, ok := w.links[id]; ok {
			hdr.Typeflag, hdr.Linkname, hdr.Size = tar.TypeLink, first, 0
		} else {
			w.links[id] = rel
		}
	}
	if fi.Mode()&fs.ModeSymlink == 0 && hdr.Typeflag != tar.TypeLink {
		if hdr.PAXRecords, err = xattrs(p); err != nil {
			return fmt.Errorf("%s: read extended attributes: %w", p, err)
		}
	}
	return w.write(hdr, p)
}

func (w *treeWriter) addFile(target, source string) error {
	if !path.IsAbs(target) || path.Clean(target) != target || target == "/" {
		return fmt.Errorf("image file %q: want a clean absolute path", target)
	}
	fi, err := os.Stat(source)
	if err != nil {
		return err
	}
	rel := strings.TrimPrefix(target, "/")
	for i, c := range rel { // parents first
		if c == '/' && !w.seen[rel[:i]] {
			if err := w.write(&tar.Header{Name: rel[:i] + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0)}, ""); err != nil {
				return err
			}
		}
	}
	return w.write(&tar.Header{Name: rel, Typeflag: tar.TypeReg, Mode: 0o755, Size: fi.Size(), ModTime: time.Unix(0, 0)}, source)
}

func (w *treeWriter) write(hdr *tar.Header, source string) error {
	w.seen[strings.TrimSuffix(hdr.Name, "/")] = true
	if err := w.tw.WriteHeader(hdr); err != nil {
		return fmt.Errorf("%s: %w", hdr.Name, err)
	}
	if hdr.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	_, err = io.Copy(w.tw, f)
	return errors.Join(err, f.Close())
}

// xattrs returns the extended attributes of a file as PAX records, the form in
// which container runtimes restore them.
func xattrs(p string) (map[string]string, error) {
	size, err := unix.Llistxattr(p, nil)
	if err != nil || size <= 0 {
		if errors.Is(err, unix.ENOTSUP) {
			err = nil
		}
		return nil, err
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(p, list); err != nil {
		return nil, err
	}
	records := map[string]string{}
	for attr := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(p, attr, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", attr, err)
		}
		records["SCHILY.xattr."+attr] = string(value[:n])
	}
	return records, nil
}

// ImageTags returns the names of the images in a docker archive, sorted.
func ImageTags(tarPath string) ([]string, error) {
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(tarPath) })
	if err != nil {
		return nil, fmt.Errorf("image archive %s: %w", tarPath, err)
	}
	var tags []string
	for _, m := range manifest {
		tags = append(tags, m.RepoTags...)
	}
	slices.Sort(tags)
	return tags, nil
}
