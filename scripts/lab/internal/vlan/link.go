package vlan

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Detect says which mode this kernel allows. It makes a bridge of the name
// given for a moment.
func Detect(probe string) (Mode, error) {
	br := &netlink.Bridge{LinkAttrs: attrs(probe)}
	if err := netlink.LinkAdd(br); err != nil {
		return "", fmt.Errorf("make the bridge %s to see what the kernel can do: %w", probe, err)
	}
	// The attribute is only there where the kernel was built with the feature.
	_, statErr := os.Stat(filepath.Join("/sys/class/net", probe, "bridge", "vlan_filtering"))
	if err := netlink.LinkDel(br); err != nil {
		return "", fmt.Errorf("remove the bridge %s: %w", probe, err)
	}
	if statErr == nil {
		return Filtering, nil
	}
	return Overlay, nil
}

func attrs(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

// EnsureBridge makes sure that a bridge is there and up, and returns it. It
// neither learns of multicast groups nor waits before it forwards.
func EnsureBridge(name string, mtu int, filtering bool) (netlink.Link, error) {
	off := false
	br := &netlink.Bridge{LinkAttrs: attrs(name), MulticastSnooping: &off}
	if filtering {
		on := true
		br.VlanFiltering = &on
	}
	if err := netlink.LinkAdd(br); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make bridge %s: %w", name, err)
	}
	link, err := up(name)
	if err != nil {
		return nil, err
	}
	// Only an MTU that changes after birth holds; any other gives way to that
	// of the smallest port, and the overlay's frames no longer fit.
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return nil, fmt.Errorf("set the MTU of %s to %d: %w", name, mtu, err)
	}
	return link, nil
}

func up(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("raise %s: %w", name, err)
	}
	return link, nil
}

// Ensure makes sure, in the current network namespace, that the VLAN id of the
// cluster network whose bridge is given can be attached to, and returns the
// bridge to attach to. It may be called by several processes at once.
func Ensure(c Config, bridge string, id int) (string, error) {
	n, ok := c.Networks[bridge]
	if !ok {
		return "", fmt.Errorf("bridge %s: node %s does not carry this cluster network; schedule by the node label network.harvesterhci.io/<cluster network>=true", bridge, c.Node)
	}
	if id == 0 || c.Mode == Filtering {
		return bridge, nil
	}
	p, err := PlanFor(n, id)
	if err != nil {
		return "", err
	}
	if err := p.Make(); err != nil {
		return "", fmt.Errorf("vlan %d of cluster network %s on node %s: %w", id, n.Name, c.Node, err)
	}
	return p.Bridge, nil
}

// Make makes the bridge and the VXLAN device in the current network namespace,
// where they are missing.
func (p Plan) Make() error {
	br, err := EnsureBridge(p.Bridge, MTU, false)
	if err != nil {
		return err
	}
	dev, err := netlink.LinkByName(p.Device)
	if err != nil {
		return fmt.Errorf("uplink %s: %w", p.Device, err)
	}
	vx := &netlink.Vxlan{
		LinkAttrs: attrs(p.VXLAN), VxlanId: p.VNI, VtepDevIndex: dev.Attrs().Index, Port: int(p.Port),
		Group: net.IP(p.Group.AsSlice()), SrcAddr: net.IP(p.Local.AsSlice()), Learning: true, TTL: 4,
	}
	vx.MTU = MTU
	if err := netlink.LinkAdd(vx); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make %s: %w", p.VXLAN, err)
	}
	link, err := netlink.LinkByName(p.VXLAN)
	if err != nil {
		return fmt.Errorf("link %s: %w", p.VXLAN, err)
	}
	if err := netlink.LinkSetMaster(link, br); err != nil {
		return fmt.Errorf("put %s into %s: %w", p.VXLAN, p.Bridge, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("raise %s: %w", p.VXLAN, err)
	}
	return nil
}
