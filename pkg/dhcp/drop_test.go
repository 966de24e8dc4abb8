package dhcp_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// set returns an edit that writes bytes at an offset.
func set(at int, b ...byte) func([]byte) []byte {
	return func(f []byte) []byte { copy(f[at:], b); return f }
}

// ipHeader applies an edit to the IPv4 header and makes its checksum right.
func ipHeader(edit func([]byte)) func([]byte) []byte {
	return func(f []byte) []byte {
		h := f[14:34]
		edit(h)
		h[10], h[11] = 0, 0
		binary.BigEndian.PutUint16(h[10:], naiveChecksum(h))
		return f
	}
}

// pseudoOnly leaves in the UDP checksum what a sender with checksum offload
// leaves there: the sum of the pseudo header.
func pseudoOnly(f []byte) []byte {
	pseudo := append(append([]byte{}, f[26:34]...), 0, 17, f[38], f[39])
	binary.BigEndian.PutUint16(f[40:], ^naiveChecksum(pseudo))
	return f
}

func TestMalformedFramesAreDroppedByName(t *testing.T) {
	t.Parallel()
	s := testSnapshot(t)
	base := packet{kind: 1}
	cut := func(n int) func([]byte) []byte { return func(f []byte) []byte { return f[:n] } }
	for _, tc := range []struct {
		name   string
		bootp  func([]byte) []byte
		frame  func([]byte) []byte
		facts  func(*dhcp.Facts)
		change func(*packet)
		want   dhcp.Reason
	}{
		{name: "empty", frame: cut(0), want: dhcp.ReasonTruncated},
		{name: "half an Ethernet header", frame: cut(13), want: dhcp.ReasonTruncated},
		{name: "half an IPv4 header", frame: cut(30), want: dhcp.ReasonTruncated},
		{name: "cut in the options", frame: cut(300), want: dhcp.ReasonTruncated},
		{name: "IPv6", frame: set(12, 0x86, 0xdd), want: dhcp.ReasonNotIPv4},
		{name: "tag in the frame", frame: set(12, 0x81, 0x00), want: dhcp.ReasonTagged},
		{name: "tag taken off by the kernel", facts: func(f *dhcp.Facts) { f.VLAN = 7 }, want: dhcp.ReasonTagged},
		{name: "IP version 6", frame: ipHeader(func(h []byte) { h[0] = 0x65 }), want: dhcp.ReasonBadIPHeader},
		{name: "IP header of 16 bytes", frame: ipHeader(func(h []byte) { h[0] = 0x44 }), want: dhcp.ReasonBadIPHeader},
		{name: "IP header checksum", frame: set(24, 0xde, 0xad), want: dhcp.ReasonBadIPChecksum},
		{name: "first fragment", frame: ipHeader(func(h []byte) { h[6] |= 0x20 }), want: dhcp.ReasonFragment},
		{name: "later fragment", frame: ipHeader(func(h []byte) { h[7] = 1 }), want: dhcp.ReasonFragment},
		{name: "TCP", frame: ipHeader(func(h []byte) { h[9] = 6 }), want: dhcp.ReasonNotUDP},
		{name: "port 68", frame: set(36, 0, 68), want: dhcp.ReasonNotServerPort},
		{name: "UDP longer than the packet", frame: set(38, 0x40, 0), want: dhcp.ReasonBadUDP},
		{name: "UDP shorter than its header", frame: set(38, 0, 7), want: dhcp.ReasonBadUDP},
		{name: "UDP checksum", frame: set(40, 0xde, 0xad), want: dhcp.ReasonBadChecksum},
		{name: "UDP checksum not ready", frame: set(40, 0xde, 0xad), facts: func(f *dhcp.Facts) { f.ChecksumNotReady = true }, want: dhcp.ReasonOffer},
		{name: "UDP checksum of the pseudo header only", frame: pseudoOnly, want: dhcp.ReasonOffer},
		{name: "no UDP checksum", frame: set(40, 0, 0), want: dhcp.ReasonOffer},
		{name: "to another station", change: func(p *packet) { p.ethDst = relayMAC }, want: dhcp.ReasonNotForUs},
		{name: "to another address", change: func(p *packet) { p.dst = foreign }, want: dhcp.ReasonNotForUs},
		{name: "to the subnet's broadcast address", change: func(p *packet) { p.dst = otherSubnetBroadcast }, want: dhcp.ReasonOffer},
		{name: "sender is not the client", change: func(p *packet) { p.ethSrc = strangeMAC }, want: dhcp.ReasonSpoofed},
		{name: "reply", bootp: set(0, 2), want: dhcp.ReasonNotRequest},
		{name: "hardware type", bootp: set(1, 6), want: dhcp.ReasonBadHardware},
		{name: "hardware length", bootp: set(2, 16), want: dhcp.ReasonBadHardware},
		{name: "hops", bootp: set(3, 17), want: dhcp.ReasonBadHops},
		{name: "cookie", bootp: set(236, 1, 2, 3, 4), want: dhcp.ReasonBadCookie},
		{name: "no options", bootp: cut(236), want: dhcp.ReasonBadCookie},
		{name: "half a message", bootp: cut(100), want: dhcp.ReasonTruncated},
		{name: "no end option", bootp: func(b []byte) []byte { return append(b[:240:240], 53, 1, 1) }, want: dhcp.ReasonOffer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, f := base, facts()
			p.touchBootp, p.touchFrame = tc.bootp, tc.frame
			if tc.change != nil {
				tc.change(&p)
			}
			if tc.facts != nil {
				tc.facts(&f)
			}
			res, _ := respond(t, s, p, f)
			if res.Reason != tc.want {
				t.Errorf("reason %s, want %s", res.Reason, tc.want)
			}
			if wantReply := tc.want == dhcp.ReasonOffer; (res.Count > 0) != wantReply {
				t.Errorf("%d replies", res.Count)
			}
		})
	}
}

