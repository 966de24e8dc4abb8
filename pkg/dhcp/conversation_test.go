package dhcp_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// answer is what a row expects of each reply frame.
type answer struct {
	Kind           dhcpv4.MessageType
	EthDst         dhcp.MAC
	Dst            netip.Addr
	Port           uint16
	Yiaddr, Ciaddr netip.Addr
}

func fromIP(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

func (r reply) answer() answer {
	return answer{
		Kind: r.msg.MessageType(), EthDst: r.ethDst, Dst: r.dst, Port: r.port,
		Yiaddr: fromIP(r.msg.YourIPAddr), Ciaddr: fromIP(r.msg.ClientIPAddr),
	}
}

func opt82(sub ...byte) dhcpv4.Option {
	return dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, sub)
}

// row is one line of the behaviour table.
type row struct {
	name   string
	packet packet
	facts  func(*dhcp.Facts)
	reason dhcp.Reason
	want   []answer
}

var (
	bcast      = dhcp.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	offerUni   = answer{dhcpv4.MessageTypeOffer, clientMAC, boundAddr, 68, boundAddr, nowhere}
	offerBcast = answer{dhcpv4.MessageTypeOffer, bcast, everyone, 68, boundAddr, nowhere}
	ackUni     = answer{dhcpv4.MessageTypeAck, clientMAC, boundAddr, 68, boundAddr, nowhere}
	ackRenew   = answer{dhcpv4.MessageTypeAck, clientMAC, boundAddr, 68, boundAddr, boundAddr}
	nakBcast   = answer{dhcpv4.MessageTypeNak, bcast, everyone, 68, nowhere, nowhere}
	nakUni     = answer{dhcpv4.MessageTypeNak, clientMAC, otherAddr, 68, nowhere, nowhere}
)

func stale(f *dhcp.Facts) { f.Fresh = false }
func quarantine(f *dhcp.Facts) {
	f.Quarantined = map[netip.Addr]struct{}{boundAddr: {}}
}

