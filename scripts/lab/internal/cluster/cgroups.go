package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

const cgroupMount = "/sys/fs/cgroup"

// hierarchies returns where control groups are: one directory in cgroup v2, one
// per controller in v1.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(cgroupMount, e.Name())
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); e.IsDir() && err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// makeCgroups makes a control group in every hierarchy. In v2 it hands all
// controllers down; in v1 cpuset groups inherit their parent's processors.
func makeCgroups(path string) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		parent := dir
		for _, name := range []string{filepath.Dir(path), path} {
			handDown(parent)
			group := filepath.Join(dir, name)
			if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make control group: %w", err)
			}
			parent = group
		}
		handDown(parent)
	}
	return nil
}

func handDown(group string) {
	clone := filepath.Join(group, "cgroup.clone_children")
	if _, err := os.Stat(clone); err == nil {
		os.WriteFile(clone, []byte("1"), 0o644) //nolint:errcheck // the runtime sets up cpuset otherwise
		return
	}
	for _, controller := range []string{"cpuset", "cpu", "io", "memory", "pids", "hugetlb"} {
		//nolint:errcheck // not every kernel has every controller
		os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

// containerCgroups is where containerd puts the control groups of containers:
// the kubelet names no parent without cgroupsPerQOS.
const containerCgroups = "/k8s.io"

// removeCgroups removes a control group and all below it. Their processes have
// to be gone.
func removeCgroups(path string) error { return removeGroups(path) }

// removeContainerCgroups removes the control groups of containers that have
// ended. Those of another containerd's that run stay.
func removeContainerCgroups() error { return removeGroups(containerCgroups, unix.EBUSY) }

// removeGroups removes a control group and all below it, but for those that
// fail in the way given.
func removeGroups(path string, but ...error) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		var groups []string
		err := filepath.WalkDir(filepath.Join(dir, path), func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				groups = append(groups, p)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		errs = append(errs, err)
		for _, g := range slices.Backward(groups) { // children first
			err := os.Remove(g)
			if err != nil && !slices.ContainsFunc(append(but, fs.ErrNotExist), func(e error) bool { return errors.Is(err, e) }) {
				errs = append(errs, fmt.Errorf("remove control group: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}
