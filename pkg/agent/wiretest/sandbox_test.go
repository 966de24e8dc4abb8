package wiretest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// sandboxEnv tells the test binary that it runs inside its own namespaces.
const sandboxEnv = "FREEHOLD_WIRETEST_SANDBOX"

// refused says why there is no sandbox; every test is then skipped with it.
var refused error

// TestMain runs the tests in network and mount namespaces of their own, so
// that all of the agent's threads are in the sandbox and nothing reaches the
// machine's networks or files.
func TestMain(m *testing.M) {
	if os.Getenv(sandboxEnv) != "" {
		if refused = furnish(); refused != nil {
			refused = fmt.Errorf("the sandbox could not be furnished: %w", refused)
		}
		os.Exit(m.Run())
	}
	code, err := inSandbox()
	if err != nil {
		refused = err
		code = m.Run()
	}
	os.Exit(code)
}

// inSandbox runs this binary again in new namespaces and returns its exit
// code. An error means that the kernel refused the namespaces.
func inSandbox() (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), sandboxEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	runtime.LockOSThread() // Pdeathsig follows the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("the kernel refuses namespaces (root or unprivileged user namespaces needed): %w", err)
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, nil
}

// furnish makes the sandbox fit for clients: writable state directories that
// are not the machine's, and a loopback.
func furnish() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := hideState(); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return netlink.LinkSetUp(lo)
}

// hideState covers the directories in which clients keep what they know with
// empty ones.
func hideState() error {
	for _, dir := range []string{"/run", "/var/lib/dhcpcd", "/var/lib/dhcp"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	return nil
}

// ownState gives the thread, and the processes that it starts from then on, state
// directories of their own. Call it inside only: the thread is fit for nothing
// else afterwards.
func ownState() error {
	if err := syscall.Unshare(syscall.CLONE_FS | syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("new mount namespace: %w", err)
	}
	return hideState()
}

// inside runs f on a thread that is in the namespace. Processes that f starts
// are in it as well.
func inside(t *testing.T, ns netns.NsHandle, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		// The thread stays locked and dies with the goroutine: it is not fit
		// for anybody else.
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatalf("enter namespace: %v", err)
	}
}

// newNamespace makes a network namespace that ends with the test.
func newNamespace(t *testing.T) netns.NsHandle {
	t.Helper()
	type made struct {
		ns  netns.NsHandle
		err error
	}
	done := make(chan made, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.New()
		done <- made{ns, err}
	}()
	m := <-done
	if m.err != nil {
		t.Fatalf("new network namespace: %v", m.err)
	}
	t.Cleanup(func() { _ = m.ns.Close() })
	return m.ns
}
