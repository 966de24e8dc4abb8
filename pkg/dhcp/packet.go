package dhcp

import (
	"encoding/binary"
	"net/netip"
)

// Sizes and offsets of the headers, in bytes.
const (
	ethernetLen = 14
	ipv4Len     = 20
	udpLen      = 8
	headersLen  = ethernetLen + ipv4Len + udpLen
	bootpLen    = 236 // without the options (RFC 951)
	cookieLen   = 4
	minReplyLen = 300 // BOOTP relays and old clients want this much (RFC 1542 2.1)

	offOp, offHtype, offHlen, offHops = 0, 1, 2, 3
	offXid, offFlags                  = 4, 10
	offCiaddr, offYiaddr, offSiaddr   = 12, 16, 20
	offGiaddr, offChaddr              = 24, 28
	offSname, offFile, offOptions     = 44, 108, 240
	snameLen, fileLen                 = 64, 128
)

// Numbers of the protocols.
const (
	etherTypeIPv4 = 0x0800
	protoUDP      = 17
	portServer    = 67
	portClient    = 68
	opRequest     = 1
	opReply       = 2
	htypeEthernet = 1
	maxHops       = 16 // RFC 1542 4.1.1
	magicCookie   = 0x63825363
	flagBroadcast = 0x8000
)

// request is a received message, parsed in place: its slices are parts of the
// frame.
type request struct {
	ethSrc   MAC
	ipSrc    netip.Addr
	ipDst    netip.Addr
	srcPort  uint16
	bootp    []byte // from op to the end of the options
	xid      uint32
	flags    uint16
	ciaddr   netip.Addr
	giaddr   netip.Addr
	chaddr   MAC
	options  options
	kind     MessageType
	override netip.Addr // server identifier wanted by the relay (RFC 5107)
}

func (r *request) relayed() bool { return isSet(r.giaddr) }

// isSet reports whether a is an address and not 0.0.0.0.
func isSet(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() }

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// parseFrame checks the Ethernet, IPv4 and UDP headers and leaves the BOOTP
// message in r.bootp. It returns ReasonNone if all is well.
func parseFrame(frame []byte, f Facts, server netip.Addr, broadcast netip.Addr, r *request) Reason {
	if len(frame) < ethernetLen {
		return ReasonTruncated
	}
	dst := MAC(frame[0:6])
	r.ethSrc = MAC(frame[6:12])
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherTypeIPv4:
	case 0x8100, 0x88a8: // IEEE 802.1Q and 802.1ad
		return ReasonTagged
	default:
		return ReasonNotIPv4
	}
	if f.VLAN != 0 {
		return ReasonTagged
	}
	if !dst.IsGroup() && !f.InterfaceMAC.IsZero() && dst != f.InterfaceMAC {
		return ReasonNotForUs
	}
	udp, reason := parseIPv4(frame[ethernetLen:], r)
	if reason != ReasonNone {
		return reason
	}
	if r.ipDst != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && r.ipDst != server && r.ipDst != broadcast {
		return ReasonNotForUs
	}
	return parseUDP(udp, f, r)
}

// parseIPv4 returns the payload of an unfragmented UDP datagram.
func parseIPv4(ip []byte, r *request) ([]byte, Reason) {
	if len(ip) < ipv4Len {
		return nil, ReasonTruncated
	}
	header := int(ip[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || header < ipv4Len || total < header {
		return nil, ReasonBadIPHeader
	}
	if total > len(ip) {
		return nil, ReasonTruncated
	}
	if fold(sum(0, ip[:header])) != 0xffff {
		return nil, ReasonBadIPChecksum
	}
	if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 { // more-fragments flag or an offset
		return nil, ReasonFragment
	}
	if ip[9] != protoUDP {
		return nil, ReasonNotUDP
	}
	r.ipSrc, r.ipDst = addr4(ip[12:16]), addr4(ip[16:20])
	return ip[header:total], ReasonNone
}

// parseUDP checks the datagram and leaves its payload in r.bootp.
func parseUDP(udp []byte, f Facts, r *request) Reason {
	if len(udp) < udpLen {
		return ReasonTruncated
	}
	r.srcPort = binary.BigEndian.Uint16(udp)
	if binary.BigEndian.Uint16(udp[2:]) != portServer {
		return ReasonNotServerPort
	}
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpLen || length > len(udp) {
		return ReasonBadUDP
	}
	udp = udp[:length]
	if !f.ChecksumNotReady && !validUDPChecksum(udp, r.ipSrc, r.ipDst) {
		return ReasonBadChecksum
	}
	r.bootp = udp[udpLen:]
	return ReasonNone
}

// validUDPChecksum verifies the checksum of a datagram. A datagram without one
// is valid (RFC 768). So is one that holds only the sum of the pseudo header:
// a guest with checksum offload leaves the rest to hardware that a frame
// between two ports of one bridge never meets, and not every path in between
// keeps the kernel's note about it.
func validUDPChecksum(udp []byte, src, dst netip.Addr) bool {
	got := binary.BigEndian.Uint16(udp[6:])
	if got == 0 {
		return true
	}
	pseudo := pseudoSum(src, dst, len(udp))
	return got == fold(pseudo) || fold(sum(pseudo, udp)) == 0xffff
}

// parseBootp reads the fixed part of the message.
func parseBootp(r *request) Reason {
	b := r.bootp
	if len(b) < bootpLen {
		return ReasonTruncated
	}
	switch {
	case b[offOp] != opRequest:
		return ReasonNotRequest
	case b[offHtype] != htypeEthernet || b[offHlen] != 6:
		return ReasonBadHardware
	case b[offHops] > maxHops:
		return ReasonBadHops
	case len(b) < offOptions || binary.BigEndian.Uint32(b[bootpLen:]) != magicCookie:
		return ReasonBadCookie
	}
	r.xid = binary.BigEndian.Uint32(b[offXid:])
	r.flags = binary.BigEndian.Uint16(b[offFlags:])
	r.ciaddr = addr4(b[offCiaddr : offCiaddr+4])
	r.giaddr = addr4(b[offGiaddr : offGiaddr+4])
	r.chaddr = MAC(b[offChaddr : offChaddr+6])
	if !r.relayed() && r.ethSrc != r.chaddr {
		return ReasonSpoofed
	}
	if r.relayed() && !unicast(r.giaddr) {
		return ReasonBadRelay
	}
	return ReasonNone
}
