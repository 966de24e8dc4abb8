package guest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func cmpNetip() cmp.Option {
	return cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
}

func cmpPrefix() cmp.Option {
	return cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
}

// boundLine is what a guest printed, to the letter, under QEMU.
const boundLine = "freehold-guest event=bound nic=eth0 mac=02:00:00:00:00:01 ip=10.9.0.55 mask=24 router=10.9.0.1 " +
	"dns=10.9.0.2,10.9.0.3 domain=lab.example search=a.example,b.example ntp=10.9.0.9 mtu=1400 routes= lease=120 " +
	"server=10.9.0.1 previous= uptime=12.99;"

func boundEvent() Event {
	addr := netip.MustParseAddr
	return Event{
		Kind: Bound, NIC: "eth0", MAC: "02:00:00:00:00:01",
		Addr: netip.MustParsePrefix("10.9.0.55/24"), Routers: []netip.Addr{addr("10.9.0.1")},
		DNS: []netip.Addr{addr("10.9.0.2"), addr("10.9.0.3")}, NTP: []netip.Addr{addr("10.9.0.9")},
		Domain: "lab.example", Search: []string{"a.example", "b.example"}, MTU: 1400,
		Lease: 2 * time.Minute, Server: addr("10.9.0.1"), Uptime: 12990 * time.Millisecond,
	}
}

func TestParseConsole(t *testing.T) {
	t.Parallel()
	lost := Event{
		Kind: Lost, NIC: "eth1", MAC: "02:00:00:00:00:0a",
		Addr: netip.MustParsePrefix("10.9.1.56/32"), Uptime: 14740 * time.Millisecond,
	}
	tests := []struct {
		name, console string
		want          []Event
	}{
		{"nothing", "", nil},
		{"other output only", "SeaBIOS\r\nBooting from ROM..\r\n", nil},
		{"one", boundLine + "\r\n", []Event{boundEvent()}},
		{"no line end", boundLine, []Event{boundEvent()}},
		{"after kernel output on the same line", "[    5.1] virtio" + boundLine + "\n", []Event{boundEvent()}},
		{"echo of a command behind it", boundLine + "renew\n", []Event{boundEvent()}},
		{"torn", strings.TrimSuffix(boundLine, ";") + "\n", nil},
		{"torn, then whole", boundLine[:70] + "\n" + boundLine + "\n", []Event{boundEvent()}},
		{"kernel output within", boundLine[:40] + "[   12.9] oops " + boundLine[40:] + "\n", nil},
		{"address that is none", strings.Replace(boundLine, "ip=10.9.0.55", "ip=10.9.0.555", 1) + "\n", nil},
		{"mask that is none", strings.Replace(boundLine, "mask=24", "mask=33", 1) + "\n", nil},
		{"one bad server", strings.Replace(boundLine, "dns=10.9.0.2,", "dns=ns1,", 1) + "\n", nil},
		{
			"lost without mask, upper-case MAC",
			"freehold-guest event=lost nic=eth1 mac=02:00:00:00:00:0A ip=10.9.1.56 uptime=14.74;\n",
			[]Event{lost},
		},
		{
			"unknown key", "freehold-guest event=up hostname=vm1 flavour=new uptime=1.00;\n",
			[]Event{{Kind: Up, Hostname: "vm1", Uptime: time.Second}},
		},
		{
			"refusal", "freehold-guest event=nak nic=eth0 mac=02:00:00:00:00:01 server=10.9.0.1 message=wrong_network uptime=1.00;\n",
			[]Event{{
				Kind: Nak, NIC: "eth0", MAC: "02:00:00:00:00:01", Server: netip.MustParseAddr("10.9.0.1"),
				Message: "wrong network", Uptime: time.Second,
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseConsole(strings.NewReader(tt.console))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpNetip(), cmpPrefix()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is written around whole lines, and wherever the reads are split, the
// events come out complete and in order.
func TestParseConsoleAmongNoise(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 817))
	noise := []string{"", "\r\n", "[ 1.0] kernel says\n", "freehold-guest\n", "event=bound;\n", strings.Repeat("x", 3*maxLine) + "\n", ";\n"}
	for range 200 {
		var console strings.Builder
		want := rng.IntN(6)
		for range want {
			console.WriteString(noise[rng.IntN(len(noise))])
			console.WriteString(boundLine + "\r\n")
		}
		console.WriteString(noise[rng.IntN(len(noise))])
		events, err := ParseConsole(iotest.HalfReader(strings.NewReader(console.String())))
		if err != nil {
			t.Fatal(err)
		}
		if len(events) != want {
			t.Fatalf("%d events, want %d", len(events), want)
		}
		for _, e := range events {
			if diff := cmp.Diff(boundEvent(), e, cmpNetip(), cmpPrefix()); diff != "" {
				t.Fatalf("event (-want +got):\n%s", diff)
			}
		}
	}
}

func TestParseConsoleReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	events, err := ParseConsole(io.MultiReader(strings.NewReader(boundLine+"\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(events) != 1 {
		t.Errorf("got %d events and error %v, want the event before the error and the error", len(events), err)
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	events := []Event{
		{Kind: Bound, MAC: "02:00:00:00:00:01", Uptime: 1},
		{Kind: Renewed, MAC: "02:00:00:00:00:01", Uptime: 2},
		{Kind: Bound, MAC: "02:00:00:00:00:02", Uptime: 3},
		{Kind: Lost, MAC: "02:00:00:00:00:01", Uptime: 4},
	}
	if e, ok := Latest(events, "02:00:00:00:00:01", Bound, Renewed); !ok || e.Uptime != 2 {
		t.Errorf("latest lease of NIC 1: %v %v, want the renewal", e, ok)
	}
	if e, ok := Latest(events, ""); !ok || e.Uptime != 4 {
		t.Errorf("latest of all: %v %v, want the loss", e, ok)
	}
	if e, ok := Latest(events, "02:00:00:00:00:03"); ok {
		t.Errorf("latest of an unknown NIC: %v, want none", e)
	}
}
