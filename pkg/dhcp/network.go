package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// DefaultLeaseTime is what a pool that names no lease time gives. It is a day:
// an address that an administrator moves is taken over by a running guest only
// when its lease is renewed, and measured clients are slow enough at that, so
// a longer lease only delays; a shorter one buys nothing, because an address
// is never taken back for want of renewal.
const DefaultLeaseTime = 24 * time.Hour

// MinLeaseTime is the shortest lease that leaves room for 0 < T1 < T2 < lease
// in whole seconds. A pool that asks for less is served this.
const MinLeaseTime = 4 * time.Second

// Network is what the wire needs to know of a pool. Zero fields are simply not
// sent. All addresses are IPv4.
type Network struct {
	// Server is the server identifier and the source address of every reply.
	// All replicas that answer for a pool must have the same one, because
	// clients ignore a NAK from a server they have not chosen.
	Server netip.Addr `json:"server"`
	// Prefix is the subnet. Required.
	Prefix netip.Prefix `json:"prefix"`
	// Router is the default gateway.
	Router netip.Addr `json:"router,omitzero"`
	// DNS lists name servers in order of preference.
	DNS []netip.Addr `json:"dns,omitempty"`
	// DomainName is sent as option 15.
	DomainName string `json:"domainName,omitempty"`
	// DomainSearch is sent as option 119.
	DomainSearch []string `json:"domainSearch,omitempty"`
	// NTP lists time servers. Host names are resolved by whoever builds the
	// Network, never here.
	NTP []netip.Addr `json:"ntp,omitempty"`
	// LeaseTime is whole seconds; zero means DefaultLeaseTime, more than the
	// wire can carry means "for ever".
	LeaseTime time.Duration `json:"leaseTime,omitempty"`
	// MTU is the guests' link MTU, sent as option 26.
	MTU uint16 `json:"mtu,omitempty"`
	// Routes are sent as option 121, with the default route added from
	// Router.
	Routes []Route `json:"routes,omitempty"`
	// NextServer is the boot server (siaddr); BootFile the file it serves.
	NextServer netip.Addr `json:"nextServer,omitzero"`
	// BootFile goes into the file field and, when asked for, option 67.
	BootFile string `json:"bootFile,omitempty"`
	// Custom holds further options by code, encoded as they go on the wire.
	// Codes that have a field of their own, or that the protocol itself sets,
	// are refused.
	Custom []Option `json:"custom,omitempty"`
}

// Route is one classless static route. A zero Gateway means "on the link".
type Route struct {
	Destination netip.Prefix `json:"destination"`
	Gateway     netip.Addr   `json:"gateway,omitzero"`
}

// Option is one option of a reply, already encoded.
type Option struct {
	// Code is the option's number, 1 to 254.
	Code uint8 `json:"code"`
	// Value is the option's payload. Longer than 255 bytes is split as RFC
	// 3396 says.
	Value []byte `json:"value"`
	// Always sends the option to clients that did not ask for it.
	Always bool `json:"always,omitempty"`
}

// clone returns a copy that shares nothing with n.
func (n Network) clone() Network {
	n.DNS = slices.Clone(n.DNS)
	n.DomainSearch = slices.Clone(n.DomainSearch)
	n.NTP = slices.Clone(n.NTP)
	n.Routes = slices.Clone(n.Routes)
	n.Custom = slices.Clone(n.Custom)
	for i := range n.Custom {
		n.Custom[i].Value = slices.Clone(n.Custom[i].Value)
	}
	return n
}

// LeaseSeconds returns the lease time as the wire carries it: whole seconds,
// 0xffffffff for ever.
func (n Network) LeaseSeconds() uint32 {
	const forever = 0xffffffff
	d := n.LeaseTime
	if d <= 0 {
		d = DefaultLeaseTime
	}
	d = max(d, MinLeaseTime)
	if d/time.Second >= forever {
		return forever
	}
	return uint32(d / time.Second) // bounded above
}

// check refuses a network that cannot be served at all. Lesser faults only
// cost the option they are in; see Snapshot.Problems.
func (n Network) check() error {
	switch {
	case !n.Prefix.IsValid() || !n.Prefix.Addr().Is4():
		return fmt.Errorf("network prefix %q is not an IPv4 prefix: give the subnet as address/length", n.Prefix)
	case !n.Server.IsValid() || !n.Server.Is4():
		return fmt.Errorf("server address %q is not an IPv4 address: give one inside %s", n.Server, n.Prefix.Masked())
	case !n.Prefix.Contains(n.Server):
		return fmt.Errorf("server address %s is outside %s: give one inside it", n.Server, n.Prefix.Masked())
	case !n.hostAddress(n.Server):
		return fmt.Errorf("server address %s is the network or broadcast address of %s: give a host address", n.Server, n.Prefix.Masked())
	}
	return nil
}

// hostAddress reports whether a host of the subnet may have the address a.
func (n Network) hostAddress(a netip.Addr) bool {
	if !a.Is4() || !n.Prefix.Contains(a) {
		return false
	}
	if n.Prefix.Bits() >= 31 { // RFC 3021: no network or broadcast address
		return true
	}
	return a != n.Prefix.Masked().Addr() && a != broadcastAddress(n.Prefix)
}

// broadcastAddress returns the last address of an IPv4 prefix.
func broadcastAddress(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

// unicast reports whether a can be the address of one host somewhere, so that
// a reply may be sent to it.
func unicast(a netip.Addr) bool {
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// Why an entry, or a part of one, is not served.
var (
	errNoMAC    = errors.New("the MAC address is zero or a group address: give the NIC's own")
	errNotHost  = errors.New("the address is not a host address of the subnet: choose one inside it")
	errServer   = errors.New("the address is the DHCP server's own: choose another")
	errRouter   = errors.New("the address is the router's: choose another")
	errDupMAC   = errors.New("the MAC address already has an address in this pool: remove one of the two leases")
	errDupAddr  = errors.New("the address is already bound to another MAC address: remove one of the two leases")
	errHostname = errors.New("the host name is not valid (RFC 1123) and is not sent: use letters, digits, hyphens and dots")
)
