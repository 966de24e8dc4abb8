package observation_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/observation"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	guest = dhcp.MAC{0x52, 0x54, 0, 0, 0, 1}
	home  = netip.MustParseAddr("10.1.0.50")
)

// result is what a responder says of a message of guest.
func result(kind dhcp.MessageType, reason dhcp.Reason) *dhcp.Result {
	return &dhcp.Result{MAC: guest, Address: home, Request: kind, Reason: reason}
}

// granted is a result with a DHCPACK of the given lease time in seconds.
func granted(reason dhcp.Reason, seconds byte) *dhcp.Result {
	const headers = 14 + 20 + 8 + 240

	frame := slices.Concat(make([]byte, headers), []byte{53, 1, 5, 51, 4, 0, 0, 0, seconds, 255})
	r := result(dhcp.Request, reason)
	r.Frames[0], r.Count = frame, 1

	return r
}

func snapshot(t *testing.T, entries ...dhcp.Entry) *dhcp.Snapshot {
	t.Helper()

	s, err := dhcp.NewSnapshot(dhcp.Network{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Server: netip.MustParseAddr("10.1.0.2")}, entries)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func TestTellsABoot(t *testing.T) {
	t.Parallel()

	var log observation.Log

	discover := result(dhcp.Discover, dhcp.ReasonOffer)
	discover.Hostname, discover.VendorClass = []byte("web\x1b[31m-1"), []byte("udhcp 1.36")
	log.Record(start, discover)
	log.Record(start.Add(time.Second), granted(dhcp.ReasonAckSelecting, 60))
	log.Record(start.Add(31*time.Second), result(dhcp.Request, dhcp.ReasonStale))

	acked, expires := start.Add(time.Second), start.Add(61*time.Second)
	want := observation.Client{
		MAC: "52:54:00:00:00:01", Address: "10.1.0.50",
		FirstSeen: start, LastSeen: start.Add(31 * time.Second), LastAck: &acked, Expires: &expires,
		Hostname: "web[31m-1", VendorClass: "udhcp 1.36",
		Options: []dhcp.OptionText{{Code: 53, Name: "message type", Value: "DHCPACK"}, {Code: 51, Name: "lease time", Value: "1m0s"}},
		Exchanges: []observation.Exchange{
			{At: start.Add(31 * time.Second), Request: "DHCPREQUEST", Reason: "stale-view"},
			{At: start.Add(time.Second), Request: "DHCPREQUEST", Reply: "DHCPACK", Reason: "selecting"},
			{At: start, Request: "DHCPDISCOVER", Reply: "DHCPOFFER", Reason: "discover"},
		},
	}

	got, heard := log.Client(guest)
	if diff := cmp.Diff(want, got); !heard || diff != "" {
		t.Errorf("heard %v (-want +got):\n%s", heard, diff)
	}
}

// The answer to an INFORM tells options and gives no lease.
func TestInformGivesNoLease(t *testing.T) {
	t.Parallel()

	var log observation.Log

	log.Record(start, granted(dhcp.ReasonAckInform, 60))

	if got, _ := log.Client(guest); got.LastAck != nil || got.Expires != nil || len(got.Options) == 0 {
		t.Errorf("%+v", got)
	}
}

func TestStrangersLeaveNoTrace(t *testing.T) {
	t.Parallel()

	var log observation.Log

	log.Record(start, &dhcp.Result{Reason: dhcp.ReasonUnknownMAC})
	log.Record(start, &dhcp.Result{Reason: dhcp.ReasonBadChecksum})

	if got := log.Clients(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestForgetsWhoHasNoBinding(t *testing.T) {
	t.Parallel()

	other := dhcp.MAC{0x52, 0x54, 0, 0, 0, 2}
	tests := []struct {
		name    string
		entries []dhcp.Entry
		kept    bool
	}{
		{"bound as before", []dhcp.Entry{{MAC: guest, Address: home}, {MAC: other, Address: home.Next()}}, true},
		{"bound to another address", []dhcp.Entry{{MAC: guest, Address: home.Next()}}, false},
		{"not bound", []dhcp.Entry{{MAC: other, Address: home}}, false},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			var log observation.Log

			log.Record(start, result(dhcp.Discover, dhcp.ReasonOffer))
			log.Keep(snapshot(t, tc.entries...))

			if _, heard := log.Client(guest); heard != tc.kept {
				t.Errorf("kept: %v, want %v", heard, tc.kept)
			}
		})
	}
}

// The last exchanges are those of a naive list, for any number of messages.
func TestKeepsTheLastExchanges(t *testing.T) {
	t.Parallel()

	random := rand.New(rand.NewPCG(3, 4))

	for range 200 {
		var (
			log   observation.Log
			naive []string
		)

		for i := range random.IntN(30) + 1 {
			at, kind := start.Add(time.Duration(i)*time.Second), dhcp.MessageType(random.IntN(8)+1)
			log.Record(at, result(kind, dhcp.ReasonMalformed))
			naive = append([]string{fmt.Sprintf("%v %v", at, kind)}, naive...)
		}

		var got []string

		client, _ := log.Client(guest)
		for _, e := range client.Exchanges {
			got = append(got, fmt.Sprintf("%v %v", e.At, e.Request[len("DHCP"):]))
		}

		if diff := cmp.Diff(naive[:min(len(naive), 8)], got); diff != "" {
			t.Fatalf("after %d messages (-want +got):\n%s", len(naive), diff)
		}
	}
}

func TestAKnownClientAllocatesNothing(t *testing.T) {
	var log observation.Log

	ack := granted(dhcp.ReasonAckSelecting, 60)
	ack.Hostname, ack.VendorClass = make([]byte, 300), []byte("udhcp")
	log.Record(start, ack)

	if n := testing.AllocsPerRun(100, func() { log.Record(start, ack) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}

	if got, _ := log.Client(guest); len(got.Hostname) > 64 {
		t.Errorf("a host name of %d bytes is kept", len(got.Hostname))
	}
}
