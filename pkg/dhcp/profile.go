package dhcp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// profile holds what replies of one network have in common, encoded once.
type profile struct {
	values  [256][]byte // option payloads by code; nil is absent
	forced  []byte      // codes sent to clients that did not ask
	unasked []byte      // codes sent to clients without a request list
	lease   uint32
	siaddr  [4]byte
	file    string
}

// defaultList is what a client that sends no request list gets, next to
// whatever custom options the pool has.
func defaultList() []byte {
	return []byte{
		optSubnetMask, optRouter, optDNS, optHostname, optDomainName, optMTU, optBroadcast, optNTP,
		optDomainSearch, optClasslessRoutes,
	}
}

// newProfile encodes the network's options. Faults go to refuse and cost only
// the option they are in.
func newProfile(n *Network, refuse func(string, error)) profile {
	p := profile{lease: n.LeaseSeconds()}
	p.values[optSubnetMask] = maskOf(n.Prefix)
	if n.Prefix.Bits() < 31 {
		b := broadcastAddress(n.Prefix).As4()
		p.values[optBroadcast] = b[:]
	}
	if n.Router.IsValid() {
		p.values[optRouter] = encodeAddrs("router", []netip.Addr{n.Router}, refuse)
	}
	p.values[optDNS] = encodeAddrs("dns", n.DNS, refuse)
	p.values[optNTP] = encodeAddrs("ntp", n.NTP, refuse)
	p.values[optDomainName] = encodeDomain(n.DomainName, refuse)
	p.values[optDomainSearch] = encodeSearch(n.DomainSearch, refuse)
	if n.MTU != 0 {
		if n.MTU < 68 { // RFC 2132 5.1
			refuse("mtu", fmt.Errorf("%d is less than 68: give the guests' link MTU", n.MTU))
		} else {
			p.values[optMTU] = binary.BigEndian.AppendUint16(nil, n.MTU)
		}
	}
	p.values[optClasslessRoutes] = encodeRoutes(n, refuse)
	p.values[optClasslessRoutesM] = p.values[optClasslessRoutes]
	p.boot(n, refuse)
	p.unasked = defaultList()
	for i, o := range n.Custom {
		if err := p.custom(o); err != nil {
			refuse(fmt.Sprintf("custom[%d]", i), err)
		}
	}
	return p
}

// boot sets the boot server and file.
func (p *profile) boot(n *Network, refuse func(string, error)) {
	if n.NextServer.IsValid() {
		if next := n.NextServer.Unmap(); next.Is4() {
			p.siaddr = next.As4()
			p.values[optTFTPServer] = append([]byte(next.String()), 0)
		} else {
			refuse("nextServer", fmt.Errorf("%s is not an IPv4 address", n.NextServer))
		}
	}
	switch {
	case n.BootFile == "":
	case len(n.BootFile) >= fileLen:
		refuse("bootFile", fmt.Errorf("%d bytes do not fit: at most %d", len(n.BootFile), fileLen-1))
	case strings.ContainsFunc(n.BootFile, func(r rune) bool { return r < ' ' || r == 0x7f }):
		refuse("bootFile", errors.New("control characters are not allowed"))
	default:
		p.file = n.BootFile
		// Some boot ROMs need the final NUL.
		p.values[optBootFile] = append([]byte(n.BootFile), 0)
	}
}

// custom adds one option of the pool's own.
func (p *profile) custom(o Option) error {
	switch o.Code {
	case optPad, optEnd:
		return fmt.Errorf("code %d is not an option", o.Code)
	case optRequestedAddress, optLeaseTime, optOverload, optMessageType, optServerID, optRequestList, optMessage,
		optMaxSize, optT1, optT2, optClientID, optRelayInfo, optSubnetSelection:
		return fmt.Errorf("option %d belongs to the protocol and cannot be set", o.Code)
	case optSubnetMask, optRouter, optDNS, optHostname, optDomainName, optMTU, optBroadcast, optNTP,
		optDomainSearch, optClasslessRoutes, optClasslessRoutesM:
		return fmt.Errorf("option %d has a field of its own: use that", o.Code)
	}
	if len(o.Value) == 0 && o.Code != 80 { // RFC 4039's is the only one of length 0
		return fmt.Errorf("option %d has no value", o.Code)
	}
	if slices.Contains(p.unasked, o.Code) {
		return fmt.Errorf("option %d is given twice", o.Code)
	}
	p.values[o.Code] = slices.Clone(o.Value)
	p.unasked = append(p.unasked, o.Code)
	if o.Always {
		p.forced = append(p.forced, o.Code)
	}
	return nil
}

func maskOf(p netip.Prefix) []byte {
	return binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
}

// encodeAddrs concatenates IPv4 addresses; nil if there are none.
func encodeAddrs(field string, addrs []netip.Addr, refuse func(string, error)) []byte {
	var out []byte
	for i, a := range addrs {
		if a = a.Unmap(); !a.Is4() || a.IsUnspecified() {
			refuse(fmt.Sprintf("%s[%d]", field, i), fmt.Errorf("%q is not an IPv4 address of a host", a))
			continue
		}
		b := a.As4()
		out = append(out, b[:]...)
	}
	return out
}

func encodeDomain(name string, refuse func(string, error)) []byte {
	if name == "" {
		return nil
	}
	if !validName(name) {
		refuse("domainName", fmt.Errorf("%q is not a domain name (RFC 1123)", name))
		return nil
	}
	return []byte(name)
}

func encodeSearch(names []string, refuse func(string, error)) []byte {
	var out []byte
	for i, name := range names {
		if !validName(name) {
			refuse(fmt.Sprintf("domainSearch[%d]", i), fmt.Errorf("%q is not a domain name (RFC 1123)", name))
			continue
		}
		out = appendDNSName(out, name)
	}
	return out
}

// encodeRoutes encodes option 121. A client that understands it ignores option
// 3 (RFC 3442), so the default route is added, last: clients install routes in
// the order they come, and the gateway of an earlier one may need none.
func encodeRoutes(n *Network, refuse func(string, error)) []byte {
	var out []byte
	hasDefault := false
	for i, r := range n.Routes {
		gateway := r.Gateway
		if !gateway.IsValid() {
			gateway = netip.IPv4Unspecified()
		}
		if !r.Destination.IsValid() || !r.Destination.Addr().Is4() || !gateway.Is4() {
			refuse(fmt.Sprintf("routes[%d]", i), fmt.Errorf("%s via %s is not an IPv4 route", r.Destination, r.Gateway))
			continue
		}
		if r.Destination.Bits() == 0 {
			hasDefault = true
		}
		out = appendRoute(out, r.Destination, gateway)
	}
	if out != nil && !hasDefault && n.Router.Is4() {
		out = appendRoute(out, netip.PrefixFrom(netip.IPv4Unspecified(), 0), n.Router)
	}
	return out
}

func appendRoute(dst []byte, to netip.Prefix, gateway netip.Addr) []byte {
	network, via := to.Masked().Addr().As4(), gateway.As4()
	dst = append(dst, byte(to.Bits())) // 0 to 32
	dst = append(dst, network[:(to.Bits()+7)/8]...)
	return append(dst, via[:]...)
}
