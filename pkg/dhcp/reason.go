package dhcp

// Reason says why a frame got the treatment it got. Every way through the
// responder has its own, so that counters by reason tell an operator what is
// happening without a packet capture. The set is small and fixed, fit for a
// metric label.
type Reason uint8

// The reasons, in the order in which a frame meets them.
const (
	// ReasonNone is the zero value and is never returned.
	ReasonNone Reason = iota

	// Not a packet that this server could ever answer.
	ReasonTruncated     // shorter than its own headers say
	ReasonNotIPv4       // another protocol
	ReasonTagged        // carries a VLAN tag: not of this network
	ReasonBadIPHeader   // version, header length or total length is wrong
	ReasonBadIPChecksum // IPv4 header checksum is wrong
	ReasonFragment      // a fragment; DHCP is never fragmented
	ReasonNotUDP        // another IP protocol
	ReasonNotServerPort // UDP, but not to port 67
	ReasonNotForUs      // to another station or another address
	ReasonBadUDP        // UDP length is wrong
	ReasonBadChecksum   // UDP checksum is wrong
	ReasonNotRequest    // op is not BOOTREQUEST
	ReasonBadHardware   // htype or hlen is not Ethernet's
	ReasonBadHops       // more than 16 relays
	ReasonBadCookie     // no DHCP magic cookie
	ReasonSpoofed       // the frame's sender is not the client it speaks for
	ReasonBadRelay      // giaddr cannot be a relay's address
	ReasonUnknownMAC    // no binding: silence

	// Packets of a known client that get no answer.
	ReasonMalformed       // options run over their end or have a wrong length
	ReasonBootp           // no message type: plain BOOTP, which is not served
	ReasonUnsupportedType // a message a server does not take
	ReasonWrongLink       // a relay asks for another subnet
	ReasonForeignServer   // the client chose another server
	ReasonQuarantined     // the address was declined a short while ago
	ReasonNoAddress       // the message lacks the address it is about
	ReasonBadAddress      // ciaddr cannot be a host's address
	ReasonOtherAddress    // DECLINE or RELEASE of an address that is not bound to it
	ReasonStale           // would be a NAK, but the view is not fresh
	ReasonDeclined        // DECLINE taken note of
	ReasonReleased        // RELEASE taken note of

	// Replies.
	ReasonOffer              // DISCOVER answered
	ReasonOfferDespiteServer // DISCOVER answered although it names a server
	ReasonAckSelecting       // REQUEST after our OFFER granted
	ReasonAckLenient         // the same, from a client that names no address
	ReasonAckInitReboot      // REQUEST of a rebooted client granted
	ReasonAckRenewing        // unicast renewal granted
	ReasonAckRebinding       // broadcast renewal granted
	ReasonAckInform          // INFORM answered
	ReasonNakSelecting       // the binding changed since the OFFER
	ReasonNakInitReboot      // a rebooted client asks for what is not its
	ReasonNakRenewing        // a client renews what is not its
	ReasonNakRebinding       // the same, by broadcast

	reasonCount = iota // number of reasons; keep last
)

// ReasonCount is the number of reasons including ReasonNone: an array of this
// length can be indexed by Reason.
const ReasonCount = int(reasonCount)

// Outcome is the coarse outcome a Reason belongs to.
type Outcome string

// The outcomes.
const (
	OutcomeDropped Outcome = "dropped" // not a packet to be answered by anyone here
	OutcomeSilent  Outcome = "silent"  // understood, and deliberately not answered
	OutcomeNoted   Outcome = "noted"   // a message that asks for no answer
	OutcomeOffer   Outcome = "offer"
	OutcomeAck     Outcome = "ack"
	OutcomeNak     Outcome = "nak"
)

// Outcome returns the coarse outcome of r.
func (r Reason) Outcome() Outcome {
	switch {
	case r == ReasonUnknownMAC:
		return OutcomeSilent
	case r <= ReasonUnsupportedType:
		return OutcomeDropped
	case r <= ReasonStale:
		return OutcomeSilent
	case r <= ReasonReleased:
		return OutcomeNoted
	case r <= ReasonOfferDespiteServer:
		return OutcomeOffer
	case r <= ReasonAckInform:
		return OutcomeAck
	default:
		return OutcomeNak
	}
}

// String returns r as a metric label: lower case, hyphens.
func (r Reason) String() string {
	if int(r) >= ReasonCount {
		return "invalid"
	}
	return [reasonCount]string{
		"none", "truncated", "not-ipv4", "vlan-tagged", "bad-ip-header", "bad-ip-checksum", "fragment", "not-udp",
		"not-server-port", "not-for-us", "bad-udp-length", "bad-udp-checksum", "not-request", "bad-hardware-type",
		"too-many-hops", "no-cookie", "sender-not-client", "bad-relay-address", "unknown-mac",
		"malformed-options", "bootp", "unsupported-type", "wrong-link", "foreign-server", "quarantined", "no-address",
		"bad-client-address", "other-address", "stale-view", "declined", "released",
		"discover", "discover-names-server", "selecting", "selecting-no-address", "init-reboot", "renewing",
		"rebinding", "inform", "selecting-changed", "init-reboot-mismatch", "renewing-mismatch", "rebinding-mismatch",
	}[r]
}
