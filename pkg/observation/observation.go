// Package observation remembers what was heard of each client on the wire and
// what it was answered, and is the JSON in which an agent tells it.
//
// It knows clients that have a binding and no others: strangers leave no trace,
// so nobody on the network can make it grow.
package observation

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

const (
	// exchanges is how many of a client's last messages are kept: a boot takes
	// two, and a client that goes wrong repeats itself.
	exchanges = 8
	// maxText bounds the texts that a client tells of itself, in bytes.
	maxText = 64
	// maxReply bounds what is kept of the options of the last DHCPACK, in bytes.
	maxReply = 312
)

// Log is what one agent has seen since its process began. The zero Log is
// empty and ready. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	clients map[dhcp.MAC]*client
}

// client is what is known of one client. Texts and options are kept in slices
// that are written over, so that a packet of a known client allocates nothing.
type client struct {
	address     netip.Addr
	first, last int64 // Unix nanoseconds
	acked       int64 // of the last DHCPACK; 0 for none
	hostname    []byte
	vendorClass []byte
	options     []byte // of the last DHCPACK
	ring        [exchanges]exchange
	next        int // where the next exchange goes
	count       int // how many there are, at most exchanges
}

type exchange struct {
	at      int64
	request dhcp.MessageType
	reason  dhcp.Reason
}

// Record notes what became of a frame. Frames of strangers, and those that were
// not read as far as the client, are not noted.
func (l *Log) Record(now time.Time, result *dhcp.Result) {
	if result.MAC.IsZero() {
		return
	}

	at := now.UnixNano()

	l.mu.Lock()
	defer l.mu.Unlock()

	c := l.clients[result.MAC]
	if c == nil {
		if l.clients == nil {
			l.clients = map[dhcp.MAC]*client{}
		}

		c = &client{first: at}
		l.clients[result.MAC] = c
	}

	c.last, c.address = at, result.Address
	c.ring[c.next] = exchange{at, result.Request, result.Reason}
	c.next = (c.next + 1) % exchanges
	c.count = min(c.count+1, exchanges)

	if result.Hostname != nil {
		c.hostname = append(c.hostname[:0], cut(result.Hostname, maxText)...)
	}

	if result.VendorClass != nil {
		c.vendorClass = append(c.vendorClass[:0], cut(result.VendorClass, maxText)...)
	}

	if result.Reason.Outcome() == dhcp.OutcomeAck && result.Count > 0 {
		c.options = append(c.options[:0], cut(dhcp.ReplyOptions(result.Frames[0]), maxReply)...)

		// The answer to an INFORM gives no lease.
		if result.Reason != dhcp.ReasonAckInform {
			c.acked = at
		}
	}
}

func cut(b []byte, most int) []byte { return b[:min(len(b), most)] }

// Keep forgets the clients that have no binding in the snapshot, or another
// address than the one they were seen with.
func (l *Log) Keep(snapshot *dhcp.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for mac, c := range l.clients {
		if binding, bound := snapshot.Lookup(mac); !bound || binding.Address != c.address {
			delete(l.clients, mac)
		}
	}
}

// Client returns what is known of a client, or false when it was never heard
// of.
func (l *Log) Client(mac dhcp.MAC) (Client, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	c := l.clients[mac]
	if c == nil {
		return Client{}, false
	}

	return c.tell(mac), true
}

// Clients returns what is known of all clients, in the order of their MAC
// addresses.
func (l *Log) Clients() []Client {
	l.mu.Lock()
	defer l.mu.Unlock()

	out := make([]Client, 0, len(l.clients))
	for mac, c := range l.clients {
		out = append(out, c.tell(mac))
	}

	slices.SortFunc(out, func(a, b Client) int { return strings.Compare(a.MAC, b.MAC) })

	return out
}

// tell writes out what is known.
func (c *client) tell(mac dhcp.MAC) Client {
	out := Client{
		MAC: mac.String(), Address: c.address.String(),
		FirstSeen: time.Unix(0, c.first).UTC(), LastSeen: time.Unix(0, c.last).UTC(),
		Hostname: printable(c.hostname), VendorClass: printable(c.vendorClass),
		Options: dhcp.DescribeOptions(c.options),
	}

	if c.acked != 0 {
		acked := time.Unix(0, c.acked).UTC()
		out.LastAck = &acked

		if lease, ok := leaseTime(out.Options); ok {
			expires := acked.Add(lease)
			out.Expires = &expires
		}
	}

	for i := range c.count {
		e := c.ring[(c.next-1-i+2*exchanges)%exchanges]
		out.Exchanges = append(out.Exchanges, Exchange{
			At: time.Unix(0, e.at).UTC(), Request: name(e.request), Reply: reply(e.reason), Reason: e.reason.String(),
		})
	}

	return out
}

// leaseTime finds the lease time in a described DHCPACK; a lease for ever has
// none.
func leaseTime(options []dhcp.OptionText) (time.Duration, bool) {
	const code = 51

	for _, o := range options {
		if o.Code == code {
			lease, err := time.ParseDuration(o.Value)

			return lease, err == nil
		}
	}

	return 0, false
}

// name is the name of a message as RFC 2131 writes it; empty for one whose type
// was not read.
func name(kind dhcp.MessageType) string {
	if kind == 0 {
		return ""
	}

	return "DHCP" + kind.String()
}

// reply is the message that was answered; empty for none.
func reply(reason dhcp.Reason) string {
	switch reason.Outcome() {
	case dhcp.OutcomeOffer:
		return name(dhcp.Offer)
	case dhcp.OutcomeAck:
		return name(dhcp.Ack)
	case dhcp.OutcomeNak:
		return name(dhcp.Nak)
	case dhcp.OutcomeDropped, dhcp.OutcomeSilent, dhcp.OutcomeNoted:
	}

	return ""
}

// printable leaves of a text what can be shown anywhere.
func printable(text []byte) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}

		return r
	}, text))
}