func directRows() []row {
	const discover, request = dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest
	return []row{
		{"DISCOVER, bound", packet{kind: discover}, nil, dhcp.ReasonOffer, []answer{offerUni}},
		{"DISCOVER, bound, broadcast flag", packet{kind: discover, flags: 0x8000}, nil, dhcp.ReasonOffer, []answer{offerBcast}},
		{"DISCOVER, hints are ignored", packet{kind: discover, requested: otherAddr, ciaddr: otherAddr}, nil, dhcp.ReasonOffer, []answer{offerUni}},
		{"DISCOVER, unknown MAC", packet{kind: discover, mac: strangeMAC}, nil, dhcp.ReasonUnknownMAC, nil},
		{"DISCOVER, unknown MAC, broken options", packet{kind: discover, mac: strangeMAC, touchBootp: breakOptions}, nil, dhcp.ReasonUnknownMAC, nil},
		{"DISCOVER, names a server", packet{kind: discover, server: foreign}, nil, dhcp.ReasonOfferDespiteServer, []answer{offerUni}},
		{"DISCOVER, quarantined", packet{kind: discover}, quarantine, dhcp.ReasonQuarantined, nil},
		{"DISCOVER, stale view still offers", packet{kind: discover}, stale, dhcp.ReasonOffer, []answer{offerUni}},

		{"SELECTING, ours", packet{kind: request, server: serverAddr, requested: boundAddr}, nil, dhcp.ReasonAckSelecting, []answer{ackUni}},
		{"SELECTING, foreign server", packet{kind: request, server: foreign, requested: boundAddr}, nil, dhcp.ReasonForeignServer, nil},
		{"SELECTING, other address", packet{kind: request, server: serverAddr, requested: otherAddr}, nil, dhcp.ReasonNakSelecting, []answer{nakBcast}},
		{"SELECTING, other address, stale", packet{kind: request, server: serverAddr, requested: otherAddr}, stale, dhcp.ReasonStale, nil},
		{"SELECTING, no address", packet{kind: request, server: serverAddr}, nil, dhcp.ReasonAckLenient, []answer{ackUni}},
		{"SELECTING, unknown MAC", packet{kind: request, mac: strangeMAC, server: serverAddr, requested: boundAddr}, nil, dhcp.ReasonUnknownMAC, nil},
		{"SELECTING, quarantined", packet{kind: request, server: serverAddr, requested: boundAddr}, quarantine, dhcp.ReasonQuarantined, nil},

		{"INIT-REBOOT, right", packet{kind: request, requested: boundAddr}, nil, dhcp.ReasonAckInitReboot, []answer{ackUni}},
		{"INIT-REBOOT, wrong", packet{kind: request, requested: otherAddr}, nil, dhcp.ReasonNakInitReboot, []answer{nakBcast}},
		{"INIT-REBOOT, off subnet", packet{kind: request, requested: netip.MustParseAddr("192.0.2.1")}, nil, dhcp.ReasonNakInitReboot, []answer{nakBcast}},
		{"INIT-REBOOT, wrong, stale", packet{kind: request, requested: otherAddr}, stale, dhcp.ReasonStale, nil},
		{"INIT-REBOOT, unknown MAC", packet{kind: request, mac: strangeMAC, requested: otherAddr}, nil, dhcp.ReasonUnknownMAC, nil},
		{"INIT-REBOOT, no address", packet{kind: request}, nil, dhcp.ReasonNoAddress, nil},

		{"RENEWING, right", renewing(boundAddr), nil, dhcp.ReasonAckRenewing, []answer{ackRenew}},
		{"RENEWING, right, stale view", renewing(boundAddr), stale, dhcp.ReasonAckRenewing, []answer{ackRenew}},
		{"RENEWING, wrong: NAK both ways", renewing(otherAddr), nil, dhcp.ReasonNakRenewing, []answer{nakBcast, nakUni}},
		{"RENEWING, wrong, stale", renewing(otherAddr), stale, dhcp.ReasonStale, nil},
		{"RENEWING, unknown MAC", func() packet { p := renewing(boundAddr); p.mac = strangeMAC; return p }(), nil, dhcp.ReasonUnknownMAC, nil},
		{"RENEWING, quarantined address in use", renewing(boundAddr), quarantine, dhcp.ReasonAckRenewing, []answer{ackRenew}},
		{"REBINDING, right", packet{kind: request, src: boundAddr, ciaddr: boundAddr}, nil, dhcp.ReasonAckRebinding, []answer{ackRenew}},
		{"REBINDING, right, broadcast flag: still unicast", packet{kind: request, src: boundAddr, ciaddr: boundAddr, flags: 0x8000}, nil, dhcp.ReasonAckRebinding, []answer{ackRenew}},
		{"REBINDING, wrong", packet{kind: request, src: otherAddr, ciaddr: otherAddr}, nil, dhcp.ReasonNakRebinding, []answer{nakBcast, nakUni}},
		{"REBINDING, impossible address", packet{kind: request, ciaddr: netip.MustParseAddr("224.0.0.1")}, nil, dhcp.ReasonBadAddress, nil},
	}
}

func noReplyRows() []row {
	const decline, release = dhcpv4.MessageTypeDecline, dhcpv4.MessageTypeRelease
	return []row{
		{"DECLINE, ours", packet{kind: decline, server: serverAddr, requested: boundAddr}, nil, dhcp.ReasonDeclined, nil},
		{"DECLINE, no server", packet{kind: decline, requested: boundAddr}, nil, dhcp.ReasonDeclined, nil},
		{"DECLINE, foreign server", packet{kind: decline, server: foreign, requested: boundAddr}, nil, dhcp.ReasonForeignServer, nil},
		{"DECLINE, other address", packet{kind: decline, server: serverAddr, requested: otherAddr}, nil, dhcp.ReasonOtherAddress, nil},
		{"DECLINE, no address", packet{kind: decline, server: serverAddr}, nil, dhcp.ReasonNoAddress, nil},
		{"RELEASE, ours", packet{kind: release, server: serverAddr, ciaddr: boundAddr, src: boundAddr}, nil, dhcp.ReasonReleased, nil},
		{"RELEASE, foreign server", packet{kind: release, server: foreign, ciaddr: boundAddr}, nil, dhcp.ReasonForeignServer, nil},
		{"RELEASE, other address", packet{kind: release, server: serverAddr, ciaddr: otherAddr}, nil, dhcp.ReasonOtherAddress, nil},
		{"BOOTP", packet{bare: true}, nil, dhcp.ReasonBootp, nil},
		{"LEASEQUERY", packet{kind: 10}, nil, dhcp.ReasonUnsupportedType, nil},
		{"FORCERENEW", packet{kind: 9}, nil, dhcp.ReasonUnsupportedType, nil},
		{"OFFER from a client", packet{kind: dhcpv4.MessageTypeOffer}, nil, dhcp.ReasonUnsupportedType, nil},
		{"message type of two bytes", packet{bare: true, options: []dhcpv4.Option{dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(53), []byte{1, 1})}}, nil, dhcp.ReasonMalformed, nil},
		{"requested address of three bytes", packet{kind: 3, options: []dhcpv4.Option{dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(50), []byte{1, 1, 1})}}, nil, dhcp.ReasonMalformed, nil},
		{"overload of value 4", packet{kind: 1, options: []dhcpv4.Option{dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(52), []byte{4})}}, nil, dhcp.ReasonMalformed, nil},
		{"options run over the end", packet{kind: 1, touchBootp: breakOptions}, nil, dhcp.ReasonMalformed, nil},
	}
}

