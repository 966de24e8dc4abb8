package wiretest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

var (
	everyone = netip.MustParseAddr("255.255.255.255")
	nowhere  = netip.IPv4Unspecified()
	allMAC   = dhcp.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// guest is a client of our own that sends and receives whole frames.
type guest struct {
	lab    *lab
	socket *agent.Socket
	frames chan []byte
}

func (l *lab) newGuest() *guest {
	l.t.Helper()
	g := &guest{lab: l, frames: make(chan []byte, 256)}
	inside(l.t, l.guest, func() { g.socket = l.open(l.guestIf, unix.ETH_P_ALL) })
	if g.socket == nil {
		l.t.FailNow()
	}
	go func() {
		for {
			buf := make([]byte, 2048)
			n, _, err := g.socket.Receive(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				g.frames <- buf[:n]
			}
		}
	}()
	return g
}

// open returns a socket that hears every frame of the protocol until the test
// ends, or nil after it has failed the test.
func (l *lab) open(name string, protocol int) *agent.Socket {
	l.t.Helper()
	all, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0x40000}})
	if err != nil {
		l.t.Error(err)
		return nil
	}
	socket, err := agent.OpenSocket(name, protocol, all)
	if err != nil {
		l.t.Errorf("socket on %s: %v", name, err)
		return nil
	}
	l.t.Cleanup(func() { _ = socket.Close() })
	return socket
}

// frame wraps a DHCP message; it always goes to the broadcast MAC address.
func frame(src dhcp.MAC, ipSrc, ipDst netip.Addr, m *dhcpv4.DHCPv4) []byte {
	payload := m.ToBytes()
	udp := []byte{0, 68, 0, 67, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	udp = append(udp, payload...)
	pseudo := append(append(ipSrc.AsSlice(), ipDst.AsSlice()...), 0, 17, udp[4], udp[5])
	binary.BigEndian.PutUint16(udp[6:], checksum(append(pseudo, udp...)))
	ip := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0}, append(ipSrc.AsSlice(), ipDst.AsSlice()...)...)
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(udp)))
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	out := append(append(allMAC[:len(allMAC):len(allMAC)], src[:]...), 8, 0)
	return append(append(out, ip...), udp...)
}

func checksum(b []byte) uint16 {
	var acc uint32
	for i, v := range b {
		acc += uint32(v) << (8 * (1 - i%2))
	}
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return ^uint16(acc)
}

// message makes a request of the given type from the MAC address.
func message(mac dhcp.MAC, kind dhcpv4.MessageType, options ...dhcpv4.Option) *dhcpv4.DHCPv4 {
	m, err := dhcpv4.New()
	if err != nil {
		panic(err)
	}
	m.ClientHWAddr = mac[:]
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	for _, o := range options {
		m.UpdateOption(o)
	}
	return m
}

func requested(a netip.Addr) dhcpv4.Option { return dhcpv4.OptRequestedIPAddress(a.AsSlice()) }
func chosen(a netip.Addr) dhcpv4.Option    { return dhcpv4.OptServerIdentifier(a.AsSlice()) }

func (g *guest) send(f []byte) {
	g.lab.t.Helper()
	if err := g.socket.Send(f); err != nil {
		g.lab.t.Fatalf("guest: %v", err)
	}
}

// next returns the first frame that pick likes.
func (g *guest) next(what string, pick func([]byte) bool) []byte {
	g.lab.t.Helper()
	return first(g.lab, g.frames, what, nil, pick)
}

// insist sends f, and again every second as clients do, until a frame comes that
// pick likes: the agent may not listen to what is not DHCP yet when it is ready.
func (g *guest) insist(f []byte, what string, pick func([]byte) bool) []byte {
	g.lab.t.Helper()
	g.send(f)
	return first(g.lab, g.frames, what, func() { g.send(f) }, pick)
}

// reply returns the next DHCP message to a client, whoever it is for.
func (g *guest) reply() ([]byte, *dhcpv4.DHCPv4) {
	g.lab.t.Helper()
	f := g.next("a DHCP reply", func(f []byte) bool {
		return len(f) > 42 && f[12] == 8 && f[13] == 0 && f[23] == 17 && f[37] == 68 && f[36] == 0
	})
	m, err := dhcpv4.FromBytes(f[42:])
	if err != nil {
		g.lab.t.Fatalf("reply: %v", err)
	}
	return f, m
}

// ask sends a message and returns its reply. Since the agent answers in order,
// it also proves that nothing sent before has a reply still to come.
func (g *guest) ask(src, dst netip.Addr, m *dhcpv4.DHCPv4) ([]byte, *dhcpv4.DHCPv4) {
	g.lab.t.Helper()
	g.send(frame(dhcp.MAC(m.ClientHWAddr), src, dst, m))
	f, got := g.reply()
	if got.TransactionID != m.TransactionID {
		g.lab.t.Fatalf("reply to another request: %s", got.Summary())
	}
	return f, got
}

func (g *guest) expect(f []byte, m *dhcpv4.DHCPv4, kind dhcpv4.MessageType, dst netip.Addr, mac dhcp.MAC) {
	g.lab.t.Helper()
	if m.MessageType() != kind || netip.AddrFrom4([4]byte(f[30:34])) != dst || dhcp.MAC(f[:6]) != mac {
		g.lab.t.Errorf("got %s to %s, want %s to %s (%s)", m.MessageType(), dhcp.MAC(f[:6]), kind, mac, dst)
	}
}