var otherSubnetBroadcast = netip.MustParseAddr("10.1.0.255")

func TestReasonsHaveDistinctLabelsAndOutcomes(t *testing.T) {
	t.Parallel()
	seen := map[string]dhcp.Reason{}
	for i := range dhcp.ReasonCount {
		r := dhcp.Reason(i)
		label := r.String()
		if label == "" {
			t.Errorf("reason %d has no label", i)
		}
		if other, taken := seen[label]; taken {
			t.Errorf("reasons %d and %d share the label %q", i, other, label)
		}
		seen[label] = r
	}
	for r, want := range map[dhcp.Reason]dhcp.Outcome{
		dhcp.ReasonTruncated: dhcp.OutcomeDropped, dhcp.ReasonSpoofed: dhcp.OutcomeDropped,
		dhcp.ReasonUnknownMAC: dhcp.OutcomeSilent, dhcp.ReasonMalformed: dhcp.OutcomeDropped,
		dhcp.ReasonWrongLink: dhcp.OutcomeSilent, dhcp.ReasonStale: dhcp.OutcomeSilent,
		dhcp.ReasonDeclined: dhcp.OutcomeNoted, dhcp.ReasonReleased: dhcp.OutcomeNoted,
		dhcp.ReasonOffer: dhcp.OutcomeOffer, dhcp.ReasonAckSelecting: dhcp.OutcomeAck,
		dhcp.ReasonAckInform: dhcp.OutcomeAck, dhcp.ReasonNakSelecting: dhcp.OutcomeNak,
		dhcp.ReasonNakRebinding: dhcp.OutcomeNak,
	} {
		if got := r.Outcome(); got != want {
			t.Errorf("%s: outcome %s, want %s", r, got, want)
		}
	}
	if got := dhcp.Reason(dhcp.ReasonCount).String(); got != "invalid" {
		t.Errorf("beyond the last: %q", got)
	}
}
