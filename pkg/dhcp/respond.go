package dhcp

import (
	"net/netip"
)

// Facts are what the responder cannot see in the frame or the snapshot.
type Facts struct {
	// InterfaceMAC is the sender of replies; frames to other stations are
	// dropped. If zero, frames to any station are taken.
	InterfaceMAC MAC
	// MTU is the interface's MTU; zero means Ethernet's 1500.
	MTU uint16
	// VLAN is the ID of a tag that the kernel took off the frame; 0 is none.
	VLAN uint16
	// ChecksumNotReady says that the sender's kernel left the UDP checksum
	// to hardware which the frame did not pass, so it proves nothing.
	ChecksumNotReady bool
	// Fresh says that the snapshot is known to be current. Without it no NAK
	// is sent: an old view must not take an address away from a guest.
	Fresh bool
	// Quarantined holds addresses that a client declined a short while ago.
	// It is only read.
	Quarantined map[netip.Addr]struct{}
}

// Result is what became of one frame.
type Result struct {
	// Reason says why, and implies the outcome.
	Reason Reason
	// Frames holds complete Ethernet frames to send, Count of them; they are
	// parts of the buffer given to Respond.
	Frames [2][]byte
	// Count is 0, 1 or 2: a NAK to a client that has an address goes out by
	// broadcast and by unicast, since a renewing client may listen only on
	// the latter (its socket is bound to the address).
	Count int
	// Request is the type of the message; 0 if it was not read that far.
	Request MessageType
	// MAC is the client. Zero if the frame was not read that far or the
	// client is unknown: strangers leave no trace.
	MAC MAC
	// Address is the client's binding.
	Address netip.Addr
	// XID is the transaction.
	XID uint32
	// ForeignServer is the server a client chose instead of this one: with
	// ReasonForeignServer, evidence of another DHCP server on the network.
	ForeignServer netip.Addr
	// Hostname and VendorClass are options 12 and 60 of the request, as the
	// client wrote them; nil when absent. They are parts of the frame.
	Hostname, VendorClass []byte
	// Omitted counts options that did not fit into the reply.
	Omitted int
}

// Respond answers one received Ethernet frame for the pool in s. Reply frames
// are built in buf, which is grown if it is too small; ReplyBufferSize is
// always enough. Neither frame nor buf is kept.
//
// It never panics, whatever the frame holds.
func (s *Snapshot) Respond(frame []byte, facts Facts, buf []byte) Result {
	var r request
	if s == nil {
		return Result{Reason: ReasonUnknownMAC}
	}
	if reason := parseFrame(frame, facts, s.network.Server, s.broadcast, &r); reason != ReasonNone {
		return Result{Reason: reason}
	}
	if reason := parseBootp(&r); reason != ReasonNone {
		return Result{Reason: reason}
	}
	if r.giaddr == s.network.Server {
		return Result{Reason: ReasonBadRelay}
	}
	binding, known := s.bindings[r.chaddr]
	if !known {
		return Result{Reason: ReasonUnknownMAC}
	}
	res := Result{MAC: r.chaddr, Address: binding.Address, XID: r.xid}
	if res.Reason = r.interpret(); res.Reason != ReasonNone {
		return res
	}
	res.Request, res.Hostname, res.VendorClass = r.kind, r.options.hostname, r.options.vendorClass
	if link := r.link(); link.IsValid() && !s.network.Prefix.Contains(link) {
		res.Reason = ReasonWrongLink
		return res
	}
	c := conversation{s: s, r: &r, binding: binding, facts: &facts}
	res.Reason = c.decide()
	if res.Reason == ReasonForeignServer {
		res.ForeignServer = r.chosenServer()
	}
	c.reply(res.Reason, &res, buf)
	return res
}

// conversation is one request with everything its answer depends on.
type conversation struct {
	s       *Snapshot
	r       *request
	binding Binding
	facts   *Facts
}

