package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
)

const pidFile = "init.pid"

// spawn starts process 1 of a node or of the control plane in new namespaces,
// notes it, plugs it in and waits until it takes orders.
func (c *Cluster) spawn(ctx context.Context, dir, socket string, flags uintptr, plugIn func(pid int) error) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	logPath := filepath.Join(dir, "log", "init.log")
	log, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	stdin, word, err := os.Pipe()
	if err != nil {
		return err
	}
	defer word.Close() // closing ends a child that was not let go
	argv := []string{filepath.Join(c.dir, "bin", build.NodeInit), filepath.Join(dir, "init.json")}
	child, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir: "/", Env: []string{c.path(), "HOME=/root"}, Files: []*os.File{stdin, log, log},
		Sys: &unix.SysProcAttr{Setsid: true, Cloneflags: flags},
	})
	stdin.Close() // the child has its own
	if err != nil {
		return fmt.Errorf("start process 1: %w", err)
	}
	go child.Wait() //nolint:errcheck // so that it does not stay a zombie while this process lives
	p, err := identify(child.Pid)
	if err != nil {
		return failed("process 1", err, logPath)
	}
	if err := writePid(filepath.Join(dir, pidFile), p); err != nil {
		return err
	}
	if err := plugIn(child.Pid); err != nil {
		return err
	}
	if _, err := io.WriteString(word, nodeinit.Go); err != nil {
		return failed("process 1", err, logPath)
	}
	return c.awaitOrders(ctx, p, socket, logPath)
}

// awaitOrders waits until process 1 answers on its socket.
func (c *Cluster) awaitOrders(ctx context.Context, p process, socket, logPath string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := nodeinit.Status(ctx, socket); err == nil {
			return nil
		}
		if !p.alive() {
			return failed("process 1", errors.New("it ended"), logPath)
		}
		select {
		case <-ctx.Done():
			return failed("process 1", errors.New("it does not take orders"), logPath)
		case <-tick.C:
		}
	}
}

// failed names what failed, why, and the end of its log.
func failed(what string, err error, logPath string) error {
	msg := fmt.Errorf("%s: %w (log: %s)", what, err, logPath)
	if tail := build.Tail(logPath, 12); tail != "" {
		return fmt.Errorf("%w\n%s", msg, tail)
	}
	return msg
}

const (
	nodeNamespaces         = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
	controlPlaneNamespaces = nodeNamespaces
)

func (c *Cluster) spawnControlPlane(ctx context.Context) error {
	return c.spawn(ctx, c.controlPlaneDir(), c.ControlSocket(), controlPlaneNamespaces, func(pid int) error {
		return plug(controlPlaneLink, "eth0", underlayBridge, 1500, pid)
	})
}
