package dhcp

import (
	"encoding/binary"
	"net/netip"
)

// Option codes (RFC 2132 unless another is named).
const (
	optPad              = 0
	optSubnetMask       = 1
	optRouter           = 3
	optDNS              = 6
	optHostname         = 12
	optDomainName       = 15
	optMTU              = 26
	optBroadcast        = 28
	optNTP              = 42
	optRequestedAddress = 50
	optLeaseTime        = 51
	optOverload         = 52
	optMessageType      = 53
	optServerID         = 54
	optRequestList      = 55
	optMessage          = 56
	optMaxSize          = 57
	optT1               = 58
	optT2               = 59
	optVendorClass      = 60
	optClientID         = 61
	optTFTPServer       = 66
	optBootFile         = 67
	optRelayInfo        = 82  // RFC 3046
	optSubnetSelection  = 118 // RFC 3011
	optDomainSearch     = 119 // RFC 3397
	optClasslessRoutes  = 121 // RFC 3442
	optClasslessRoutesM = 249 // the same before it had a number; Windows
	optEnd              = 255

	relayLinkSelection  = 5  // RFC 3527
	relayServerOverride = 11 // RFC 5107
	relaySourcePort     = 19 // RFC 8357
)

// MessageType is the value of option 53.
type MessageType uint8

// The message types (RFC 2132 9.6).
const (
	Discover MessageType = 1
	Offer    MessageType = 2
	Request  MessageType = 3
	Decline  MessageType = 4
	Ack      MessageType = 5
	Nak      MessageType = 6
	Release  MessageType = 7
	Inform   MessageType = 8
)

// String returns the name of the message as RFC 2131 spells it, without the
// DHCP prefix.
func (t MessageType) String() string {
	switch t {
	case Discover:
		return "DISCOVER"
	case Offer:
		return "OFFER"
	case Request:
		return "REQUEST"
	case Decline:
		return "DECLINE"
	case Ack:
		return "ACK"
	case Nak:
		return "NAK"
	case Release:
		return "RELEASE"
	case Inform:
		return "INFORM"
	default:
		return "UNKNOWN"
	}
}

// options holds the options the responder looks at; nil means absent.
type options struct {
	messageType, requested, serverID, requestList, maxSize []byte
	clientID, relayInfo, subnet, overload                  []byte
	hostname, vendorClass                                  []byte
}

// slot returns where the option is kept, or nil if nobody looks at it.
func (o *options) slot(code byte) *[]byte {
	switch code {
	case optMessageType:
		return &o.messageType
	case optRequestedAddress:
		return &o.requested
	case optServerID:
		return &o.serverID
	case optRequestList:
		return &o.requestList
	case optMaxSize:
		return &o.maxSize
	case optClientID:
		return &o.clientID
	case optRelayInfo:
		return &o.relayInfo
	case optSubnetSelection:
		return &o.subnet
	case optOverload:
		return &o.overload
	case optHostname:
		return &o.hostname
	case optVendorClass:
		return &o.vendorClass
	default:
		return nil
	}
}

// parseOptions reads the options field and, where option 52 says so, the file
// and sname fields, in the order RFC 2131 4.1 gives. An option that comes more
// than once is one option in pieces (RFC 3396).
func (o *options) parseOptions(bootp []byte) bool {
	if !o.walk(bootp[offOptions:]) {
		return false
	}
	if o.overload == nil {
		return true
	}
	if len(o.overload) != 1 || o.overload[0] < 1 || o.overload[0] > 3 {
		return false
	}
	where := o.overload[0]
	if where&1 != 0 && !o.walk(bootp[offFile:offFile+fileLen]) {
		return false
	}
	return where&2 == 0 || o.walk(bootp[offSname:offSname+snameLen])
}