// decide says how the message is to be treated. The knobs that would change
// it (rapid commit, authoritative, BOOTP, INFORM from unbound clients) are not
// there yet; each would be one more case here.
func (c *conversation) decide() Reason {
	switch c.r.kind {
	case Discover:
		return c.discover()
	case Request:
		return c.request()
	case Decline:
		return c.giveBack(c.r.wantedAddress(), ReasonDeclined)
	case Release:
		return c.giveBack(c.r.ciaddr, ReasonReleased)
	case Inform:
		return c.inform()
	default:
		// OFFER, ACK and NAK are a server's; LEASEQUERY (RFC 4388) and
		// FORCERENEW (RFC 3203) are not served.
		return ReasonUnsupportedType
	}
}

// ours reports whether a is the server identifier of this server, also under
// the name that the relay gave it.
func (c *conversation) ours(a netip.Addr) bool {
	return a == c.s.network.Server || a.IsValid() && a == c.r.override
}

func (c *conversation) quarantined() bool {
	_, yes := c.facts.Quarantined[c.binding.Address]
	return yes
}

// discover offers the binding whatever the client hints at: it has no other.
func (c *conversation) discover() Reason {
	switch {
	case c.quarantined():
		return ReasonQuarantined
	case c.r.options.serverID != nil:
		return ReasonOfferDespiteServer // RFC 2131 table 5 forbids it; harmless
	default:
		return ReasonOffer
	}
}

// request tells the four client states apart by the fields alone (RFC 2131
// table 4).
func (c *conversation) request() Reason {
	wanted, bound := c.r.wantedAddress(), c.binding.Address
	if isSet(c.r.ciaddr) && !unicast(c.r.ciaddr) {
		return ReasonBadAddress
	}
	switch {
	case c.r.options.serverID != nil:
		return c.selecting(wanted)
	case isSet(c.r.ciaddr):
		if c.r.ipDst == c.s.network.Server {
			return c.grant(c.r.ciaddr == bound, ReasonAckRenewing, ReasonNakRenewing)
		}
		return c.grant(c.r.ciaddr == bound, ReasonAckRebinding, ReasonNakRebinding)
	case wanted.IsValid():
		if c.quarantined() {
			return ReasonQuarantined
		}
		return c.grant(wanted == bound, ReasonAckInitReboot, ReasonNakInitReboot)
	default:
		return ReasonNoAddress
	}
}

// selecting answers a client that chose among offers.
func (c *conversation) selecting(wanted netip.Addr) Reason {
	switch {
	case !c.ours(c.r.chosenServer()):
		return ReasonForeignServer
	case c.quarantined():
		return ReasonQuarantined
	case wanted.IsValid():
		return c.grant(wanted == c.binding.Address, ReasonAckSelecting, ReasonNakSelecting)
	case isSet(c.r.ciaddr):
		return c.grant(c.r.ciaddr == c.binding.Address, ReasonAckSelecting, ReasonNakSelecting)
	default:
		// Against the letter of RFC 2131, as other servers do: some clients
		// leave option 50 out, and what they accept is the offer.
		return ReasonAckLenient
	}
}

// grant chooses between ACK and NAK, and silence where a NAK would rest on an
// old view.
func (c *conversation) grant(right bool, ack, nak Reason) Reason {
	switch {
	case right:
		return ack
	case !c.facts.Fresh:
		return ReasonStale
	default:
		return nak
	}
}

// giveBack handles DECLINE and RELEASE. Neither changes the binding.
func (c *conversation) giveBack(address netip.Addr, noted Reason) Reason {
	switch {
	case c.r.options.serverID != nil && !c.ours(c.r.chosenServer()):
		return ReasonForeignServer
	case !isSet(address):
		return ReasonNoAddress
	case address != c.binding.Address:
		return ReasonOtherAddress
	default:
		return noted
	}
}

// inform answers a client that has its address from elsewhere.
func (c *conversation) inform() Reason {
	switch address := c.informAddress(); {
	case !isSet(address):
		return ReasonNoAddress
	case !unicast(address):
		return ReasonBadAddress
	default:
		return ReasonAckInform
	}
}

// informAddress is where the answer to an INFORM goes. Some clients leave
// ciaddr empty although they send from their address.
func (c *conversation) informAddress() netip.Addr {
	if isSet(c.r.ciaddr) {
		return c.r.ciaddr
	}
	return c.r.ipSrc
}
