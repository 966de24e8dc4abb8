// Package build makes the binaries and images that the lab runs and keeps them
// in a cache outside the source tree, so that only the first run is slow. It
// knows how to build each part; it knows nothing of clusters.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// CacheEnv names the environment variable that moves the cache elsewhere.
const CacheEnv = "FREEHOLD_LAB_CACHE"

// progressEvery is how often a running build reports that it is still running.
const progressEvery = 15 * time.Second

// Cache is a directory of finished builds, one directory per name and key.
// A finished directory is never changed. The zero Log and Progress discard.
// A Cache may be used from several goroutines and processes: builds of one name
// take turns, those of different names do not wait for each other.
type Cache struct {
	Dir      string       // root of the cache; see DefaultDir
	Log      *slog.Logger // details for the curious; nil discards
	Progress io.Writer    // lines for the person who waits; nil discards
	Source   string       // root of the lab's own Go module; empty means found from the working directory

	mu sync.Mutex
}

// DefaultDir returns $FREEHOLD_LAB_CACHE, else freehold-lab below the user's
// cache directory.
func DefaultDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("%s=%q: want an absolute path", CacheEnv, dir)
		}
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory (set %s to choose one): %w", CacheEnv, err)
	}
	return filepath.Join(base, "freehold-lab"), nil
}

// Part describes one thing to build for EnsurePart.
type Part struct {
	Name     string // file name of the part in the cache, such as "runtime"
	Key      string // version or hash of everything the result depends on; a file name
	Title    string // what the person who waits reads; empty means Name and Key
	Estimate string // how long a cold build takes, such as "about 5 minutes"; may be empty
}

// Ensure returns the finished directory for name and key. When there is none,
// fill writes into a new one and Ensure moves it into place in one step, so a
// build that is killed leaves nothing that looks finished. Only one build of the
// name runs at a time on the machine; fill may call Ensure for what it needs
// itself, but not for its own name.
func (c *Cache) Ensure(ctx context.Context, name, key string, fill func(ctx context.Context, dir string) error) (string, error) {
	return c.EnsurePart(ctx, Part{Name: name, Key: key}, fill)
}

// EnsurePart is Ensure with words for the progress line.
func (c *Cache) EnsurePart(ctx context.Context, p Part, fill func(ctx context.Context, dir string) error) (string, error) {
	if err := errors.Join(fileName("name", p.Name), fileName("key", p.Key)); err != nil {
		return "", fmt.Errorf("build cache: %w", err)
	}
	if p.Title == "" {
		p.Title = p.Name + " " + p.Key
	}
	final := filepath.Join(c.Dir, p.Name, p.Key)
	if isDir(final) {
		return final, nil
	}
	unlock, ctx, err := c.lock(ctx, p.Name)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.Title, err)
	}
	defer unlock()
	if isDir(final) { // somebody else finished it while we waited
		return final, nil
	}
	if err := c.build(ctx, p, final, fill); err != nil {
		return "", fmt.Errorf("build %s: %w", p.Title, err)
	}
	return final, nil
}

// build runs fill in a fresh directory and publishes the result as final.
func (c *Cache) build(ctx context.Context, p Part, final string, fill func(ctx context.Context, dir string) error) error {
	parent := filepath.Dir(final)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	if err := removeLeftovers(parent); err != nil {
		return err
	}
	work, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) // best effort: the next build removes what stays
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	done := c.Announce(p.Title, p.Estimate)
	err = fill(WithStep(ctx, p.Name), work)
	done(err)
	if err != nil {
		return err
	}
	return os.Rename(work, final)
}

// Announce prints that a build begins and, until the returned function is
// called with its error, that it still runs.
func (c *Cache) Announce(title, estimate string) func(error) {
	start := time.Now()
	if estimate != "" {
		c.Printf("building %s (%s, once) ...", title, estimate)
	} else {
		c.Printf("building %s ...", title)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.Printf("  still building %s, %s so far", title, time.Since(start).Round(time.Second))
			}
		}
	})
	return func(err error) {
		close(stop)
		wg.Wait()
		if err == nil {
			c.Printf("  built %s in %s", title, time.Since(start).Round(time.Second))
		}
	}
}

// Printf writes one line to Progress.
func (c *Cache) Printf(format string, args ...any) {
	if c.Progress == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.Progress, format+"\n", args...) // nobody to tell
}

func (c *Cache) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// stepKey is the context's key for the name of the part that is being built.
type stepKey struct{}

// heldKey is the context's key for having the lock of the part of that name.
type heldKey string

// lock takes the machine-wide lock of the parts of that name. The returned
// context knows of it, so that a build that would wait for itself fails.
func (c *Cache) lock(ctx context.Context, name string) (func(), context.Context, error) {
	if ctx.Value(heldKey(name)) == c {
		return nil, nil, fmt.Errorf("part %s is built from itself", name)
	}
	dir := filepath.Join(c.Dir, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	own := fmt.Sprintf("pid %d", os.Getpid())
	unlock, err := LockFile(ctx, filepath.Join(dir, name), func(holder string) {
		if holder != own { // its progress is told here as well
			c.Printf("waiting for another build of %s (%s) to end ...", name, holder)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return unlock, context.WithValue(ctx, heldKey(name), c), nil
}

// LockFile takes an exclusive lock on path, creating it when needed, and
// returns the function that gives it up; the kernel gives it up for a process
// that dies. When it has to wait, it first calls waiting with the name of the
// holder. The only errors are those of the file system and ctx's.
func LockFile(ctx context.Context, path string, waiting func(holder string)) (func(), error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; {
		f, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if f != nil {
			fmt.Fprintf(f, "%d\n", os.Getpid()) // only for the message of others
			return func() { f.Close() }, nil    // closing gives up the lock
		}
		if !told && waiting != nil {
			told = true
			holder, _ := os.ReadFile(path) // only for the message
			waiting("pid " + strings.TrimSpace(string(holder)))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lock %s: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}

// tryLock returns the locked, empty file, or nil when somebody else holds it.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return nil, f.Close()
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// A holder may remove the file: a lock on what nobody else finds is none.
	mine, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(mine, now) {
		return nil, f.Close()
	}
	return f, nil
}

const tempPrefix = ".building-"

// removeLeftovers removes what killed builds left. The caller holds the lock,
// so nobody is at work there.
func removeLeftovers(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileName refuses what is not a plain, visible file name.
func fileName(field, value string) error {
	if value == "" || strings.HasPrefix(value, ".") || strings.ContainsAny(value, "/\x00") {
		return fmt.Errorf("%s %q: want a plain file name that does not begin with a dot", field, value)
	}
	return nil
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}
