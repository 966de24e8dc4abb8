package dhcp

import (
	"encoding/binary"
	"net/netip"
)

// ReplyBufferSize is the size of a buffer into which the replies to one frame
// always fit.
const ReplyBufferSize = 2 * (headersLen + 1500)

// destination is where a reply goes.
type destination struct {
	mac  MAC
	addr netip.Addr
	port uint16
}

// reply builds the frames that the reason calls for, if any.
func (c *conversation) reply(reason Reason, res *Result, buf []byte) {
	var kind MessageType
	switch reason.Outcome() {
	case OutcomeOffer:
		kind = Offer
	case OutcomeAck:
		kind = Ack
	case OutcomeNak:
		kind = Nak
	case OutcomeDropped, OutcomeSilent, OutcomeNoted:
		return
	}
	var targets [2]destination
	n := c.destinations(reason, kind, &targets)
	if cap(buf) < ReplyBufferSize {
		buf = make([]byte, ReplyBufferSize)
	}
	buf = buf[:ReplyBufferSize]
	size := c.message(reason, kind, buf[headersLen:ReplyBufferSize/2], res)
	for i := range n {
		frame := buf[i*ReplyBufferSize/2:][:headersLen+size]
		if i > 0 {
			copy(frame[headersLen:], res.Frames[0][headersLen:])
		}
		c.headers(frame, targets[i])
		res.Frames[i] = frame
	}
	res.Count = n
}

// destinations says where the reply goes (RFC 2131 4.1), the first case that
// applies.
func (c *conversation) destinations(reason Reason, kind MessageType, to *[2]destination) int {
	everyone := destination{broadcastMAC(), netip.AddrFrom4([4]byte{255, 255, 255, 255}), portClient}
	client := destination{c.r.chaddr, c.r.ciaddr, portClient}
	switch {
	case c.r.relayed():
		to[0] = destination{c.r.ethSrc, c.r.giaddr, c.r.replyPort()}
	case reason == ReasonAckInform:
		client.addr = c.informAddress()
		to[0] = client
	case kind == Nak:
		to[0] = everyone
		if isSet(c.r.ciaddr) {
			to[1] = client
			return 2
		}
	case reason == ReasonAckRenewing || reason == ReasonAckRebinding:
		to[0] = client
	case c.r.flags&flagBroadcast != 0:
		to[0] = everyone
	default:
		client.addr = c.binding.Address
		to[0] = client
	}
	return 1
}

// headers writes the Ethernet, IPv4 and UDP headers in front of the message
// that frame already holds. Both checksums are complete: the guest may verify
// them, and no hardware on the way will fill them in.
func (c *conversation) headers(frame []byte, to destination) {
	copy(frame[0:6], to.mac[:])
	copy(frame[6:12], c.facts.InterfaceMAC[:])
	binary.BigEndian.PutUint16(frame[12:], etherTypeIPv4)

	src, dst := c.s.network.Server.As4(), to.addr.As4()
	ip := frame[ethernetLen:]
	clear(ip[:ipv4Len])
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip))) // at most 1500
	binary.BigEndian.PutUint16(ip[4:], uint16(c.r.xid)) // any 16 bits will do
	ip[8], ip[9] = 64, protoUDP
	copy(ip[12:16], src[:])
	copy(ip[16:20], dst[:])
	binary.BigEndian.PutUint16(ip[10:], ^fold(sum(0, ip[:ipv4Len])))

	udp := ip[ipv4Len:]
	binary.BigEndian.PutUint16(udp[0:], portServer)
	binary.BigEndian.PutUint16(udp[2:], to.port)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp))) // at most 1480
	binary.BigEndian.PutUint16(udp[6:], 0)
	check := ^fold(sum(pseudoSum(c.s.network.Server, to.addr, len(udp)), udp))
	if check == 0 {
		check = 0xffff // RFC 768: 0 would mean "none"
	}
	binary.BigEndian.PutUint16(udp[6:], check)
}

