package observation

import (
	"time"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Path is where an agent serves its Report. With the query parameter mac, which
// may be repeated up to MaxMACs times, it tells of these clients only, and with
// DeclinedOnly of no client.
const (
	Path         = "/observations"
	DeclinedOnly = "declined-only"
)

// MaxMACs is how many clients can be asked for by name at once.
const MaxMACs = 1000

// Report is what one agent has seen.
type Report struct {
	// Since is when the agent's process began: it knows of nothing before.
	Since time.Time `json:"since"`
	// Clients are those that were heard of, in the order of MAC addresses.
	Clients []Client `json:"clients"`
	// Declined are the addresses that a guest declined lately, because another
	// station seems to use them; they are not offered for a while.
	Declined []string `json:"declined,omitempty"`
}

// Client is what one agent has seen of one client.
type Client struct {
	// MAC is the client, lower case with colons; Address is its binding.
	MAC     string `json:"mac"`
	Address string `json:"address"`
	// FirstSeen and LastSeen are of messages to this agent, in its time.
	FirstSeen time.Time `json:"firstSeen"`
	LastSeen  time.Time `json:"lastSeen"`
	// LastAck is when this agent granted the lease last, and Expires when it
	// ends if it is not renewed; both absent when this agent never did, Expires
	// also for a lease without end.
	LastAck *time.Time `json:"lastAck,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	// Hostname and VendorClass are what the client says of itself (options 12
	// and 60), without what cannot be printed. Nobody has checked them.
	Hostname    string `json:"hostname,omitempty"`
	VendorClass string `json:"vendorClass,omitempty"`
	// Options are those of the last DHCPACK.
	Options []dhcp.OptionText `json:"options,omitempty"`
	// Exchanges are the last messages, newest first.
	Exchanges []Exchange `json:"exchanges"`
}

// Exchange is one message of a client and what it was answered.
type Exchange struct {
	At time.Time `json:"at"`
	// Request and Reply are names such as DHCPDISCOVER; Reply is empty when
	// nothing was answered, Request when the message could not be read.
	Request string `json:"request,omitempty"`
	Reply   string `json:"reply,omitempty"`
	// Reason is why, in the words of the metric freehold_agent_packets_total.
	Reason string `json:"reason"`
}