func TestRawConversation(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	const discover, request = dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest
	const offer, ack, nak = dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak

	f, m := g.ask(nowhere, everyone, message(guestMAC, discover))
	g.expect(f, m, offer, boundAddr, guestMAC)
	b := message(guestMAC, discover)
	b.SetBroadcast()
	f, m = g.ask(nowhere, everyone, b)
	g.expect(f, m, offer, everyone, allMAC)
	f, m = g.ask(nowhere, everyone, message(guestMAC, request, chosen(serverAddr), requested(boundAddr)))
	g.expect(f, m, ack, boundAddr, guestMAC)
	f, m = g.ask(nowhere, everyone, message(guestMAC, request, requested(boundAddr)))
	g.expect(f, m, ack, boundAddr, guestMAC)
	f, m = g.ask(nowhere, everyone, message(guestMAC, request, requested(otherAddr)))
	g.expect(f, m, nak, everyone, allMAC)

	rebind := message(guestMAC, request)
	rebind.ClientIPAddr = boundAddr.AsSlice()
	f, m = g.ask(boundAddr, everyone, rebind)
	g.expect(f, m, ack, boundAddr, guestMAC)

	wrong := message(guestMAC, request)
	wrong.ClientIPAddr = otherAddr.AsSlice()
	f, m = g.ask(otherAddr, serverAddr, wrong)
	g.expect(f, m, nak, everyone, allMAC)
	f, m = g.reply()
	g.expect(f, m, nak, otherAddr, guestMAC)

	inform := message(guestMAC, dhcpv4.MessageTypeInform)
	inform.ClientIPAddr = otherAddr.AsSlice()
	f, m = g.ask(otherAddr, everyone, inform)
	g.expect(f, m, ack, otherAddr, guestMAC)

	// Silence: strangers, and requests for another server. The reply that
	// comes next is the one to the message after them.
	g.send(frame(strangeMAC, nowhere, everyone, message(strangeMAC, discover)))
	g.send(frame(guestMAC, nowhere, everyone, message(guestMAC, request, chosen(otherAddr), requested(boundAddr))))
	release := message(guestMAC, dhcpv4.MessageTypeRelease, chosen(serverAddr))
	release.ClientIPAddr = boundAddr.AsSlice()
	g.send(frame(guestMAC, boundAddr, serverAddr, release))
	g.ask(nowhere, everyone, message(guestMAC, discover))
	l.counted(dhcp.ReasonUnknownMAC, dhcp.ReasonForeignServer, dhcp.ReasonReleased)
}

func TestDeclineQuarantinesTheAddress(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	g.send(frame(guestMAC, nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeDecline, chosen(serverAddr), requested(boundAddr))))
	select {
	case a := <-l.declined:
		if a != boundAddr {
			t.Errorf("declined %s, want %s", a, boundAddr)
		}
	case <-time.After(patience):
		t.Fatal("nobody was told of the DECLINE")
	}
	g.send(frame(guestMAC, nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeDiscover)))
	l.await("the DISCOVER to be met with silence", func() bool { return l.count(dhcp.ReasonQuarantined) == "1" })
}

func TestChecksumsAndTags(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	discover := func() *dhcpv4.DHCPv4 { return message(guestMAC, dhcpv4.MessageTypeDiscover) }

	bad := frame(guestMAC, nowhere, everyone, discover())
	bad[40] ^= 0xff
	g.send(bad)
	tagged := frame(guestMAC, nowhere, everyone, discover())
	g.send(append(append(append([]byte{}, tagged[:12]...), 0x81, 0, 0, 7), tagged[12:]...))
	// What a sender leaves whose hardware is to fill in the rest, when the
	// kernel's note about it got lost.
	partial := discover()
	pf := frame(guestMAC, nowhere, everyone, partial)
	binary.BigEndian.PutUint16(pf[40:], ^checksum(append(append([]byte{}, pf[26:34]...), 0, 17, pf[38], pf[39])))
	g.send(pf)
	if _, m := g.reply(); m.TransactionID != partial.TransactionID {
		t.Errorf("the first reply is to %s", m.TransactionID)
	}
	l.counted(dhcp.ReasonBadChecksum, dhcp.ReasonTagged)
}

// TestPartialChecksumIsSeen sends from a socket of the guest's kernel, which
// leaves the checksum to the "hardware" of the veth pair, and looks at what
// the server's end is told about it.
func TestPartialChecksumIsSeen(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	tap := l.open(l.serverIf, unix.ETH_P_IP)
	if tap == nil {
		t.FailNow()
	}
	l.configure(otherAddr)
	m := message(guestMAC, dhcpv4.MessageTypeDiscover)
	inside(t, l.guest, func() {
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: otherAddr.AsSlice(), Port: 68}, &net.UDPAddr{IP: net.IPv4(10, 9, 0, 255), Port: 67})
		if err != nil {
			t.Errorf("guest: %v", err)
			return
		}
		defer conn.Close()
		if _, err := conn.Write(m.ToBytes()); err != nil {
			t.Errorf("guest: %v", err)
		}
	})
	buf := make([]byte, 2048)
	_, aux, err := tap.Receive(buf)
	if err != nil || !aux.ChecksumNotReady {
		t.Errorf("checksum not ready: %v, error %v", aux.ChecksumNotReady, err)
	}
	if _, got := g.reply(); got.TransactionID != m.TransactionID {
		t.Errorf("reply to %s", got.TransactionID)
	}
}
