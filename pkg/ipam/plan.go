package ipam

import "net/netip"

// Plan is the address plan of one pool. Server and Router may be unset; so may
// each end of Range until Complete has filled them. A Plan is a value: no method
// changes it or the slice it refers to.
type Plan struct {
	// Prefix is the network the pool lives in.
	Prefix netip.Prefix
	// Server is the address the DHCP server answers from. It is never handed out.
	Server netip.Addr
	// Router is the default gateway. It is never handed out.
	Router netip.Addr
	// Range is what the pool hands out, less Server, Router and Excluded.
	Range Range
	// Excluded is never handed out. Entries may overlap each other, the server,
	// the router and the ends of the range.
	Excluded []Range
}

// Role is the part an address plays in a Plan, regardless of who holds it.
type Role string

// The roles, in the order in which Role prefers them when several apply.
const (
	// RoleServer is the address of the DHCP server.
	RoleServer Role = "server"
	// RoleRouter is the default gateway.
	RoleRouter Role = "router"
	// RoleOutside is an address that is not in the prefix.
	RoleOutside Role = "outside"
	// RoleNetwork is the first address of the prefix: the network address of
	// IPv4, the subnet-router anycast address of IPv6 (RFC 4291, section 2.6.1).
	RoleNetwork Role = "network"
	// RoleBroadcast is the last address of an IPv4 prefix.
	RoleBroadcast Role = "broadcast"
	// RoleOutOfRange is an address of the prefix that is not in the range.
	RoleOutOfRange Role = "outOfRange"
	// RoleExcluded is an address of the range that is excluded.
	RoleExcluded Role = "excluded"
	// RoleFree is an address the plan allows to hand out.
	RoleFree Role = "free"
)

// Role returns the part a plays in p. An invalid address is RoleOutside.
func (p Plan) Role(a netip.Addr) Role {
	if !a.IsValid() {
		return RoleOutside
	}
	a = canonical(a)
	switch {
	case p.Server.IsValid() && a == canonical(p.Server):
		return RoleServer
	case p.Router.IsValid() && a == canonical(p.Router):
		return RoleRouter
	case !RangeOf(p.Prefix).Contains(a):
		return RoleOutside
	case a == p.Network():
		return RoleNetwork
	case a == p.Broadcast():
		return RoleBroadcast
	case !p.span().Contains(a):
		return RoleOutOfRange
	}
	if _, ok := p.exclusion(a); ok {
		return RoleExcluded
	}
	return RoleFree
}

// Network returns the first address of the prefix, which no host may have, or
// the invalid address when the prefix is too small to have one (IPv4 /31 and
// /32, RFC 3021; IPv6 /127 and /128, RFC 6164).
func (p Plan) Network() netip.Addr {
	if !p.hasUsable() {
		return netip.Addr{}
	}
	return RangeOf(p.Prefix).First
}

// Broadcast returns the last address of an IPv4 prefix, or the invalid address
// when the prefix is IPv6, which has no broadcast, or too small to have one.
func (p Plan) Broadcast() netip.Addr {
	if !p.hasUsable() || !p.Prefix.Addr().Unmap().Is4() {
		return netip.Addr{}
	}
	return RangeOf(p.Prefix).Last
}

// Usable returns the addresses of the prefix a host may have: all but the
// network and the broadcast address. It is the zero Range when there are none.
func (p Plan) Usable() Range {
	if !p.hasUsable() {
		return Range{}
	}
	r := RangeOf(p.Prefix)
	r.First = r.First.Next()
	if p.Broadcast().IsValid() {
		r.Last = r.Last.Prev()
	}
	return r
}

func (p Plan) hasUsable() bool {
	return p.Prefix.IsValid() && p.Prefix.Addr().BitLen()-p.Prefix.Bits() >= 2
}

// span is the range the pool really hands out from. It equals Range for every
// plan that Validate accepts, and keeps network and broadcast out for the rest.
func (p Plan) span() Range { return p.Range.intersect(p.Usable()) }

// exclusion returns the first entry of Excluded that contains a.
func (p Plan) exclusion(a netip.Addr) (Range, bool) {
	for _, r := range p.Excluded {
		if r.Contains(a) {
			return r, true
		}
	}
	return Range{}, false
}

// reserved returns Server and Router as ranges, as far as they are set.
func (p Plan) reserved() []Range {
	var rs []Range
	for _, a := range []netip.Addr{p.Server, p.Router} {
		if a.IsValid() {
			rs = append(rs, Range{First: a, Last: a})
		}
	}
	return rs
}

// blocked returns everything the plan never hands out, disjoint and ascending.
func (p Plan) blocked() []Range {
	rs := make([]Range, 0, len(p.Excluded)+2)
	rs = append(rs, p.Excluded...)
	return merge(append(rs, p.reserved()...))
}
