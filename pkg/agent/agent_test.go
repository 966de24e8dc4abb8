package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

func testState() State {
	return State{
		Generation: 7,
		Network: dhcp.Network{
			Server: netip.MustParseAddr("10.9.0.2"), Prefix: netip.MustParsePrefix("10.9.0.0/24"), LeaseTime: time.Hour,
			Custom: []dhcp.Option{{Code: 252, Value: []byte{0, 1, 0xff}, Always: true}},
		},
		Entries: []dhcp.Entry{{MAC: dhcp.MAC{2, 0, 0, 0, 0, 1}, Address: netip.MustParseAddr("10.9.0.50"), Hostname: "a"}},
	}
}

// still is a Source that delivers nothing.
type still struct{}

func (still) Fresh() bool { return true }

func (still) Run(ctx context.Context, _ func(State)) error {
	<-ctx.Done()
	return nil
}

func newAgent(t *testing.T, dir string) (*Agent, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	a, err := New(Config{
		Pool: "default/net-9", Interface: "nosuch0", StateDir: dir, Now: time.Now,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}, still{})
	if err != nil {
		t.Fatal(err)
	}
	return a, log
}

func sameAddr() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
}

func TestStateSurvivesTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := loadState(dir, "default/net-9"); !errors.Is(err, errNoState) {
		t.Errorf("empty directory: %v", err)
	}
	want := testState()
	if err := saveState(dir, "default/net-9", want); err != nil {
		t.Fatal(err)
	}
	got, err := loadState(dir, "default/net-9")
	if diff := cmp.Diff(want, got, sameAddr()); err != nil || diff != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
	if _, err := loadState(dir, "default/net-8"); err == nil || !strings.Contains(err.Error(), "default/net-9") {
		t.Errorf("another pool's file: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("files left: %v, %v", files, err)
	}
}

// TestDamagedStateIsIgnored damages the file in every place, one bit at a
// time, and cuts it at every length. A damaged file must never be served and
// never end the process.
func TestDamagedStateIsIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, stateFile)
	want := testState()
	if err := saveState(dir, "default/net-9", want); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		// A change of letter case in a field's name is no damage.
		if got, err := loadState(dir, "default/net-9"); err == nil && !cmp.Equal(want, got, sameAddr()) {
			t.Errorf("%s at byte %d was not noticed", what, at)
		}
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		try("a flipped bit", i, bad)
		try("a cut", i, whole[:i])
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	a, log := newAgent(t, dir)
	a.restore()
	if a.Ready() == nil || !strings.Contains(log.String(), "ignored") {
		t.Errorf("ready %v, log %s", a.Ready(), log)
	}
}

func TestRestoredStateIsServedButNotLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := saveState(dir, "default/net-9", testState()); err != nil {
		t.Fatal(err)
	}
	a, _ := newAgent(t, dir)
	a.restore()
	if generation, live := a.Generation(); generation != 7 || live {
		t.Errorf("generation %d, live %v", generation, live)
	}
	if err := a.Ready(); err == nil || !strings.Contains(err.Error(), "not listening") {
		t.Errorf("ready without a socket: %v", err)
	}
}

func TestUnservablePoolKeepsTheLastSnapshot(t *testing.T) {
	t.Parallel()
	a, _ := newAgent(t, "")
	if err := a.apply(testState(), true); err != nil {
		t.Fatal(err)
	}
	broken := testState()
	broken.Generation, broken.Network.Server = 8, netip.MustParseAddr("192.0.2.1")
	if err := a.apply(broken, true); err == nil {
		t.Error("a server address off the subnet was taken")
	}
	if generation, live := a.Generation(); generation != 7 || !live {
		t.Errorf("generation %d, live %v", generation, live)
	}
}

func TestPanicCostsOneFrame(t *testing.T) {
	t.Parallel()
	a, log := newAgent(t, "")
	calls := 0
	a.dhcp.handle = func(context.Context, *Socket, []byte, Auxiliary) {
		if calls++; calls < 3 {
			panic("boom")
		}
	}
	for range 3 {
		a.dhcp.guarded(t.Context(), nil, []byte{1, 2, 3}, Auxiliary{})
	}
	if got := a.dhcp.panics.Load(); got != 2 || calls != 3 || !strings.Contains(log.String(), "boom") {
		t.Errorf("%d panics counted in %d calls, log %s", got, calls, log)
	}
}

