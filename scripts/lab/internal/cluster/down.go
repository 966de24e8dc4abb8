package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Down ends the cluster and removes everything of it: processes, namespaces,
// mounts, interfaces, control groups, state. It is content with what a crash
// has left, and with nothing. What was built stays.
func Down(ctx context.Context, stateDir string) error {
	if stateDir == "" {
		stateDir = DefaultStateDir
	}
	if os.Geteuid() != 0 {
		return errors.New("lab down: processes and bridges of root can only be ended by root: run this as root")
	}
	unlock, err := lockState(ctx, stateDir, nil)
	if err != nil {
		return fmt.Errorf("lab down: %w", err)
	}
	defer unlock()
	if err := down(ctx, stateDir); err != nil {
		return fmt.Errorf("lab down: %w", err)
	}
	return errors.Join(os.RemoveAll(stateDir), os.Remove(filepath.Clean(stateDir)+".lock"))
}

// down is Down but for the directory itself; the caller holds the lock.
func down(ctx context.Context, stateDir string) error {
	pids, err := filepath.Glob(filepath.Join(stateDir, "nodes", "*", pidFile))
	if err != nil {
		return err
	}
	pids = append(pids, filepath.Join(stateDir, controlPlaneName, pidFile))
	var errs []error
	for _, path := range pids { // the kernel takes the rest of the namespaces along
		errs = append(errs, kill(ctx, path))
	}
	errs = append(errs, removeLinks(), unmountBelow(stateDir), removeCgroups(cgroupRoot), removeContainerCgroups(), restoreLimits(stateDir))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return clearDir(ctx, stateDir)
}

// clearDir empties the directory. Mounts of a dead node may linger for a
// moment, hence several tries.
func clearDir(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for try := 1; ; try++ {
		var errs []error
		for _, e := range entries {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
		err := errors.Join(errs...)
		if err == nil || try == 25 {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}

// unmountBelow unmounts what is mounted below dir in this mount namespace.
func unmountBelow(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close() // read only
	var targets []string
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		fields := strings.Fields(scan.Text())
		if len(fields) > 4 && strings.HasPrefix(fields[4], filepath.Clean(dir)+"/") {
			targets = append(targets, fields[4])
		}
	}
	errs := []error{scan.Err()}
	for _, t := range slices.Backward(targets) { // the last mounted first
		if err := unix.Unmount(t, unix.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", t, err))
		}
	}
	return errors.Join(errs...)
}

// limits are switches of the whole machine that several nodes exhaust, and the
// least that the lab needs of each.
func limits() map[string]int {
	return map[string]int{
		"/proc/sys/fs/inotify/max_user_instances": 8192,
		"/proc/sys/fs/inotify/max_user_watches":   524288,
	}
}

const limitsFile = "limits.json"

// raiseLimits raises what is too low and notes what it was.
func raiseLimits(stateDir string) error {
	old := map[string]string{}
	for path, least := range limits() {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var now int
		if _, err := fmt.Sscan(string(data), &now); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if now < least {
			old[path] = strings.TrimSpace(string(data))
		}
	}
	data, err := json.Marshal(old)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(stateDir, limitsFile), data, 0o644); err != nil {
		return err
	}
	for path := range old {
		if err := os.WriteFile(path, fmt.Append(nil, limits()[path]), 0o644); err != nil {
			return fmt.Errorf("raise %s: %w", path, err)
		}
	}
	return nil
}

// restoreLimits puts back what raiseLimits changed.
func restoreLimits(stateDir string) error {
	data, err := os.ReadFile(filepath.Join(stateDir, limitsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	old := map[string]string{}
	if err := json.Unmarshal(data, &old); err != nil {
		return nil //nolint:nilerr // torn by a crash before anything was raised
	}
	var errs []error
	for path, value := range old {
		if _, known := limits()[path]; known {
			errs = append(errs, os.WriteFile(path, []byte(value), 0o644))
		}
	}
	return errors.Join(errs...)
}
