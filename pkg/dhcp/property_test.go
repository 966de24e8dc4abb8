package dhcp_test

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

var update = flag.Bool("update", false, "rewrite the golden frames in testdata")

// legal lists what each message may be answered with (RFC 2131 3, 4.3).
var legal = map[dhcpv4.MessageType][]dhcpv4.MessageType{
	dhcpv4.MessageTypeDiscover: {dhcpv4.MessageTypeOffer},
	dhcpv4.MessageTypeRequest:  {dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak},
	dhcpv4.MessageTypeInform:   {dhcpv4.MessageTypeAck},
}

// checkLegal holds for any request whatever and its answer.
func checkLegal(t testing.TB, s *dhcp.Snapshot, frame []byte, f dhcp.Facts, res dhcp.Result) {
	t.Helper()
	if res.Reason == dhcp.ReasonNone || int(res.Reason) >= dhcp.ReasonCount {
		t.Fatalf("reason %d", res.Reason)
	}
	answered := res.Reason.Outcome() == dhcp.OutcomeOffer || res.Reason.Outcome() == dhcp.OutcomeAck || res.Reason.Outcome() == dhcp.OutcomeNak
	if answered != (res.Count > 0) {
		t.Fatalf("%s with %d frames", res.Reason, res.Count)
	}
	if res.Count == 0 {
		return
	}
	ihl := int(frame[14]&0xf) * 4
	chaddr := dhcp.MAC(frame[14+ihl+8+28:][:6])
	binding, known := s.Lookup(chaddr)
	if !known {
		t.Fatalf("%s, whom nobody knows, was answered", chaddr)
	}
	for _, raw := range res.Frames[:res.Count] {
		r := decode(t, raw)
		kind := r.msg.MessageType()
		ok := false
		for _, allowed := range legal[dhcpv4.MessageType(res.Request)] {
			ok = ok || kind == allowed
		}
		if !ok {
			t.Fatalf("%s was answered with %s", res.Request, kind)
		}
		if kind == dhcpv4.MessageTypeNak && !f.Fresh {
			t.Fatal("NAK out of a stale view")
		}
		if y := fromIP(r.msg.YourIPAddr); y != binding.Address && !y.IsUnspecified() {
			t.Fatalf("%s was given %s, its binding is %s", chaddr, y, binding.Address)
		}
		if dhcp.MAC(r.msg.ClientHWAddr) != chaddr {
			t.Fatalf("chaddr %s, want %s", r.msg.ClientHWAddr, chaddr)
		}
	}
}

// randomPacket makes a request that is plausible in most fields, so that it
// gets deep into the responder.
func randomPacket(rng *rand.Rand) packet {
	addrs := []netip.Addr{{}, {}, boundAddr, otherAddr, serverAddr, foreign, relayAddr, nowhere, everyone, netip.MustParseAddr("192.0.2.1")}
	pick := func() netip.Addr { return addrs[rng.IntN(len(addrs))] }
	macs := []dhcp.MAC{clientMAC, clientMAC, clientMAC, strangeMAC, bcast, mustMAC("52:54:00:00:00:07")}
	kinds := []dhcpv4.MessageType{1, 1, 3, 3, 3, 3, 8, 8, 4, 7, dhcpv4.MessageType(rng.IntN(12))}
	p := packet{
		kind: kinds[rng.IntN(len(kinds))], mac: macs[rng.IntN(len(macs))], flags: uint16(rng.Uint32()),
		src: pick(), ciaddr: pick(), requested: pick(), server: pick(),
	}
	if rng.IntN(4) == 0 {
		p.giaddr, p.ethSrc = pick(), relayMAC
	}
	if rng.IntN(2) == 0 {
		p.dst = serverAddr
	}
	for range max(0, rng.IntN(6)-2) {
		v := make([]byte, rng.IntN(90))
		if rng.IntN(8) == 0 {
			v = make([]byte, rng.IntN(300))
		}
		for i := range v {
			v[i] = byte(rng.Uint32())
		}
		codes := []uint8{55, 55, 55, 61, 61, 82, 57, 12, 60, 43, uint8(rng.IntN(253) + 1)}
		p.options = append(p.options, generic(codes[rng.IntN(len(codes))], v...))
	}
	if rng.IntN(4) == 0 {
		p.touchBootp = func(b []byte) []byte {
			for range 1 + rng.IntN(4) {
				b[rng.IntN(len(b))] = byte(rng.Uint32())
			}
			return b
		}
	}
	return p
}

func TestRandomRequestsGetLegalAnswers(t *testing.T) {
	t.Parallel()
	snapshots := []*dhcp.Snapshot{testSnapshot(t), testSnapshot(t, withRoutes, many)}
	answered := 0
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 2131))
		for range 1000 {
			f := facts()
			f.Fresh = rng.IntN(2) == 0
			f.MTU = uint16(rng.IntN(9001))
			s := snapshots[rng.IntN(2)]
			frame := randomPacket(rng).build()
			res := s.Respond(frame, f, nil)
			checkLegal(t, s, frame, f, res)
			again := s.Respond(frame, f, nil)
			if !reflect.DeepEqual(res, again) {
				t.Fatalf("the same request got another answer: %+v, then %+v", res, again)
			}
			answered += res.Count
		}
	}
	if answered < 1500 {
		t.Errorf("only %d of 8000 requests were answered: the generator is off", answered)
	}
}

func FuzzRespond(f *testing.F) {
	for _, tc := range append(append(directRows(), noReplyRows()...), informAndRelayRows()...) {
		f.Add(tc.packet.build(), true)
	}
	f.Add([]byte{}, false)
	s := testSnapshot(f, withRoutes, many)
	f.Fuzz(func(t *testing.T, frame []byte, fix bool) {
		if fix && len(frame) >= 42 && frame[14] == 0x45 { // let mutations past the checksums
			frame[24], frame[25] = 0, 0
			binary.BigEndian.PutUint16(frame[24:], naiveChecksum(frame[14:34]))
		}
		in := facts()
		in.ChecksumNotReady = fix
		res := s.Respond(frame, in, nil)
		checkLegal(t, s, frame, in, res)
	})
}

// TestGoldenFrames holds whole frames, byte by byte. They were checked by hand
// against the RFCs once; a change of them is a change on the wire.
func TestGoldenFrames(t *testing.T) {
	t.Parallel()
	rows := map[string]packet{
		"offer":         {kind: 1, options: []dhcpv4.Option{prl(1, 3, 6, 15, 26, 119), generic(61, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56)}},
		"ack":           {kind: 3, server: serverAddr, requested: boundAddr, options: []dhcpv4.Option{prl(1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42)}},
		"nak-renewing":  renewing(otherAddr),
		"inform":        {kind: 8, ciaddr: otherAddr, src: otherAddr},
		"offer-relayed": {kind: 1, ethSrc: relayMAC, giaddr: relayAddr, src: relayAddr, dst: serverAddr, srcPort: 67, options: []dhcpv4.Option{opt82(1, 2, 0xaa, 0xbb)}},
	}
	for name, p := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := testSnapshot(t, withRoutes).Respond(p.build(), facts(), nil)
			var b strings.Builder
			for i, frame := range res.Frames[:res.Count] {
				decode(t, frame)
				fmt.Fprintf(&b, "# frame %d\n%s", i, hex.Dump(frame))
			}
			path := filepath.Join("testdata", name+".hex")
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}
