package guest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

// Client is a DHCP client a light guest can run.
type Client string

// The clients.
const (
	Udhcpc   Client = "udhcpc"   // busybox, of the guest image
	Dhclient Client = "dhclient" // ISC, Debian's isc-dhcp-client
	Dhcpcd   Client = "dhcpcd"   // Debian's dhcpcd-base
	Networkd Client = "networkd" // systemd-networkd, where it runs: see Toolbox.Usable
)

// Clients returns all of them.
func Clients() []Client { return []Client{Udhcpc, Dhclient, Dhcpcd, Networkd} }

// networkdPath is where Debian's systemd package has systemd-networkd.
const networkdPath = "/lib/systemd/systemd-networkd"

// Toolbox is what the clients need on this machine.
type Toolbox struct {
	busybox  string
	networkd error // why systemd-networkd does not run here
}

// Tools installs the Debian packages of the clients and builds the guest image,
// whose busybox is one of them. A machine that does not take systemd-networkd
// is no error.
func Tools(ctx context.Context, cache *build.Cache) (*Toolbox, error) {
	boot, err := Build(ctx, cache)
	if err != nil {
		return nil, err
	}
	if err := cache.Apt(ctx, "isc-dhcp-client", "dhcpcd-base", "iproute2"); err != nil {
		return nil, err
	}
	t := &Toolbox{busybox: boot.Busybox}
	if t.networkd = cache.Apt(ctx, "systemd"); t.networkd == nil {
		t.networkd = tryNetworkd(ctx)
	}
	return t, nil
}

// Usable returns nil when light guests can run the client on this machine, else
// why not. Only systemd-networkd is choosy.
func (t *Toolbox) Usable(client Client) error {
	if client == Networkd && t.networkd != nil {
		return fmt.Errorf("systemd-networkd does not run here: %w", t.networkd)
	}
	return nil
}

