package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// makeSwitches makes, on this machine, the nodes' network and one switch per
// cluster network.
func (c *Cluster) makeSwitches() error {
	under, err := vlan.EnsureBridge(underlayBridge, vlan.MTU, false)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(machineIP(), underlayBits))}
	if err := netlink.AddrReplace(under, addr); err != nil {
		return fmt.Errorf("give %s to %s: %w", addr.IPNet, underlayBridge, err)
	}
	// Services and pods can be reached from this machine, too: the control
	// plane's kube-proxy translates for it.
	routes := map[netip.Prefix]netip.Addr{netip.MustParsePrefix(serviceCIDR): controlPlaneIP()}
	for _, n := range c.nodes {
		routes[nodePods(n.index)] = nodeIP(n.index)
	}
	for dst, via := range routes {
		route := &netlink.Route{LinkIndex: under.Attrs().Index, Dst: ipNet(dst), Gw: net.IP(via.AsSlice())}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("route %s via %s: %w", dst, via, err)
		}
	}
	for i := range c.Options.ClusterNetworks {
		if _, err := vlan.EnsureBridge(switchBridge(i+1), vlan.MTU+vlan.Overhead, false); err != nil {
			return err
		}
	}
	return nil
}

// plug makes a cable: one end on this machine in the switch, the other, called
// inner, in the network namespace of pid. A cable of that name that a dead node
// left is replaced.
func plug(name, inner, bridge string, mtu, pid int) error {
	if old, err := netlink.LinkByName(name); err == nil {
		if err := netlink.LinkDel(old); err != nil {
			return fmt.Errorf("remove the old %s: %w", name, err)
		}
	}
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("switch %s: %w", bridge, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = name, mtu, master.Attrs().Index
	cable := &netlink.Veth{LinkAttrs: attrs, PeerName: inner, PeerMTU: uint32(mtu), PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(cable); err != nil {
		return fmt.Errorf("make the link %s to %s of process %d: %w", name, inner, pid, err)
	}
	return SetLink(name, true)
}

// SetLink raises or lowers an interface of this machine.
func SetLink(name string, raise bool) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	set := netlink.LinkSetDown
	if raise {
		set = netlink.LinkSetUp
	}
	if err := set(link); err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	return nil
}

// plugIn connects a node that waits for its links.
func (n *Node) plugIn(pid int) error {
	if err := plug(underlayLink(n.index), "eth0", underlayBridge, vlan.MTU, pid); err != nil {
		return err
	}
	for _, cn := range n.networks {
		err := plug(networkLink(cn.Index, n.index), uplinkName(cn.Name), switchBridge(cn.Index), vlan.MTU+vlan.Overhead, pid)
		if err != nil {
			return err
		}
	}
	return nil
}

// controlPlaneLink is the control plane's cable.
const controlPlaneLink = linkPrefix + "cp"

// ourLinks returns the interfaces of this machine that the lab made.
func ourLinks() ([]netlink.Link, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var ours []netlink.Link
	for _, l := range all {
		if strings.HasPrefix(l.Attrs().Name, linkPrefix) {
			ours = append(ours, l)
		}
	}
	return ours, nil
}

// removeLinks removes them; the far ends and the routes go with them.
func removeLinks() error {
	links, err := ourLinks()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		var gone netlink.LinkNotFoundError
		if err := netlink.LinkDel(l); err != nil && !errors.As(err, &gone) {
			if _, still := netlink.LinkByName(l.Attrs().Name); still == nil {
				errs = append(errs, fmt.Errorf("remove link %s: %w", l.Attrs().Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