func informAndRelayRows() []row {
	const inform, discover, request = dhcpv4.MessageTypeInform, dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest
	informed := answer{dhcpv4.MessageTypeAck, clientMAC, otherAddr, 68, nowhere, otherAddr}
	viaRelay := func(kind dhcpv4.MessageType, yiaddr netip.Addr) []answer {
		return []answer{{kind, relayMAC, relayAddr, 67, yiaddr, nowhere}}
	}
	relayed := func(p packet) packet {
		p.ethSrc, p.ethDst, p.giaddr, p.src, p.dst, p.srcPort = relayMAC, serverMAC, orAddr(p.giaddr, relayAddr), relayAddr, serverAddr, 67
		return p
	}
	far := netip.MustParseAddr("192.0.2.1")
	override := opt82(11, 4, 192, 0, 2, 1)
	return []row{
		{"INFORM", packet{kind: inform, ciaddr: otherAddr, src: otherAddr}, nil, dhcp.ReasonAckInform, []answer{informed}},
		{"INFORM, no address", packet{kind: inform}, nil, dhcp.ReasonNoAddress, nil},
		{"INFORM, address only as sender", packet{kind: inform, src: otherAddr}, nil, dhcp.ReasonAckInform, []answer{{dhcpv4.MessageTypeAck, clientMAC, otherAddr, 68, nowhere, nowhere}}},
		{"INFORM, unknown MAC", packet{kind: inform, mac: strangeMAC, ciaddr: otherAddr}, nil, dhcp.ReasonUnknownMAC, nil},

		{"relayed DISCOVER", relayed(packet{kind: discover}), nil, dhcp.ReasonOffer, viaRelay(dhcpv4.MessageTypeOffer, boundAddr)},
		{"relayed REQUEST", relayed(packet{kind: request, server: serverAddr, requested: boundAddr}), nil, dhcp.ReasonAckSelecting, viaRelay(dhcpv4.MessageTypeAck, boundAddr)},
		{"relayed REQUEST, wrong", relayed(packet{kind: request, requested: otherAddr}), nil, dhcp.ReasonNakInitReboot, viaRelay(dhcpv4.MessageTypeNak, nowhere)},
		{"relayed, unknown MAC", relayed(packet{kind: discover, mac: strangeMAC}), nil, dhcp.ReasonUnknownMAC, nil},
		{"relayed from another subnet", relayed(packet{kind: discover, giaddr: far}), nil, dhcp.ReasonWrongLink, nil},
		{
			"relayed, link selection names ours", relayed(packet{kind: discover, giaddr: far, options: []dhcpv4.Option{opt82(5, 4, 10, 1, 0, 0)}}),
			nil, dhcp.ReasonOffer,
			[]answer{{dhcpv4.MessageTypeOffer, relayMAC, far, 67, boundAddr, nowhere}},
		},
		{"relayed, link selection names another", relayed(packet{kind: discover, options: []dhcpv4.Option{opt82(5, 4, 10, 2, 0, 0)}}), nil, dhcp.ReasonWrongLink, nil},
		{"subnet selection names another", packet{kind: discover, options: []dhcpv4.Option{dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(118), []byte{10, 2, 0, 0})}}, nil, dhcp.ReasonWrongLink, nil},
		{"relayed, server override accepted", relayed(packet{kind: request, server: far, requested: boundAddr, options: []dhcpv4.Option{override}}), nil, dhcp.ReasonAckSelecting, viaRelay(dhcpv4.MessageTypeAck, boundAddr)},
		{"override without relay is not believed", packet{kind: request, server: far, requested: boundAddr, options: []dhcpv4.Option{override}}, nil, dhcp.ReasonForeignServer, nil},
		{
			"relay with its own port", func() packet {
				p := relayed(packet{kind: discover, options: []dhcpv4.Option{opt82(19, 0)}})
				p.srcPort = 10067
				return p
			}(),
			nil, dhcp.ReasonOffer,
			[]answer{{dhcpv4.MessageTypeOffer, relayMAC, relayAddr, 10067, boundAddr, nowhere}},
		},
		{"relay that claims our address", relayed(packet{kind: discover, giaddr: serverAddr}), nil, dhcp.ReasonBadRelay, nil},
		{"relay with a multicast address", relayed(packet{kind: discover, giaddr: netip.MustParseAddr("224.0.0.9")}), nil, dhcp.ReasonBadRelay, nil},
	}
}

