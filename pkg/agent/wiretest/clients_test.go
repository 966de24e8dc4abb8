package wiretest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// client is a real DHCP client that runs in a lab's guest namespace. Its hook
// script tells the test about every event, with all variables.
type client struct {
	lab    *lab
	cmd    *exec.Cmd
	events chan map[string]string
	output *logBuffer
	exited chan struct{}
}

// find returns the program's path, or skips or fails the test.
func find(t *testing.T, program, debianPackage string) string {
	t.Helper()
	for _, name := range []string{program, "/sbin/" + program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("FREEHOLD_REQUIRE_CLIENTS") == "1" {
		t.Fatalf("%s is not installed: apt-get install %s", program, debianPackage)
	}
	t.Skipf("%s: %s is not installed (Debian package %s)", t.Name(), program, debianPackage)
	return ""
}

// hook writes a script that reports its environment through a pipe and does
// nothing else, and returns its path.
func (c *client) hook(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "events")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	// Open for reading and writing, so that neither side waits for the other
	// and the end of one script run is not the end of the file.
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	go c.read(f)
	script := filepath.Join(dir, "hook")
	body := "#!/bin/sh\nout=$(echo \"event=${1:-$reason}\"; env)\nprintf '%s\\n.\\n' \"$out\" > " + pipe + "\n"
	if err := os.WriteFile(script, []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755) // for clients that drop their privileges
	}
	return script
}

func (c *client) read(f *os.File) {
	event := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if lines.Text() == "." {
			c.events <- event
			event = map[string]string{}
			continue
		}
		if k, v, ok := strings.Cut(lines.Text(), "="); ok {
			event[k] = v
		}
	}
}

// run starts a client, which finds nothing that another one has left behind; args gets the path of the hook script.
func (l *lab) run(path string, args func(hook string) []string) *client {
	l.t.Helper()
	c := &client{lab: l, events: make(chan map[string]string, 64), output: &logBuffer{}, exited: make(chan struct{})}
	c.cmd = exec.Command(path, args(c.hook(l.t))...)
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = time.Second
	inside(l.t, l.guest, func() {
		err := ownState()
		if err == nil {
			err = c.cmd.Start()
		}
		if err != nil {
			l.t.Errorf("%s: %v", path, err)
		}
	})
	if c.cmd.Process == nil {
		l.t.FailNow()
	}
	go func() { _ = c.cmd.Wait(); close(c.exited) }()
	l.t.Cleanup(func() {
		c.kill()
		if l.t.Failed() {
			l.t.Logf("%s said:\n%s", path, c.output)
		}
	})
	return c
}

// kill ends the client's process group and waits for it.
func (c *client) kill() {
	if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.lab.t.Errorf("kill: %v", err)
	}
	<-c.exited
}

func (c *client) signal(s syscall.Signal) {
	c.lab.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.lab.t.Fatalf("signal: %v", err)
	}
}

// await returns the first event of the given names.
func (c *client) await(names ...string) map[string]string {
	c.lab.t.Helper()
	return first(c.lab, c.events, fmt.Sprint(names), nil, func(e map[string]string) bool { return slices.Contains(names, e["event"]) })
}

// wants checks variables of an event.
func wants(t *testing.T, event map[string]string, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if event[k] != v {
			t.Errorf("%s is %q, want %q", k, event[k], v)
		}
	}
}

func TestUdhcpc(t *testing.T) {
	t.Parallel()
	busybox := find(t, "busybox", "busybox")
	l := newLab(t, guestMAC)
	c := l.run(busybox, func(hook string) []string {
		return []string{"udhcpc", "-f", "-i", l.guestIf, "-s", hook, "-O", "staticroutes", "-O", "search", "-O", "mtu"}
	})
	wants(t, c.await("bound"), map[string]string{
		"ip": boundAddr.String(), "subnet": "255.255.255.0", "serverid": serverAddr.String(), "dns": "9.9.9.9", "lease": "3600",
		"hostname": "web-1", "mtu": "1450", "domain": "example.org", "staticroutes": "172.16.0.0/12 10.9.0.254 0.0.0.0/0 10.9.0.1",
	})
	// A renewal goes by unicast through the guest's own IP stack, so the
	// server address must be found by ARP. The client's kernel leaves the
	// UDP checksum partial.
	l.configure(boundAddr)
	c.signal(syscall.SIGUSR1)
	wants(t, c.await("renew"), map[string]string{"ip": boundAddr.String()})
	l.counted(dhcp.ReasonAckRenewing) // by unicast
	c.signal(syscall.SIGUSR2)
	c.await("deconfig")
	l.await("the RELEASE", func() bool { return l.count(dhcp.ReasonReleased) == "1" })
}

