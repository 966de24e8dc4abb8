package wiretest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// patience bounds every wait. Nothing takes this long; a test that reaches it
// has failed.
const patience = 30 * time.Second

var (
	serverAddr = netip.MustParseAddr("10.9.0.2")
	boundAddr  = netip.MustParseAddr("10.9.0.50")
	otherAddr  = netip.MustParseAddr("10.9.0.77")
	guestMAC   = dhcp.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	strangeMAC = dhcp.MAC{0x52, 0x54, 0, 0x99, 0x99, 0x99}
	links      atomic.Int64
)

func testState() agent.State {
	return agent.State{
		Generation: 1,
		Network: dhcp.Network{
			Server: serverAddr, Prefix: netip.MustParsePrefix("10.9.0.0/24"), Router: netip.MustParseAddr("10.9.0.1"),
			DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, DomainName: "example.org", DomainSearch: []string{"example.org"},
			MTU: 1450, LeaseTime: time.Hour,
			Routes: []dhcp.Route{{Destination: netip.MustParsePrefix("172.16.0.0/12"), Gateway: netip.MustParseAddr("10.9.0.254")}},
		},
		Entries: []dhcp.Entry{{MAC: guestMAC, Address: boundAddr, Hostname: "web-1"}},
	}
}

// source is a Source that a test drives by hand.
type source struct {
	states chan agent.State
	stale  atomic.Bool
}

func (s *source) Fresh() bool { return !s.stale.Load() }

func (s *source) Run(ctx context.Context, update func(agent.State)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case state := <-s.states:
			update(state)
		}
	}
}

// lab is an agent on one end of a veth pair, with the other end in a namespace
// of its own.
type lab struct {
	t        *testing.T
	serverIf string
	guestIf  string
	guest    netns.NsHandle
	source   *source
	agent    *agent.Agent
	url      string
	stop     func() // ends the agent and waits for it
	declined chan netip.Addr
	owner    atomic.Bool
	log      *logBuffer
}

// newLab builds a lab and waits until its agent is ready.
func newLab(t *testing.T, mac dhcp.MAC) *lab {
	t.Helper()
	if refused != nil {
		t.Skipf("%s: %v", t.Name(), refused)
	}
	n := links.Add(1)
	l := &lab{
		t: t, serverIf: fmt.Sprintf("srv%d", n), guestIf: "eth0", guest: newNamespace(t),
		source: &source{states: make(chan agent.State)}, declined: make(chan netip.Addr, 16), log: &logBuffer{},
	}
	l.owner.Store(true)
	l.connect(mac)
	l.start(t.TempDir())
	l.source.states <- testState()
	l.await("the agent to be ready", func() bool { return l.agent.Ready() == nil })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("agent's log:\n%s", l.log)
		}
	})
	return l
}

// connect makes the veth pair.
func (l *lab) connect(mac dhcp.MAC) {
	l.t.Helper()
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: l.serverIf, MTU: 1500}, PeerName: l.guestIf,
		PeerHardwareAddr: net.HardwareAddr(mac[:]), PeerNamespace: netlink.NsFd(int(l.guest)),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		l.t.Fatalf("veth: %v", err)
	}
	l.t.Cleanup(func() { _ = netlink.LinkDel(veth) })
	inside(l.t, l.guest, func() {
		for _, name := range []string{"lo", l.guestIf} {
			link, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkSetUp(link)
			}
			if err != nil {
				l.t.Errorf("guest's %s: %v", name, err)
			}
		}
	})
	l.setLink(true)
}

// setLink takes the server's end up or down.
func (l *lab) setLink(up bool) {
	l.t.Helper()
	link, err := netlink.LinkByName(l.serverIf)
	if err == nil && up {
		err = netlink.LinkSetUp(link)
	} else if err == nil {
		err = netlink.LinkSetDown(link)
	}
	if err != nil {
		l.t.Fatalf("%s: %v", l.serverIf, err)
	}
}

// start runs an agent with the given state directory.
func (l *lab) start(dir string) {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.url = "http://" + listener.Addr().String()
	l.agent, err = agent.New(agent.Config{
		Pool: "default/net-9", Interface: l.serverIf, StateDir: dir, Listener: listener, Owner: l.owner.Load,
		OnDecline: func(_ dhcp.MAC, a netip.Addr) { l.declined <- a },
		Logger:    slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: time.Now,
	}, l.source)
	if err != nil {
		l.t.Fatalf("agent: %v", err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	a := l.agent
	go func() { ended <- a.Run(ctx) }()
	stopped := false
	l.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			l.t.Errorf("agent: %v", err)
		}
	}
	l.t.Cleanup(l.stop)
}

// await polls until the condition holds.
func (l *lab) await(what string, ok func() bool) {
	l.t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			l.t.Fatalf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

// first returns the first of the values that pick likes. Where again is set, it
// is called every second until then.
func first[T any](l *lab, values <-chan T, what string, again func(), pick func(T) bool) T {
	l.t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		select {
		case value := <-values:
			if pick(value) {
				return value
			}
		case <-tick.C:
			if again != nil {
				again()
			}
		case <-deadline:
			l.t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// get fetches a page of the agent.
func (l *lab) get(path string) (int, string) {
	l.t.Helper()
	resp, err := http.Get(l.url + path)
	if err != nil {
		l.t.Fatalf("GET %s: %v", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, string(body)
}

// count returns the counter of packets with the reason.
func (l *lab) count(reason dhcp.Reason) string {
	l.t.Helper()
	_, body := l.get("/metrics")
	want := fmt.Sprintf("reason=%q", reason)
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "freehold_agent_packets_total") && strings.Contains(line, want) {
			return strings.TrimSpace(line[strings.LastIndexByte(line, ' '):])
		}
	}
	return ""
}

// counted checks that one packet was counted under each of the reasons.
func (l *lab) counted(reasons ...dhcp.Reason) {
	l.t.Helper()
	for _, reason := range reasons {
		if got := l.count(reason); got != "1" {
			l.t.Errorf("%s counted %s times, want 1", reason, got)
		}
	}
}

// configure gives the guest its address, as a client's script would.
func (l *lab) configure(address netip.Addr) {
	l.t.Helper()
	inside(l.t, l.guest, func() {
		link, err := netlink.LinkByName(l.guestIf)
		if err == nil {
			prefix := net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(24, 32)}
			err = netlink.AddrReplace(link, &netlink.Addr{IPNet: &prefix})
		}
		if err != nil {
			l.t.Errorf("configure %s: %v", address, err)
		}
	})
}

// logBuffer is a bytes.Buffer for more than one writer.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