// walk reads one field of options. Running over the end is an error; a missing
// end option exactly at the end is not, since some clients fill the field.
func (o *options) walk(field []byte) bool {
	for len(field) > 0 {
		code := field[0]
		if code == optEnd {
			return true
		}
		if code == optPad {
			field = field[1:]
			continue
		}
		if len(field) < 2 || len(field) < 2+int(field[1]) {
			return false
		}
		value := field[2 : 2+int(field[1])]
		field = field[2+int(field[1]):]
		slot := o.slot(code)
		switch {
		case slot == nil:
		case *slot == nil:
			*slot = value[:len(value):len(value)] // a later piece must not write into the frame
		default:
			*slot = append(*slot, value...)
		}
	}
	return true
}

// interpret checks the lengths of the options and sets what depends on them.
func (r *request) interpret() Reason {
	o := &r.options
	if !o.parseOptions(r.bootp) {
		return ReasonMalformed
	}
	if o.messageType == nil {
		return ReasonBootp
	}
	for _, fixed := range []struct {
		value []byte
		size  int
	}{{o.messageType, 1}, {o.requested, 4}, {o.serverID, 4}, {o.subnet, 4}, {o.maxSize, 2}} {
		if fixed.value != nil && len(fixed.value) != fixed.size {
			return ReasonMalformed
		}
	}
	if len(o.clientID) > 255 || len(o.relayInfo) > 255 {
		return ReasonMalformed
	}
	r.kind = MessageType(o.messageType[0])
	if r.relayed() {
		r.override, _ = r.relayAddress(relayServerOverride)
	}
	return ReasonNone
}

// relaySub returns a sub-option of option 82. A sub-option that runs over the
// end is as good as absent: the option is the relay's, and is echoed whatever
// it holds.
func (r *request) relaySub(code byte) ([]byte, bool) {
	b := r.options.relayInfo
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if b[0] == code {
			return b[2 : 2+int(b[1])], true
		}
		b = b[2+int(b[1]):]
	}
	return nil, false
}

// relayAddress returns a sub-option that holds an address.
func (r *request) relayAddress(code byte) (netip.Addr, bool) {
	v, ok := r.relaySub(code)
	if !ok || len(v) != 4 {
		return netip.Addr{}, false
	}
	return addr4(v), true
}

// wantedAddress returns option 50.
func (r *request) wantedAddress() netip.Addr { return optionAddress(r.options.requested) }

// chosenServer returns option 54.
func (r *request) chosenServer() netip.Addr { return optionAddress(r.options.serverID) }

// optionAddress returns the zero Addr for an absent option.
func optionAddress(v []byte) netip.Addr {
	if len(v) != 4 {
		return netip.Addr{}
	}
	return addr4(v)
}

// link returns an address of the subnet the client is on, as far as the
// message says, and the zero Addr for a client on our own link.
func (r *request) link() netip.Addr {
	if a, ok := r.relayAddress(relayLinkSelection); ok && r.relayed() {
		return a
	}
	if a := optionAddress(r.options.subnet); isSet(a) {
		return a
	}
	if r.relayed() {
		return r.giaddr
	}
	return netip.Addr{}
}

// replyPort returns the port a relay listens on: 67 unless it says its source
// port is the one (RFC 8357).
func (r *request) replyPort() uint16 {
	if v, ok := r.relaySub(relaySourcePort); ok && len(v) <= 2 && r.srcPort != 0 {
		return r.srcPort
	}
	return portServer
}

// maxMessage returns the largest BOOTP message the client takes over a link
// with the given MTU (0: Ethernet's). RFC 2131 lets a server assume 576 bytes
// of IP packet and no more without option 57.
func (r *request) maxMessage(mtu uint16) int {
	const assumed, ethernet = 576, 1500
	limit := assumed
	if len(r.options.maxSize) == 2 {
		limit = int(binary.BigEndian.Uint16(r.options.maxSize))
	}
	link := ethernet
	if mtu != 0 {
		link = min(link, int(mtu))
	}
	return max(assumed, min(limit, link)) - ipv4Len - udpLen
}