func TestUdhcpcFollowsLiveEdit(t *testing.T) {
	t.Parallel()
	busybox := find(t, "busybox", "busybox")
	l := newLab(t, guestMAC)
	c := l.run(busybox, func(hook string) []string { return []string{"udhcpc", "-f", "-i", l.guestIf, "-s", hook} })
	c.await("bound")
	l.configure(boundAddr)
	next := testState()
	next.Generation, next.Network.DNS[0] = 2, serverAddr
	l.source.states <- next
	l.await("generation 2", func() bool { g, live := l.agent.Generation(); return g == 2 && live })
	c.signal(syscall.SIGUSR1)
	wants(t, c.await("renew"), map[string]string{"dns": serverAddr.String()})

	// The lease moves: the renewal is refused, by unicast too, and the
	// client comes back for the new address.
	next = testState()
	next.Generation, next.Entries[0].Address = 3, otherAddr
	l.source.states <- next
	l.await("generation 3", func() bool { g, _ := l.agent.Generation(); return g == 3 })
	c.signal(syscall.SIGUSR1)
	wants(t, c.await("bound"), map[string]string{"ip": otherAddr.String()})
	l.counted(dhcp.ReasonNakRenewing)
}

func TestDhclient(t *testing.T) {
	t.Parallel()
	dhclient := find(t, "dhclient", "isc-dhcp-client")
	l := newLab(t, guestMAC)
	dir := t.TempDir()
	start := func() *client {
		return l.run(dhclient, func(hook string) []string {
			return []string{"-4", "-d", "-v", "-sf", hook, "-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), "-cf", "/dev/null", l.guestIf}
		})
	}
	c := start()
	wants(t, c.await("BOUND"), map[string]string{
		"new_ip_address": boundAddr.String(), "new_subnet_mask": "255.255.255.0", "new_domain_name_servers": "9.9.9.9",
		"new_dhcp_server_identifier": serverAddr.String(), "new_host_name": "web-1",
	})
	l.await("the lease to be on file", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "leases"))
		return err == nil && strings.Contains(string(b), "fixed-address") || strings.Contains(c.output.String(), "bound to")
	})
	c.kill()
	// With a lease on file it asks for the same address again: INIT-REBOOT.
	wants(t, start().await("REBOOT"), map[string]string{"new_ip_address": boundAddr.String()})
	l.counted(dhcp.ReasonAckInitReboot)
}

func TestDhcpcd(t *testing.T) {
	t.Parallel()
	dhcpcd := find(t, "dhcpcd", "dhcpcd-base")
	if b, err := os.ReadFile("/proc/self/uid_map"); err == nil && !strings.Contains(string(b), "4294967295") {
		t.Skipf("%s: dhcpcd gives up its privileges, which needs more user IDs than a user namespace of one", t.Name())
	}
	l := newLab(t, guestMAC)
	c := l.run(dhcpcd, func(hook string) []string {
		return []string{"-4", "-B", "-d", "-f", "/dev/null", "-c", hook, "-o", "interface_mtu,classless_static_routes,domain_name_servers", l.guestIf}
	})
	e := c.await("BOUND")
	wants(t, e, map[string]string{
		"new_ip_address": boundAddr.String(), "new_subnet_cidr": "24", "new_interface_mtu": "1450", "new_domain_name_servers": "9.9.9.9",
	})
	l.counted(dhcp.ReasonAckSelecting)
}

func TestUdhcpcOfStrangerGetsSilence(t *testing.T) {
	t.Parallel()
	busybox := find(t, "busybox", "busybox")
	l := newLab(t, strangeMAC)
	c := l.run(busybox, func(hook string) []string {
		return []string{"udhcpc", "-f", "-n", "-q", "-t", "2", "-T", "1", "-i", l.guestIf, "-s", hook}
	})
	c.await("leasefail")
	if got := l.count(dhcp.ReasonUnknownMAC); got != "2" {
		t.Errorf("packets of strangers %s, want 2", got)
	}
}