// message writes the BOOTP message and its options into b and returns its
// length.
func (c *conversation) message(reason Reason, kind MessageType, b []byte, res *Result) int {
	clear(b)
	p := &c.s.profile
	b[offOp], b[offHtype], b[offHlen] = opReply, htypeEthernet, 6
	binary.BigEndian.PutUint32(b[offXid:], c.r.xid)
	flags := c.r.flags
	if kind == Nak && c.r.relayed() {
		flags |= flagBroadcast // RFC 2131 4.3.2: the client may not own its address
	}
	binary.BigEndian.PutUint16(b[offFlags:], flags)
	copy(b[offGiaddr:], c.r.bootp[offGiaddr:offGiaddr+4])
	copy(b[offChaddr:], c.r.chaddr[:])
	binary.BigEndian.PutUint32(b[bootpLen:], magicCookie)
	if kind == Ack {
		copy(b[offCiaddr:], c.r.bootp[offCiaddr:offCiaddr+4])
	}
	if kind != Nak {
		if reason != ReasonAckInform {
			addr := c.binding.Address.As4()
			copy(b[offYiaddr:], addr[:])
		}
		copy(b[offSiaddr:], p.siaddr[:])
		copy(b[offFile:offFile+fileLen], p.file)
	}
	w := newWriter(b, c.r.maxMessage(c.facts.MTU), len(p.file) == 0 && kind != Nak && c.r.options.requestList != nil)
	c.options(reason, kind, w)
	res.Omitted = w.omitted
	return w.finish()
}

// options writes all options in their order: those the protocol needs, those
// the client asked for in the order it did (RFC 2132 9.8), those it gets
// anyway, and last the client's and the relay's own words.
func (c *conversation) options(reason Reason, kind MessageType, w *writer) {
	id := c.s.network.Server
	if c.r.override.IsValid() {
		id = c.r.override
	}
	server := id.As4()
	w.reserve(optClientID, c.r.options.clientID)
	w.reserve(optRelayInfo, c.r.options.relayInfo)
	w.must(optMessageType, byte(kind))
	w.must(optServerID, server[:]...)
	if kind == Nak {
		w.must(optMessage, []byte("address is not this client's")...)
		return
	}
	if reason != ReasonAckInform {
		c.times(w)
	}
	w.must(optSubnetMask, c.s.profile.values[optSubnetMask]...)
	list := c.r.options.requestList
	if list == nil {
		list = c.s.profile.unasked
	}
	var sent [256]bool
	sent[optSubnetMask] = true
	for _, code := range list {
		c.option(w, code, &sent)
	}
	if !sent[optClasslessRoutes] {
		c.option(w, optRouter, &sent)
	}
	for _, code := range c.s.profile.forced {
		c.option(w, code, &sent)
	}
}

// option writes one configured option unless it was sent already.
func (c *conversation) option(w *writer, code byte, sent *[256]bool) {
	value := c.s.profile.values[code]
	if sent[code] || value == nil && (code != optHostname || c.binding.Hostname == "") {
		return
	}
	sent[code] = true
	if code == optHostname {
		value = []byte(c.binding.Hostname)
	}
	w.add(code, value)
}

// times writes the lease time and T1 and T2, which some clients require. T1
// and T2 lie a little before one half and seven eighths of the lease (RFC 2131
// 4.4.5), by a share that depends on the MAC address, so that guests which
// booted together do not all renew together.
func (c *conversation) times(w *writer) {
	lease := c.s.profile.lease
	t1, t2 := lease, lease
	if lease != 0xffffffff {
		spread := macHash(c.r.chaddr)
		t1 = lease/2 - spread%(lease/16+1)
		t2 = lease - lease/8 - spread%(lease/32+1)
		if t1 >= t2 || t2 >= lease { // leases of a few seconds
			t1, t2 = lease/2, lease-1
		}
	}
	w.must(optLeaseTime, byte(lease>>24), byte(lease>>16), byte(lease>>8), byte(lease))
	w.must(optT1, byte(t1>>24), byte(t1>>16), byte(t1>>8), byte(t1))
	w.must(optT2, byte(t2>>24), byte(t2>>16), byte(t2>>8), byte(t2))
}

// macHash is FNV-1a (32 bits) of the address.
func macHash(m MAC) uint32 {
	h := uint32(2166136261)
	for _, b := range m {
		h = (h ^ uint32(b)) * 16777619
	}
	return h
}
