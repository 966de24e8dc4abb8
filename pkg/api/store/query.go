package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/convert"
)

// LeaseQuery says which leases are wanted. Its zero value is all of them.
type LeaseQuery struct {
	// Visible says which namespaces of pools the caller may list; nil for all.
	Visible map[string]bool
	// Pool is the only one wanted; the zero Key for all.
	Pool Key
	// Text is looked for in addresses, MAC addresses, names of machines, hosts,
	// pools and networks, and in comments.
	Text string
	// Address is an address, a prefix such as 10.0.0.0/28, or the beginning of
	// an address such as "10.0.0.".
	Address string
	// MAC is a MAC address in any spelling, or a part of one.
	MAC string
	// VM is the owner's name, or namespace/name.
	VM string
	// Hostname is a part of the host name.
	Hostname string
	// Namespace is that of the pool or of the owner.
	Namespace string
	// Network is its name, or namespace/name.
	Network string
	// States are the only ones wanted; none for all.
	States []v1.LeaseState
}

// QueryError says which field of a query cannot be read.
type QueryError struct{ Field, Value, Detail, Remedy string }

// Error implements error.
func (e *QueryError) Error() string {
	return fmt.Sprintf("%s %q %s; %s", e.Field, e.Value, e.Detail, e.Remedy)
}

// matcher is a query read once for many entries.
type matcher struct {
	query LeaseQuery
	// exact, within and begins are the ways to say an address; at most one is
	// set.
	exact  netip.Addr
	within netip.Prefix
	begins string
	digits string // of the MAC address
	// The text is looked for in all of these ways.
	text       string
	textWithin netip.Prefix
	textDigits string
}

func (q LeaseQuery) read() (*matcher, error) {
	m := &matcher{query: q, text: strings.ToLower(strings.TrimSpace(q.Text))}
	m.query.VM, m.query.Network = strings.ToLower(q.VM), strings.ToLower(q.Network)
	m.query.Hostname = strings.ToLower(q.Hostname)

	if err := m.readAddress(strings.TrimSpace(q.Address)); err != nil {
		return nil, err
	}

	if q.MAC != "" {
		digits, ok := macDigits(q.MAC)
		if !ok {
			return nil, &QueryError{"mac", q.MAC, "is no MAC address and no part of one", "write hexadecimal digits, with colons, hyphens, dots or nothing between them"}
		}

		m.digits = digits
	}

	// What looks like an address is not looked for among MAC addresses: 10.0.0
	// is not 1000.
	if digits, ok := macDigits(m.text); ok && !addressLike(m.text) && (len(digits) >= 4 || len(digits) < len(m.text)) {
		m.textDigits = digits
	}

	if prefix, err := convert.IPv4Prefix(m.text); err == nil {
		m.textWithin = prefix.Masked()
	}

	return m, nil
}

func (m *matcher) readAddress(text string) error {
	if text == "" {
		return nil
	}

	if address, err := netip.ParseAddr(text); err == nil {
		m.exact = address.Unmap()

		return nil
	}

	if strings.Contains(text, "/") {
		prefix, err := convert.IPv4Prefix(text)
		if err != nil {
			return &QueryError{"address", text, "is not a network in CIDR notation", "write one such as 10.0.0.0/28"}
		}

		m.within = prefix.Masked()

		return nil
	}

	if !addressLike(text) {
		return &QueryError{"address", text, "is no address, no prefix and not the beginning of an address", "write one such as 10.0.0.7, 10.0.0.0/28 or 10.0.0."}
	}

	m.begins = text

	return nil
}

// addressLike tells whether the text can be the beginning of an IPv4 address.
func addressLike(text string) bool {
	parts := strings.Split(text, ".")
	if text == "" || len(parts) > 4 {
		return false
	}

	for i, part := range parts {
		last := i == len(parts)-1
		if part == "" && !last || len(part) > 3 || strings.Trim(part, "0123456789") != "" || len(part) == 3 && part > "255" {
			return false
		}
	}

	return true
}

// macDigits returns the digits of a MAC address or a part of one, in lower case.
func macDigits(text string) (string, bool) {
	digits := strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "", " ", "").Replace(text))

	return digits, digits != "" && len(digits) <= 12 && strings.Trim(digits, "0123456789abcdef") == ""
}

// match tells whether the lease is wanted. What is cheap is asked first.
func (m *matcher) match(entry *leaseEntry) bool {
	return m.matchPlace(entry) && m.matchFields(entry) && (m.text == "" || m.matchText(entry))
}

// matchPlace looks at where the lease is.
func (m *matcher) matchPlace(entry *leaseEntry) bool {
	q := &m.query

	switch {
	case q.Visible != nil && !q.Visible[entry.at.Namespace],
		q.Pool.Name != "" && (entry.pool != q.Pool.Name || entry.at.Namespace != q.Pool.Namespace),
		q.Namespace != "" && entry.at.Namespace != q.Namespace && !strings.HasPrefix(entry.owner, q.Namespace+"/"),
		m.exact.IsValid() && entry.address != m.exact,
		m.within.IsValid() && !m.within.Contains(entry.address),
		m.begins != "" && !strings.HasPrefix(entry.facts.Lease.Spec.Address, m.begins):
		return false
	default:
		return true
	}
}

// matchFields looks at what the lease says.
func (m *matcher) matchFields(entry *leaseEntry) bool {
	q := &m.query

	switch {
	case len(q.States) > 0 && !slices.Contains(q.States, entry.state),
		m.digits != "" && !strings.Contains(entry.digits, m.digits),
		q.VM != "" && !named(entry.owner, q.VM),
		q.Network != "" && !named(entry.facts.Network, q.Network),
		q.Hostname != "" && !strings.Contains(entry.hostname, q.Hostname):
		return false
	default:
		return true
	}
}

func (m *matcher) matchText(entry *leaseEntry) bool {
	return m.textDigits != "" && strings.Contains(entry.digits, m.textDigits) ||
		m.textWithin.IsValid() && m.textWithin.Contains(entry.address) ||
		strings.Contains(entry.text, m.text)
}

// named tells whether "namespace/name" is what was asked for by name or by both.
// All are in lower case.
func named(key, asked string) bool {
	if key == asked {
		return true
	}

	return strings.HasSuffix(key, asked) && len(key) > len(asked) && key[len(key)-len(asked)-1] == '/' && !strings.Contains(asked, "/")
}
