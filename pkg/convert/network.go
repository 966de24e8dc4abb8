package convert

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// Limits of the DHCP options of a pool. The counts are those of
// vm-dhcp-controller, which pools that are carried over keep to.
const (
	maxDNS    = 3
	maxNTP    = 4
	maxSearch = 16
	maxRoutes = 64

	// minLeaseTime is the shortest lease time that is accepted, in seconds. Guests
	// renew at half of it, so a minute means that every guest of the pool sends a
	// packet every 30 seconds, and that a guest loses its address when the agents
	// are away for as little as that. Shorter leases buy nothing: an address is
	// freed by the end of its owner, never by the end of a lease.
	minLeaseTime = 60
	// maxLeaseTime is a year, in seconds.
	maxLeaseTime = 365 * 24 * 60 * 60

	// minMTU is what every IPv4 host must be able to receive (RFC 791, 3.1).
	minMTU = 576
	maxMTU = 65535
)

// PoolNetwork returns what the wire needs to know of a pool. Host names of time
// servers are looked up with resolve, which must not be on the path of packets;
// IPv6 addresses it returns are left out, and with a nil resolve so are all names.
//
// The errors name everything that is wrong. When they concern the address plan
// the Network is zero and cannot be served. When they concern only options the
// Network holds the rest of them and can be served: one mistyped name server
// must not take the network down. A lease time below the accepted minimum is an
// error and still served, so that pools from before the rule keep theirs. A time
// server whose name resolves to nothing is an error of type NotFound.
func PoolNetwork(spec *v1alpha1.IPPoolSpec, resolve func(host string) []netip.Addr) (dhcp.Network, field.ErrorList) {
	plan, errs := PoolPlan(spec)
	o := readOptions(&spec.IPv4Config, plan.Prefix)
	errs = append(errs, o.errs...)
	if !plan.Prefix.IsValid() {
		return dhcp.Network{}, errs
	}
	n := dhcp.Network{
		Server:       plan.Server,
		Prefix:       plan.Prefix,
		Router:       plan.Router,
		DNS:          o.dns,
		DomainName:   o.domain,
		DomainSearch: o.search,
		LeaseTime:    o.leaseTime,
		MTU:          o.mtu,
		Routes:       o.routes,
	}
	for _, server := range o.ntp {
		found := []netip.Addr{server.addr}
		if server.host != "" {
			found = lookUp(server.host, resolve)
			if len(found) == 0 && resolve != nil {
				notFound := field.NotFound(server.path, server.host)
				notFound.Detail = "the name has no IPv4 address at present; write an address or correct the name"
				errs = append(errs, notFound)
			}
		}
		for _, a := range found {
			if !slices.Contains(n.NTP, a) {
				n.NTP = append(n.NTP, a)
			}
		}
	}
	return n, errs
}

