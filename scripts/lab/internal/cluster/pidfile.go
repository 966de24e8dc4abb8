package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process is a process of ours, as a pid file records it. The start time and
// the boot tell it from another that got the same number later.
type process struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, field 22 of /proc/PID/stat
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
}

// identify describes a process that runs now.
func identify(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	start, state, err := parseStat(stat)
	if err != nil {
		return process{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	if state == 'Z' || state == 'X' { // dead, and nobody has noticed yet
		return process{}, fs.ErrNotExist
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}, err
	}
	return process{Pid: pid, Start: start, Boot: string(bytes.TrimSpace(boot))}, nil
}

// parseStat returns the start time and the state of a /proc/PID/stat.
func parseStat(stat []byte) (start uint64, state byte, err error) {
	// The name in parentheses may hold anything, parentheses included.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, errors.New("no process name")
	}
	fields := bytes.Fields(stat[end+1:])
	const startField = 22 - 3 // the first field after the name is the third
	if len(fields) <= startField {
		return 0, 0, fmt.Errorf("%d fields after the name", len(fields))
	}
	start, err = strconv.ParseUint(string(fields[startField]), 10, 64)
	return start, fields[0][0], err
}

// alive reports whether this very process still runs.
func (p process) alive() bool {
	now, err := identify(p.Pid)
	return err == nil && now == p
}

func writePid(path string, p process) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// readPid returns the process of a pid file; ok is false when there is no such
// file or the process has ended.
func readPid(path string) (p process, ok bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, false, nil //nolint:nilerr // torn by a crash before the process was allowed to go on
	}
	return p, p.alive(), nil
}

// killTimeout is how long the kernel may take to clear a process namespace.
const killTimeout = 30 * time.Second

// kill ends the process of a pid file, when it is still the one recorded, and
// waits until it is gone.
func kill(ctx context.Context, path string) error {
	p, ok, err := readPid(path)
	if err != nil || !ok {
		return err
	}
	if err := unix.Kill(p.Pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", p.Pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end: %w", p.Pid, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
