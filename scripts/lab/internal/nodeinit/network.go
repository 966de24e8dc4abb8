package nodeinit

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// linkTimeout is how long the parent may take to plug the node in.
const linkTimeout = 20 * time.Second

func network(spec Spec) error {
	for _, s := range spec.Sysctls {
		path := filepath.Join("/proc/sys", s[0])
		err := os.WriteFile(path, []byte(s[1]), 0o644)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // not every kernel has every switch
			return fmt.Errorf("set %s to %s: %w", path, s[1], err)
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("raise lo: %w", err)
	}
	for _, l := range spec.Links {
		if err := plugIn(l, spec); err != nil {
			return err
		}
	}
	for _, r := range spec.Routes {
		route := &netlink.Route{Gw: net.IP(r.Via.AsSlice())}
		if r.Destination.IsValid() {
			route.Dst = ipNet(r.Destination)
		}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("route %s via %s: %w", r.Destination, r.Via, err)
		}
	}
	return nil
}

// plugIn waits for the link and puts it to use.
func plugIn(l Link, spec Spec) error {
	link, err := await(l.Name)
	if err != nil {
		return err
	}
	holder := link
	if l.Bridge != "" {
		if holder, err = vlan.EnsureBridge(l.Bridge, spec.MTU, spec.Filter); err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(link, holder); err != nil {
			return fmt.Errorf("put %s into %s: %w", l.Name, l.Bridge, err)
		}
		if spec.Filter {
			if err := trunk(link); err != nil {
				return err
			}
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("raise %s: %w", l.Name, err)
	}
	if !l.Address.IsValid() {
		return nil
	}
	if err := netlink.AddrReplace(holder, &netlink.Addr{IPNet: ipNet(l.Address)}); err != nil {
		return fmt.Errorf("give %s to %s: %w", l.Address, holder.Attrs().Name, err)
	}
	return nil
}

// trunk lets an uplink carry every VLAN.
func trunk(link netlink.Link) error {
	if err := netlink.BridgeVlanAddRange(link, 2, 4094, false, false, false, true); err != nil {
		return fmt.Errorf("let %s carry all VLANs: %w", link.Attrs().Name, err)
	}
	return nil
}

func await(name string) (netlink.Link, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(linkTimeout); ; <-tick.C {
		link, err := netlink.LinkByName(name)
		if err == nil {
			return link, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("link %s did not come within %s: %w", name, linkTimeout, err)
		}
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// listenUnix listens on a socket path, replacing what a dead node left there.
func listenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	return net.Listen("unix", path)
}
