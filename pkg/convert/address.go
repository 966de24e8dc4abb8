package convert

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Address reads an IP address in any spelling and returns it unmapped. The
// error says what to write instead; it names the mistakes people make most.
func Address(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, addressError(s)
	}
	if a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("has a zone, which means nothing outside one machine; write %s", a.WithZone(""))
	}
	return a.Unmap(), nil
}

// addressError says what is wrong with text that is no address.
func addressError(s string) error {
	switch {
	case s == "":
		return errors.New("is empty; write an IP address, such as 192.168.48.10")
	case strings.TrimSpace(s) != s:
		return errors.New("has blanks around it; remove them")
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return fmt.Errorf("is an address with a prefix length; write %s", p.Addr())
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return fmt.Errorf("is an address with a port; write %s", ap.Addr())
	}
	if plain, ok := withoutLeadingZeros(s); ok {
		return fmt.Errorf("has leading zeros, which some programs read as octal; write %s", plain)
	}
	return errors.New("is not an IP address; write one such as 192.168.48.10")
}

// withoutLeadingZeros repairs an IPv4 address whose only fault is zeros in front
// of its numbers.
func withoutLeadingZeros(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	for i, part := range parts {
		if trimmed := strings.TrimLeft(part, "0"); trimmed != "" {
			parts[i] = trimmed
		} else if part != "" {
			parts[i] = "0"
		}
	}
	a, err := netip.ParseAddr(strings.Join(parts, "."))
	return a, err == nil
}

// IPv4 is Address for fields that take IPv4 only.
func IPv4(s string) (netip.Addr, error) {
	a, err := Address(s)
	if err == nil && !a.Is4() {
		return netip.Addr{}, errors.New("is an IPv6 address; write an IPv4 address, such as 192.168.48.10")
	}
	return a, err
}

// IPv4Prefix reads an IPv4 network. Host bits are kept; who needs a network
// compares with Masked.
func IPv4Prefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err == nil && p.Addr().Is4():
		return p, nil
	case err == nil:
		return netip.Prefix{}, errors.New("is an IPv6 network; write an IPv4 network, such as 192.168.48.0/24")
	case s == "":
		return netip.Prefix{}, errors.New("is empty; write an IPv4 network, such as 192.168.48.0/24")
	case strings.TrimSpace(s) != s:
		return netip.Prefix{}, errors.New("has blanks around it; remove them")
	}
	if a, err := Address(s); err == nil {
		return netip.Prefix{}, fmt.Errorf("is an address without a prefix length; write the network, such as %s/24", a)
	}
	return netip.Prefix{}, errors.New("is not a network in CIDR notation; write one such as 192.168.48.0/24")
}

// MAC reads the MAC address of a NIC in any usual spelling: colons, hyphens,
// dotted groups or none, in either case. An empty string is no address and no
// error. Addresses that no single NIC can have, all zeros and groups, are
// refused.
func MAC(s string) (dhcp.MAC, error) {
	if s == "" {
		return dhcp.MAC{}, nil
	}
	m, err := dhcp.ParseMAC(s)
	switch {
	case err != nil:
		return dhcp.MAC{}, errors.New("is not a MAC address; write six bytes in hex, such as 52:54:00:12:34:56")
	case m.IsZero():
		return dhcp.MAC{}, errors.New("is the null address; write the NIC's own, such as 52:54:00:12:34:56, or leave it empty")
	case m.IsGroup():
		return dhcp.MAC{}, fmt.Errorf("is a group address, which no NIC has; the first byte must be even, such as in %s", individual(m))
	}
	return m, nil
}

func individual(m dhcp.MAC) dhcp.MAC {
	if m[0] == 0xff {
		return dhcp.MAC{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}
	}
	m[0] &^= 1
	return m
}

// WantedAddress reads the address that a NIC asks for. Nil and "" ask for none:
// the invalid address and no error.
func WantedAddress(path *field.Path, s *string) (netip.Addr, *field.Error) {
	if s == nil || *s == "" {
		return netip.Addr{}, nil
	}
	a, err := Address(*s)
	if err != nil {
		return netip.Addr{}, field.Invalid(path, *s, err.Error())
	}
	return a, nil
}