func TestRunEndsWithoutAnInterface(t *testing.T) {
	t.Parallel()
	a, _ := newAgent(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	var q quarantine
	first, second := netip.MustParseAddr("10.9.0.50"), netip.MustParseAddr("10.9.0.51")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	held := func(a netip.Addr, after time.Duration) bool {
		_, yes := q.current(start.Add(after))[a]
		return yes
	}
	if held(first, 0) {
		t.Error("held before any DECLINE")
	}
	if !q.add(first, start) || q.add(first, start) {
		t.Error("only the first DECLINE is news")
	}
	q.add(second, start.Add(5*time.Minute))
	for _, tc := range []struct {
		after         time.Duration
		first, second bool
	}{
		{9 * time.Minute, true, true},
		{10*time.Minute - 1, true, true},
		{10 * time.Minute, false, true},
		{15 * time.Minute, false, false},
	} {
		if f, s := held(first, tc.after), held(second, tc.after); f != tc.first || s != tc.second {
			t.Errorf("after %s: %v %v, want %v %v", tc.after, f, s, tc.first, tc.second)
		}
	}
	a := netip.MustParseAddr("10.0.0.0")
	for range maxQuarantined + 10 {
		a = a.Next()
		q.add(a, start.Add(time.Hour))
	}
	if got := len(q.current(start.Add(time.Hour))); got != maxQuarantined {
		t.Errorf("%d addresses held, want at most %d", got, maxQuarantined)
	}
}

func TestMailboxKeepsTheLatest(t *testing.T) {
	t.Parallel()
	m := newMailbox[int]()
	if m.take() != nil {
		t.Error("a new mailbox is not empty")
	}
	m.put(1)
	m.put(2)
	<-m.full
	if v := m.take(); v == nil || *v != 2 {
		t.Errorf("took %v, want 2", v)
	}
	if m.take() != nil {
		t.Error("a value was taken twice")
	}
}

func TestConfigNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Interface: "a-name-that-is-too-long", StateDir: "/nonexistent/dir"}, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"Pool", "Interface", "StateDir", "Logger", "Now", "Source"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	ip := func(proto, fragment, ihl byte, payload ...byte) []byte {
		f := make([]byte, 14+int(ihl)*4)
		f[12], f[14], f[20], f[23] = 8, 0x40|ihl, fragment, proto
		return slices.Concat(f, payload)
	}
	arp := func(op byte) []byte {
		f := make([]byte, 60)
		f[12], f[13], f[21] = 8, 6, op
		return f
	}
	for _, tc := range []struct {
		name            string
		frame           []byte
		dhcp, neighbour bool
	}{
		{"DHCP request", ip(17, 0, 5, 0, 68, 0, 67), true, false},
		{"DHCP request with IP options", ip(17, 0, 7, 0, 68, 0, 67), true, false},
		{"DHCP request, may not be fragmented", ip(17, 0x40, 5, 0, 68, 0, 67), true, false},
		{"DHCP reply", ip(17, 0, 5, 0, 67, 0, 68), false, false},
		{"fragment", ip(17, 0x20, 5, 0, 68, 0, 67), false, false},
		{"TCP to port 67", ip(6, 0, 5, 0, 68, 0, 67), false, false},
		{"echo request", ip(1, 0, 5, 8, 0, 0, 0), false, true},
		{"echo reply", ip(1, 0, 5, 0, 0, 0, 0), false, false},
		{"ARP request", arp(1), false, true},
		{"ARP reply", arp(2), false, false},
		{"too short", []byte{1, 2, 3}, false, false},
	} {
		if got := passes(t, dhcpFilter, tc.frame); got != tc.dhcp {
			t.Errorf("%s passes the DHCP filter: %v", tc.name, got)
		}
		if got := passes(t, neighbourFilter, tc.frame); got != tc.neighbour {
			t.Errorf("%s passes the neighbour filter: %v", tc.name, got)
		}
	}
}

func passes(t *testing.T, filter func() ([]bpf.RawInstruction, error), frame []byte) bool {
	t.Helper()
	raw, err := filter()
	if err != nil {
		t.Fatal(err)
	}
	program, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("the filter does not disassemble")
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}
