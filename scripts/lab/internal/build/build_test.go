package build

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"
)

func newCache(t *testing.T) *Cache {
	t.Helper()
	return &Cache{Dir: t.TempDir()}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEnsureBuildsOnceForMany(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	var mu sync.Mutex
	builds := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := c.Ensure(t.Context(), "part", "v1", func(_ context.Context, dir string) error {
				mu.Lock()
				defer mu.Unlock()
				builds++
				return os.WriteFile(filepath.Join(dir, "out"), []byte("x"), 0o644)
			})
			if err != nil {
				t.Errorf("Ensure: %v", err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err != nil {
				t.Errorf("the finished directory lacks its file: %v", err)
			}
		})
	}
	wg.Wait()
	if builds != 1 {
		t.Errorf("built %d times, want once", builds)
	}
}

func TestEnsureKeepsNothingOfAFailureOrAKilledBuild(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	leftover := filepath.Join(c.Dir, "part", tempPrefix+"killed")
	write(t, filepath.Join(leftover, "half"), "x")
	cause := errors.New("no compiler")
	_, err := c.Ensure(t.Context(), "part", "v1", func(_ context.Context, dir string) error {
		write(t, filepath.Join(dir, "half"), "x")
		return cause
	})
	if !errors.Is(err, cause) {
		t.Fatalf("Ensure = %v, want the cause", err)
	}
	entries, err := os.ReadDir(filepath.Join(c.Dir, "part"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestEnsureNests(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	dir, err := c.Ensure(t.Context(), "outer", "v1", func(ctx context.Context, dir string) error {
		inner, err := c.Ensure(ctx, "inner", "v1", func(context.Context, string) error { return nil })
		if err != nil {
			return err
		}
		return os.Symlink(inner, filepath.Join(dir, "inner"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !isDir(filepath.Join(dir, "inner")) {
		t.Error("the inner part is missing")
	}
}

// Each of two parts waits for the other to have begun.
func TestEnsureBuildsPartsAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	names := []string{"one", "other"}
	begun := map[string]chan struct{}{names[0]: make(chan struct{}), names[1]: make(chan struct{})}
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			_, err := c.Ensure(t.Context(), name, "v1", func(ctx context.Context, _ string) error {
				close(begun[name])
				select {
				case <-begun[names[1-i]]:
					return nil
				case <-time.After(10 * time.Second):
					return errors.New("the other part does not begin")
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestEnsureRefusesAPartBuiltFromItself(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	_, err := c.Ensure(t.Context(), "part", "v2", func(ctx context.Context, _ string) error {
		_, err := c.Ensure(ctx, "inner", "v1", func(ctx context.Context, _ string) error {
			_, err := c.Ensure(ctx, "part", "v1", func(context.Context, string) error { return nil })
			return err
		})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "part is built from itself") {
		t.Errorf("Ensure = %v, want an error that names the part", err)
	}
}

func TestEnsureRefusesKeysThatAreNoFileNames(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	for _, key := range []string{"", ".hidden", "a/b", "../x"} {
		_, err := c.Ensure(t.Context(), "part", key, func(context.Context, string) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("Ensure with key %q = %v, want an error that names the field", key, err)
		}
	}
}

func TestRunNamesStepCauseAndLog(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	_, err := c.Ensure(t.Context(), "part", "v1", func(ctx context.Context, dir string) error {
		return c.Run(ctx, dir, []string{"WORD=broken"}, "sh", "-c", "echo it is $WORD; exit 3")
	})
	var step *StepError
	if !errors.As(err, &step) {
		t.Fatalf("Ensure = %v, want a StepError", err)
	}
	if step.Step != "part" || !strings.Contains(step.Tail, "it is broken") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v does not name step, cause and last lines", err)
	}
	if _, err := os.Stat(step.Log); err != nil {
		t.Errorf("log: %v", err)
	}
}

func TestLockFileIsExclusiveAndHeedsTheContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := LockFile(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := LockFile(ctx, path, func(string) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("second LockFile = %v, want it to wait until cancelled", err)
	}
	unlock()
	again, err := LockFile(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestHashFilesSeesNamesAndContents(t *testing.T) {
	t.Parallel()
	hash := func(files map[string]string) string {
		dir := filepath.Join(t.TempDir(), "src")
		for name, content := range files {
			write(t, filepath.Join(dir, name), content)
		}
		h, err := HashFiles(dir)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	base := hash(map[string]string{"a": "1", "b/c": "2"})
	if again := hash(map[string]string{"b/c": "2", "a": "1"}); again != base {
		t.Errorf("equal trees differ: %s, %s", base, again)
	}
	for _, other := range []map[string]string{
		{"a": "1", "b/c": "3"}, {"a": "1", "b/d": "2"}, {"a": "12", "b/c": ""}, {"a": "1"},
	} {
		if hash(other) == base {
			t.Errorf("%v has the hash of another tree", other)
		}
	}
}

func TestFindSource(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	lab := filepath.Join(root, "scripts", "lab")
	write(t, filepath.Join(root, "go.mod"), "module example.org/product\n")
	write(t, filepath.Join(lab, "go.mod"), modulePath+"\n")
	write(t, filepath.Join(lab, "modules", "x", "go.mod"), modulePath+"/modules/x\n")
	for _, start := range []string{root, lab, filepath.Join(lab, "modules", "x")} {
		if got, err := FindSource(start); err != nil || got != lab {
			t.Errorf("FindSource(%s) = %q, %v, want %s", start, got, err, lab)
		}
	}
	if got, err := FindSource(t.TempDir()); err == nil {
		t.Errorf("FindSource outside = %q, want an error", got)
	}
}

func TestWriteImages(t *testing.T) {
	t.Parallel()
	root, out := t.TempDir(), filepath.Join(t.TempDir(), "image.tar")
	write(t, filepath.Join(root, "bin", "tool"), "tool")
	write(t, filepath.Join(root, "proc", "stray"), "x")
	if err := os.Link(filepath.Join(root, "bin", "tool"), filepath.Join(root, "bin", "zz")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tool", filepath.Join(root, "bin", "link")); err != nil {
		t.Fatal(err)
	}
	attr := "user.lab"
	hasAttr := unix.Lsetxattr(filepath.Join(root, "bin", "tool"), attr, []byte("kept"), 0) == nil
	extra := filepath.Join(t.TempDir(), "extra")
	write(t, extra, "extra")
	err := WriteImages(out, root,
		Image{Tags: []string{"localhost/a:1", "localhost/b:1"}, Config: ImageConfig{User: "1001", Files: map[string]string{"/opt/x/extra": extra}}},
		Image{Tags: []string{"localhost/c:1"}, Config: ImageConfig{Entrypoint: []string{"/bin/tool"}}})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := ImageTags(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"localhost/a:1", "localhost/b:1", "localhost/c:1"}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	headers := layerOf(t, out, "localhost/a:1", "1001")
	layerOf(t, out, "localhost/c:1", "")
	if h := headers["bin/zz"]; h == nil || h.Typeflag != tar.TypeLink || h.Linkname != "bin/tool" {
		t.Errorf("hard link: %+v", h)
	}
	if h := headers["bin/link"]; h == nil || h.Linkname != "tool" {
		t.Errorf("symbolic link: %+v", h)
	}
	if hasAttr && headers["bin/tool"].PAXRecords["SCHILY.xattr."+attr] != "kept" {
		t.Errorf("extended attribute lost: %v", headers["bin/tool"].PAXRecords)
	}
	for _, name := range []string{"proc/", "tmp/", "opt/", "opt/x/", "opt/x/extra"} {
		if headers[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if headers["proc/stray"] != nil {
		t.Error("what lies in /proc was stored")
	}
}

// layerOf reads the image of that tag and returns its layer's entries by name.
func layerOf(t *testing.T, archive, tag, user string) map[string]*tar.Header {
	t.Helper()
	ref, err := name.NewTag(tag)
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(archive, &ref)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != user {
		t.Errorf("%s runs as %q, want %q", tag, config.Config.User, user)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("layers: %v, %v", layers, err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() // read only
	headers := map[string]*tar.Header{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers[h.Name] = h
	}
}
