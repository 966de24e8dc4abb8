package ipam

import (
	"fmt"
	"net/netip"
)

// Problem is one thing that is wrong with a plan, in words for its author.
type Problem struct {
	// Field is the place in the pool's address configuration: "cidr", "serverIP",
	// "router", "pool.start", "pool.end" or "pool.exclude[2]".
	Field string
	// Value is what is written there, "" when nothing is.
	Value string
	// Detail says what is wrong.
	Detail string
	// Remedy says what to write instead.
	Remedy string
}

// String writes the problem as one sentence.
func (p Problem) String() string {
	s := p.Field
	if p.Value != "" {
		s += " " + p.Value
	}
	s += ": " + p.Detail
	if p.Remedy != "" {
		s += "; " + p.Remedy
	}
	return s
}

// Validate returns everything that is wrong with p, in the order of the fields,
// and nothing when p can be used. A server, router or end of the range that is
// unset is no problem; Complete fills all but the router. A pool whose range is
// wholly reserved or excluded is no problem either: it hands out nothing, which
// is what draining a pool looks like.
func (p Plan) Validate() []Problem {
	v := &validation{plan: p}
	v.checkPrefix()
	v.checkHost("serverIP", p.Server)
	v.checkHost("router", p.Router)
	if p.Server.IsValid() && p.Router.IsValid() && canonical(p.Server) == canonical(p.Router) {
		v.add("serverIP", p.Server.String(), "is also the address of the router",
			"give the DHCP server an address of its own")
	}
	v.checkHost("pool.start", p.Range.First)
	v.checkHost("pool.end", p.Range.Last)
	v.checkOrder("pool.start", p.Range)
	for i, r := range p.Excluded {
		v.checkExcluded(fmt.Sprintf("pool.exclude[%d]", i), r)
	}
	return v.problems
}

type validation struct {
	plan     Plan
	problems []Problem
}

func (v *validation) add(field, value, detail, remedy string) {
	v.problems = append(v.problems, Problem{Field: field, Value: value, Detail: detail, Remedy: remedy})
}

func (v *validation) checkPrefix() {
	p := v.plan.Prefix
	switch {
	case !p.IsValid():
		v.add("cidr", "", "no network is given", "write the network of the pool, such as 192.168.48.0/24")
		return
	case p.Addr().Is4In6():
		v.add("cidr", p.String(), "is an IPv4 network in IPv6 notation", "write it as IPv4")
	case p.Masked() != p:
		v.add("cidr", p.String(), "has host bits set, so it names an address and not a network", "write "+p.Masked().String())
	}
	if !v.plan.hasUsable() {
		v.add("cidr", p.String(), "has no address for a host beside its network and broadcast address",
			fmt.Sprintf("use a network of /%d or larger", p.Addr().BitLen()-2))
	}
	for _, s := range unusableNetworks() {
		if s.prefix.Overlaps(p.Masked()) {
			v.add("cidr", p.String(), "contains "+s.name+" addresses ("+s.prefix.String()+"), which no host may have",
				"use a network of private addresses, such as 192.168.48.0/24")
		}
	}
}

type unusableNetwork struct {
	prefix netip.Prefix
	name   string
}

// unusableNetworks lists what RFC 6890 and RFC 4291 forbid as the address of a
// host on a shared network.
func unusableNetworks() []unusableNetwork {
	return []unusableNetwork{
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{0}), 8), "unspecified"},
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8), "loopback"},
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4), "multicast"},
		{netip.PrefixFrom(netip.AddrFrom16([16]byte{}), 127), "unspecified and loopback"},
		{netip.PrefixFrom(netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff}), 96), "IPv4-mapped"},
		{netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8), "multicast"},
	}
}

// checkAddr reports what is wrong with a on its own and against the prefix, and
// tells whether it is an address of the prefix.
func (v *validation) checkAddr(field string, a netip.Addr) bool {
	if a.Zone() != "" {
		v.add(field, a.String(), "has a zone, which means nothing outside one machine", "write "+a.WithZone("").String())
		return false
	}
	prefix := v.plan.Prefix
	if !prefix.IsValid() {
		return false
	}
	if family(a) != family(prefix.Addr()) {
		v.add(field, a.String(), fmt.Sprintf("is %s while the network %s is %s", family(a), prefix, family(prefix.Addr())),
			"write an address of "+prefix.Masked().String())
		return false
	}
	if !RangeOf(prefix).Contains(a) {
		v.add(field, a.String(), "is not in the network "+prefix.Masked().String(), "write an address of "+prefix.Masked().String())
		return false
	}
	return true
}

// checkHost reports what is wrong with the address of a host; unset is fine.
func (v *validation) checkHost(field string, a netip.Addr) {
	if !a.IsValid() || !v.checkAddr(field, a) {
		return
	}
	remedy := "write an address from " + v.plan.Usable().String()
	switch canonical(a) {
	case v.plan.Network():
		v.add(field, a.String(), "is the network address of "+v.plan.Prefix.Masked().String(), remedy)
	case v.plan.Broadcast():
		v.add(field, a.String(), "is the broadcast address of "+v.plan.Prefix.Masked().String(), remedy)
	}
}

// checkOrder reports a range of two families or back to front. An end that is
// not in the network has been reported, and its order then tells nothing.
func (v *validation) checkOrder(field string, r Range) {
	if !r.First.IsValid() || !r.Last.IsValid() || r.IsValid() {
		return
	}
	network := RangeOf(v.plan.Prefix)
	if network.IsValid() && (!network.Contains(r.First) || !network.Contains(r.Last)) {
		return
	}
	if family(r.First) != family(r.Last) {
		v.add(field, r.String(), "mixes IPv4 and IPv6", "write two addresses of one family")
		return
	}
	v.add(field, r.First.String(), "comes after the end of the range, "+r.Last.String(),
		"swap the two, or write the same address twice for a range of one")
}

func (v *validation) checkExcluded(field string, r Range) {
	if !r.First.IsValid() || !r.Last.IsValid() {
		v.add(field, r.String(), "is not an address or range", "write one address, first-last, or a CIDR")
		return
	}
	if v.checkAddr(field, r.First) && canonical(r.First) != canonical(r.Last) {
		v.checkAddr(field, r.Last)
	}
	v.checkOrder(field, r)
}