// tryNetworkd starts systemd-networkd, to show its version, in the surroundings
// that light guests give it. It gives up root for a user of its own.
func tryNetworkd(ctx context.Context) error {
	if _, err := user.Lookup("systemd-network"); err != nil {
		return err
	}
	const script = "mount -o remount,bind,ro /sys && exec " + networkdPath + " --version"
	if out, err := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("with a /sys that is read only: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Run starts a DHCP client in the guest. It runs until Stop or Close, also after
// ctx's end; what it achieves is in Events. Without an answer it goes on asking.
func (l *Light) Run(ctx context.Context, tools *Toolbox, client Client) error {
	if err := tools.Usable(client); err != nil {
		return fmt.Errorf("light guest %s: %w", l.mac, err)
	}
	argv, err := l.clientCommand(tools, client)
	if err != nil {
		return fmt.Errorf("light guest %s: %w", l.mac, err)
	}
	output, err := os.OpenFile(filepath.Join(l.dir, "output"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("light guest %s: %w", l.mac, err)
	}
	defer output.Close() // the client has it
	// Clients keep their state in fixed places: each guest has its own.
	private := `for d in /run /var/lib/dhcp /var/lib/dhcpcd; do [ ! -d $d ] || mount -t tmpfs none $d; done; exec "$@"`
	argv = append([]string{"ip", "netns", "exec", l.name, "unshare", "--mount", "sh", "-c", private, "sh"}, argv...)
	cmd, err := l.node.Command(context.WithoutCancel(ctx), argv...)
	if err != nil {
		return fmt.Errorf("light guest %s: %w", l.mac, err)
	}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("light guest %s: start %s: %w", l.mac, client, err)
	}
	l.clients = append(l.clients, cmd)
	return nil
}

func (l *Light) clientCommand(tools *Toolbox, client Client) ([]string, error) {
	configures := ""
	if client == Dhcpcd || client == Networkd {
		configures = "yes"
	}
	hook, err := writeScript(l.dir, "lease.sh", "@DIR@", l.dir, "@CONFIGURES@", configures)
	if err != nil {
		return nil, err
	}
	switch client {
	case Udhcpc:
		return []string{
			tools.busybox, "udhcpc", "-f", "-i", lightNIC, "-t", "4", "-T", "1", "-A", "1", "-s", hook,
			"-O", "search", "-O", "mtu", "-O", "ntpsrv",
		}, nil
	case Dhclient:
		conf := filepath.Join(l.dir, "dhclient.conf")
		const text = "timeout 10;\nretry 1;\ninitial-interval 1;\nbackoff-cutoff 2;\nselect-timeout 0;\n" +
			"request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, interface-mtu, ntp-servers;\n"
		return []string{
			"dhclient", "-4", "-d", "-cf", conf, "-sf", hook, "-lf", filepath.Join(l.dir, "leases"),
			"-pf", filepath.Join(l.dir, "pid"), lightNIC,
		}, os.WriteFile(conf, []byte(text), 0o644) // nothing secret
	case Dhcpcd:
		conf := filepath.Join(l.dir, "dhcpcd.conf")
		const text = "ipv4only\nnoarp\nreboot 0\noption subnet_mask, routers, domain_name_servers, domain_name, domain_search, interface_mtu, ntp_servers\n"
		return []string{"dhcpcd", "-4", "-B", "-f", conf, "-c", hook, lightNIC}, os.WriteFile(conf, []byte(text), 0o644) // nothing secret
	case Networkd:
		script, err := writeScript(l.dir, "networkd.sh", "@DIR@", l.dir, "@NIC@", lightNIC, "@NETWORKD@", networkdPath)
		return []string{"sh", script}, err
	}
	return nil, fmt.Errorf("client %q: want one of %v", client, Clients())
}

// writeScript writes one of the light guests' scripts to dir, with words of it
// replaced, and returns its path.
func writeScript(dir, name string, oldnew ...string) (string, error) {
	script, err := files.ReadFile("light/" + name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	text := strings.NewReplacer(oldnew...).Replace(string(script))
	return path, os.WriteFile(path, []byte(text), 0o755) // a program
}

// WaitLease waits for the newest event to be one that leaves the guest with a
// lease, and returns it. The error quotes the end of what the client printed.
func (l *Light) WaitLease(ctx context.Context, limit time.Duration) (Event, error) {
	return l.WaitEvent(ctx, limit, "a lease", func(events []Event) (Event, bool) {
		e, ok := Latest(events, "", Bound, Renewed, Changed, Lost)
		return e, ok && e.HasLease()
	})
}

// WaitEvent waits until done finds what is waited for in the guest's events.
func (l *Light) WaitEvent(ctx context.Context, limit time.Duration, what string, done func([]Event) (Event, bool)) (Event, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		events, err := l.Events()
		if err != nil {
			return Event{}, err
		}
		if e, ok := done(events); ok {
			return e, nil
		}
		select {
		case <-ctx.Done():
			return Event{}, fmt.Errorf("light guest %s: wait for %s: %w; its client printed:\n%s",
				l.mac, what, ctx.Err(), build.Tail(filepath.Join(l.dir, "output"), 10))
		case <-tick.C:
		}
	}
}

// Renew has udhcpc extend its lease now. The other clients know no such signal.
func (l *Light) Renew() error { return l.signalUdhcpc(unix.SIGUSR1) }

// Release has udhcpc give the lease back.
func (l *Light) Release() error { return l.signalUdhcpc(unix.SIGUSR2) }

func (l *Light) signalUdhcpc(sig unix.Signal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.clients {
		out, err := exec.Command("pgrep", "-g", fmt.Sprint(c.Process.Pid), "-f", " udhcpc -f ").Output()
		if err != nil {
			continue
		}
		for pid := range strings.FieldsSeq(string(out)) {
			var n int
			if _, err := fmt.Sscan(pid, &n); err == nil && n != c.Process.Pid {
				return unix.Kill(n, sig)
			}
		}
	}
	return fmt.Errorf("light guest %s: no udhcpc runs in it", l.mac)
}