// lookUp returns the IPv4 addresses of host in ascending order, because name
// servers rotate their answers and an unchanged world must stay unchanged.
func lookUp(host string, resolve func(string) []netip.Addr) []netip.Addr {
	if resolve == nil {
		return nil
	}
	var found []netip.Addr
	for _, a := range resolve(host) {
		if a = a.Unmap(); a.Is4() && hostAddressError(a) == nil {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found)
}

// options is what could be read of a pool's DHCP options.
type options struct {
	dns       []netip.Addr
	domain    string
	search    []string
	ntp       []timeServer
	leaseTime time.Duration
	mtu       uint16
	routes    []dhcp.Route
	errs      field.ErrorList
}

// timeServer is an address, or a host name that has yet to be looked up.
type timeServer struct {
	path *field.Path
	addr netip.Addr
	host string
}

// readOptions reads the options of a pool. An invalid prefix leaves out the rules
// that need one.
func readOptions(c *v1alpha1.IPv4Config, prefix netip.Prefix) *options {
	o := &options{}
	path := configPath()
	o.readDNS(path.Child("dns"), c.DNS)
	if c.DomainName != nil && *c.DomainName != "" {
		name, err := domainName(*c.DomainName)
		o.check(path.Child("domainName"), *c.DomainName, err)
		o.domain = name
	}
	o.readSearch(path.Child("domainSearch"), c.DomainSearch)
	o.readNTP(path.Child("ntp"), c.NTP)
	o.readLeaseTime(path.Child("leaseTime"), c.LeaseTime)
	if c.MTU != nil {
		if *c.MTU < minMTU || *c.MTU > maxMTU {
			o.check(path.Child("mtu"), *c.MTU, fmt.Errorf(
				"must be from %d to %d bytes; write the MTU of the network, such as 1500, or leave it out", minMTU, maxMTU))
		} else {
			o.mtu = uint16(*c.MTU)
		}
	}
	o.readRoutes(path.Child("routes"), c.Routes, prefix)
	return o
}

// check records err, if there is one, and tells whether there is none.
func (o *options) check(path *field.Path, value any, err error) bool {
	if err != nil {
		o.errs = append(o.errs, field.Invalid(path, value, err.Error()))
	}
	return err == nil
}

func (o *options) checkCount(path *field.Path, count, most int) {
	if count > most {
		err := field.TooMany(path, count, most)
		err.Detail += "; remove the ones behind them"
		o.errs = append(o.errs, err)
	}
}

func (o *options) readDNS(path *field.Path, servers []string) {
	o.checkCount(path, len(servers), maxDNS)
	for i, s := range servers {
		a, err := IPv4(s)
		if err == nil {
			err = hostAddressError(a)
		}
		if o.check(path.Index(i), s, err) {
			o.dns = append(o.dns, a)
		}
	}
}

func (o *options) readSearch(path *field.Path, names []string) {
	o.checkCount(path, len(names), maxSearch)
	for i, s := range names {
		name, err := domainName(s)
		if o.check(path.Index(i), s, err) {
			o.search = append(o.search, name)
		}
	}
}

func (o *options) readNTP(path *field.Path, servers []string) {
	o.checkCount(path, len(servers), maxNTP)
	for i, s := range servers {
		server := timeServer{path: path.Index(i)}
		a, err := Address(s)
		switch {
		case err == nil && !a.Is4():
			_, err = IPv4(s)
		case err == nil:
			server.addr = a
			err = hostAddressError(a)
		default:
			if server.host, err = domainName(s); err != nil {
				err = fmt.Errorf("is neither an IPv4 address nor a host name: it %w", err)
			}
		}
		if o.check(server.path, s, err) {
			o.ntp = append(o.ntp, server)
		}
	}
}

func (o *options) readLeaseTime(path *field.Path, seconds *int) {
	if seconds == nil || *seconds == 0 {
		return
	}
	switch s := *seconds; {
	case s < 0:
		o.check(path, s, fmt.Errorf("is negative; write seconds from %d to %d, or 0 for the default of a day", minLeaseTime, maxLeaseTime))
		return
	case s < minLeaseTime:
		o.check(path, s, fmt.Errorf("is so short that guests lose their addresses while the agents are away for a moment; "+
			"write %d seconds or more, or 0 for the default of a day", minLeaseTime))
	case s > maxLeaseTime:
		o.check(path, s, fmt.Errorf("is more than a year; write %d seconds or less, or 0 for the default of a day", maxLeaseTime))
	}
	o.leaseTime = time.Duration(min(*seconds, maxLeaseTime)) * time.Second
}

func (o *options) readRoutes(path *field.Path, routes []v1alpha1.Route, prefix netip.Prefix) {
	o.checkCount(path, len(routes), maxRoutes)
	seen := map[netip.Prefix]bool{}
	for i, r := range routes {
		at := path.Index(i)
		to, err := IPv4Prefix(r.Destination)
		if err == nil && to.Masked() != to {
			err = fmt.Errorf("has host bits set; write %s", to.Masked())
		}
		sound := o.check(at.Child("destination"), r.Destination, err)
		if sound && seen[to] {
			duplicate := field.Duplicate(at.Child("destination"), r.Destination)
			duplicate.Detail = "a route to it comes earlier in the list; remove one of the two"
			o.errs = append(o.errs, duplicate)
			sound = false
		}
		via, err := IPv4(r.Gateway)
		if err == nil {
			err = gatewayError(via, prefix)
		}
		if !o.check(at.Child("gateway"), r.Gateway, err) || !sound {
			continue
		}
		seen[to] = true
		if via.IsUnspecified() {
			via = netip.Addr{} // on the link
		}
		o.routes = append(o.routes, dhcp.Route{Destination: to, Gateway: via})
	}
}

// gatewayError says why guests of the network cannot use a as their next hop,
// which must be on their own link (RFC 3442).
func gatewayError(a netip.Addr, prefix netip.Prefix) error {
	if a.IsUnspecified() || !prefix.IsValid() {
		return nil
	}
	plan := ipam.Plan{Prefix: prefix}
	if !plan.Usable().Contains(a) {
		return fmt.Errorf("is not the address of a host on the pool's network; "+
			"write one from %s, or 0.0.0.0 for a destination on the link itself", plan.Usable())
	}
	return nil
}

// hostAddressError says why a can be no server's address.
func hostAddressError(a netip.Addr) error {
	switch {
	case a.IsUnspecified():
		return errors.New("is the unspecified address; write the address of the server")
	case a.IsLoopback():
		return errors.New("is a loopback address, which is the guest itself; write the address of the server")
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return errors.New("is the address of a group; write the address of the server")
	default:
		return nil
	}
}
