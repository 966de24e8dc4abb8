package dhcp_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

var (
	serverMAC  = mustMAC("02:00:00:00:00:01")
	clientMAC  = mustMAC("52:54:00:12:34:56")
	strangeMAC = mustMAC("52:54:00:99:99:99")
	relayMAC   = mustMAC("02:00:00:00:00:fe")

	serverAddr = netip.MustParseAddr("10.1.0.2")
	routerAddr = netip.MustParseAddr("10.1.0.1")
	boundAddr  = netip.MustParseAddr("10.1.0.50")
	otherAddr  = netip.MustParseAddr("10.1.0.99")
	relayAddr  = netip.MustParseAddr("10.1.0.3")
	foreign    = netip.MustParseAddr("10.1.0.200")
	everyone   = netip.MustParseAddr("255.255.255.255")
	nowhere    = netip.IPv4Unspecified()
)

func mustMAC(s string) dhcp.MAC {
	m, err := dhcp.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return m
}

func testNetwork() dhcp.Network {
	return dhcp.Network{
		Server:       serverAddr,
		Prefix:       netip.MustParsePrefix("10.1.0.0/24"),
		Router:       routerAddr,
		DNS:          []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("1.1.1.1")},
		DomainName:   "example.org",
		DomainSearch: []string{"Example.org.", "lab.example.org"},
		NTP:          []netip.Addr{netip.MustParseAddr("10.1.0.10")},
		MTU:          1450,
	}
}

func testEntries() []dhcp.Entry {
	return []dhcp.Entry{
		{MAC: clientMAC, Address: boundAddr, Hostname: "web-1"},
		{MAC: mustMAC("52:54:00:00:00:07"), Address: netip.MustParseAddr("10.1.0.7")},
	}
}

func testSnapshot(t testing.TB, change ...func(*dhcp.Network)) *dhcp.Snapshot {
	t.Helper()
	n := testNetwork()
	for _, f := range change {
		f(&n)
	}
	s, err := dhcp.NewSnapshot(n, testEntries())
	if err != nil {
		t.Fatalf("NewSnapshot: %v", err)
	}
	return s
}

func facts() dhcp.Facts { return dhcp.Facts{InterfaceMAC: serverMAC, Fresh: true} }

// packet describes a request as a test wants it; build turns it into a frame.
type packet struct {
	kind       dhcpv4.MessageType
	mac        dhcp.MAC // client; clientMAC if zero
	ethSrc     dhcp.MAC // mac if zero
	ethDst     dhcp.MAC // broadcast if zero
	src, dst   netip.Addr
	srcPort    uint16
	ciaddr     netip.Addr
	giaddr     netip.Addr
	flags      uint16
	options    []dhcpv4.Option
	requested  netip.Addr
	server     netip.Addr
	bare       bool                // no message type
	touchBootp func([]byte) []byte // before the checksums
	touchFrame func([]byte) []byte // after them
}

func orAddr(a, d netip.Addr) netip.Addr {
	if a.IsValid() {
		return a
	}
	return d
}

func orMAC(m, d dhcp.MAC) dhcp.MAC {
	if m.IsZero() {
		return d
	}
	return m
}

const testXID = 0x1a2b3c4d

func ip(a netip.Addr) net.IP { return net.IP(a.AsSlice()) }

func (p packet) build() []byte {
	mac := orMAC(p.mac, clientMAC)
	m, err := dhcpv4.New()
	if err != nil {
		panic(err)
	}
	m.OpCode = dhcpv4.OpcodeBootRequest
	m.ClientHWAddr = net.HardwareAddr(mac[:])
	binary.BigEndian.PutUint32(m.TransactionID[:], testXID)
	m.Flags = p.flags
	m.NumSeconds = 7
	m.ClientIPAddr = ip(orAddr(p.ciaddr, nowhere))
	m.GatewayIPAddr = ip(orAddr(p.giaddr, nowhere))
	if !p.bare {
		m.UpdateOption(dhcpv4.OptMessageType(p.kind))
	}
	if p.requested.IsValid() {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(ip(p.requested)))
	}
	if p.server.IsValid() {
		m.UpdateOption(dhcpv4.OptServerIdentifier(ip(p.server)))
	}
	for _, o := range p.options {
		m.UpdateOption(o)
	}
	bootp := m.ToBytes()
	if p.touchBootp != nil {
		bootp = p.touchBootp(bootp)
	}
	port := p.srcPort
	if port == 0 {
		port = 68
	}
	broadcast := dhcp.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	frame := wrap(orMAC(p.ethDst, broadcast), orMAC(p.ethSrc, mac), orAddr(p.src, nowhere), orAddr(p.dst, everyone), port, 67, bootp)
	if p.touchFrame != nil {
		frame = p.touchFrame(frame)
	}
	return frame
}