func renewing(ciaddr netip.Addr) packet {
	return packet{kind: dhcpv4.MessageTypeRequest, src: ciaddr, dst: serverAddr, ethDst: serverMAC, ciaddr: ciaddr}
}

// breakOptions lets the last option say that it is longer than the message.
func breakOptions(b []byte) []byte { return append(b[:240:240], 53, 1, 1, 60, 200, 1) }

func TestConversations(t *testing.T) {
	t.Parallel()
	s := testSnapshot(t)
	rows := append(append(directRows(), noReplyRows()...), informAndRelayRows()...)
	for _, tc := range rows {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := facts()
			if tc.facts != nil {
				tc.facts(&f)
			}
			res, replies := respond(t, s, tc.packet, f)
			if res.Reason != tc.reason {
				t.Errorf("reason %s, want %s", res.Reason, tc.reason)
			}
			var got []answer
			for _, r := range replies {
				got = append(got, r.answer())
				checkCommon(t, r, tc.packet)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("replies (-want +got):\n%s", diff)
			}
			if res.Reason == dhcp.ReasonUnknownMAC && (res.MAC != dhcp.MAC{} || res.Address.IsValid()) {
				t.Errorf("a stranger left a trace: %+v", res)
			}
			if res.Reason == dhcp.ReasonForeignServer && res.ForeignServer != tc.packet.server {
				t.Errorf("foreign server %v, want %v", res.ForeignServer, tc.packet.server)
			}
		})
	}
}

// checkCommon checks what holds for every reply (RFC 2131 table 3).
func checkCommon(t *testing.T, r reply, p packet) {
	t.Helper()
	m := r.msg
	if m.OpCode != dhcpv4.OpcodeBootReply || m.HopCount != 0 || m.NumSeconds != 0 || !m.ServerIPAddr.Equal(ip(nowhere)) {
		t.Errorf("op %v hops %d secs %d siaddr %s", m.OpCode, m.HopCount, m.NumSeconds, m.ServerIPAddr)
	}
	if got := m.TransactionID; got != [4]byte{0x1a, 0x2b, 0x3c, 0x4d} {
		t.Errorf("xid %x", got)
	}
	if m.ClientHWAddr.String() != clientMAC.String() || r.ethSrc != serverMAC || r.src != serverAddr {
		t.Errorf("chaddr %s, sender %s %s", m.ClientHWAddr, r.ethSrc, r.src)
	}
	if got, want := fromIP(m.GatewayIPAddr), orAddr(p.giaddr, nowhere); got != want {
		t.Errorf("giaddr %s, want %s", got, want)
	}
	flags := p.flags
	if p.giaddr.IsValid() && m.MessageType() == dhcpv4.MessageTypeNak {
		flags |= 0x8000
	}
	if r.flags != flags {
		t.Errorf("flags %#x, want %#x", r.flags, flags)
	}
	want := serverAddr
	if p.server.IsValid() && p.giaddr.IsValid() {
		want = p.server // server identifier override
	}
	if got := fromIP(m.ServerIdentifier()); got != want {
		t.Errorf("server identifier %s, want %s", got, want)
	}
	timed := m.MessageType() != dhcpv4.MessageTypeNak && p.kind != dhcpv4.MessageTypeInform
	for _, code := range []uint8{51, 58, 59} {
		if m.Options.Has(dhcpv4.GenericOptionCode(code)) != timed {
			t.Errorf("option %d present: %v", code, !timed)
		}
	}
}

func TestNilSnapshotIsSilent(t *testing.T) {
	t.Parallel()
	var s *dhcp.Snapshot
	if res := s.Respond(packet{kind: 1}.build(), facts(), nil); res.Count != 0 || res.Reason != dhcp.ReasonUnknownMAC {
		t.Errorf("got %+v", res)
	}
}