// wrap puts a payload into UDP, IPv4 and Ethernet.
func wrap(dst, src dhcp.MAC, ipSrc, ipDst netip.Addr, from, to uint16, payload []byte) []byte {
	udp := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(udp[0:], from)
	binary.BigEndian.PutUint16(udp[2:], to)
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	udp = append(udp, payload...)
	binary.BigEndian.PutUint16(udp[6:], naiveUDPChecksum(ipSrc, ipDst, udp))

	head := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0}
	head = append(head, ipSrc.AsSlice()...)
	head = append(head, ipDst.AsSlice()...)
	binary.BigEndian.PutUint16(head[2:], uint16(20+len(udp)))
	binary.BigEndian.PutUint16(head[10:], naiveChecksum(head))

	frame := append([]byte{}, dst[:]...)
	frame = append(frame, src[:]...)
	frame = append(frame, 0x08, 0x00)
	frame = append(frame, head...)
	return append(frame, udp...)
}

// naiveChecksum is RFC 1071 written the slow way, independent of the code
// under test: end-around carry after every word.
func naiveChecksum(b []byte) uint16 {
	var acc uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) * 256
		if i+1 < len(b) {
			word += uint32(b[i+1])
		}
		acc += word
		if acc > 0xffff {
			acc -= 0xffff
		}
	}
	return uint16(0xffff - acc)
}

func naiveUDPChecksum(src, dst netip.Addr, udp []byte) uint16 {
	all := append([]byte{}, src.AsSlice()...)
	all = append(all, dst.AsSlice()...)
	all = append(all, 0, 17, byte(len(udp)>>8), byte(len(udp)))
	all = append(all, udp...)
	sum := naiveChecksum(all)
	if sum == 0 {
		return 0xffff
	}
	return sum
}

// reply is a decoded reply frame.
type reply struct {
	ethDst, ethSrc dhcp.MAC
	src, dst       netip.Addr
	port           uint16
	flags          uint16
	msg            *dhcpv4.DHCPv4
	raw            []byte // BOOTP message
}

// decode takes a reply frame apart and fails the test if anything about its
// headers is wrong, with code that shares nothing with the code under test.
func decode(t testing.TB, frame []byte) reply {
	t.Helper()
	if len(frame) < 14+20+8+300 {
		t.Fatalf("reply frame has %d bytes, want at least 342", len(frame))
	}
	if frame[12] != 8 || frame[13] != 0 {
		t.Fatalf("ethertype %x", frame[12:14])
	}
	h := frame[14:34]
	if h[0] != 0x45 || h[8] != 64 || h[9] != 17 || h[6]&0x3f != 0 || h[7] != 0 {
		t.Fatalf("IPv4 header % x", h)
	}
	if got := int(binary.BigEndian.Uint16(h[2:])); got != len(frame)-14 {
		t.Fatalf("IPv4 length %d, want %d", got, len(frame)-14)
	}
	zeroed := append([]byte{}, h...)
	zeroed[10], zeroed[11] = 0, 0
	if want := naiveChecksum(zeroed); binary.BigEndian.Uint16(h[10:]) != want {
		t.Fatalf("IPv4 checksum %#x, want %#x", h[10:12], want)
	}
	r := reply{
		ethDst: dhcp.MAC(frame[0:6]), ethSrc: dhcp.MAC(frame[6:12]),
		src: netip.AddrFrom4([4]byte(h[12:16])), dst: netip.AddrFrom4([4]byte(h[16:20])),
	}
	udp := append([]byte{}, frame[34:]...)
	if binary.BigEndian.Uint16(udp) != 67 || int(binary.BigEndian.Uint16(udp[4:])) != len(udp) {
		t.Fatalf("UDP header % x", udp[:8])
	}
	got := binary.BigEndian.Uint16(udp[6:])
	udp[6], udp[7] = 0, 0
	if want := naiveUDPChecksum(r.src, r.dst, udp); got != want {
		t.Fatalf("UDP checksum %#x, want %#x", got, want)
	}
	r.port = binary.BigEndian.Uint16(udp[2:])
	r.raw = udp[8:]
	r.flags = binary.BigEndian.Uint16(r.raw[10:])
	msg, err := dhcpv4.FromBytes(r.raw)
	if err != nil {
		t.Fatalf("reply does not decode: %v", err)
	}
	r.msg = msg
	return r
}

// codes lists the options of the options field in the order they stand.
func (r reply) codes() []int {
	var out []int
	for b := r.raw[240:]; len(b) > 0 && b[0] != 255; {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		out = append(out, int(b[0]))
		b = b[2+int(b[1]):]
	}
	return out
}

// respond answers p and decodes the frames.
func respond(t testing.TB, s *dhcp.Snapshot, p packet, f dhcp.Facts) (dhcp.Result, []reply) {
	t.Helper()
	res := s.Respond(p.build(), f, nil)
	var out []reply
	for _, frame := range res.Frames[:res.Count] {
		out = append(out, decode(t, frame))
	}
	return res, out
}
