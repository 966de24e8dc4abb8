package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Entry is one binding of a pool: the NIC with this MAC address has this
// address.
type Entry struct {
	MAC     MAC        `json:"mac"`
	Address netip.Addr `json:"address"`
	// Hostname is sent as option 12; empty sends none.
	Hostname string `json:"hostname,omitempty"`
}

// Binding is what a snapshot holds for one MAC address.
type Binding struct {
	Address  netip.Addr
	Hostname string
}

// Problem is something a snapshot was given and does not serve. It never keeps
// the rest from being served.
type Problem struct {
	// Subject is what is not served: "lease 52:54:00:00:00:01 = 10.0.0.5",
	// "dns[1]", "routes[0]".
	Subject string
	// Err says why, and the way out.
	Err error
}

// String returns the problem as a sentence.
func (p Problem) String() string { return p.Subject + ": " + p.Err.Error() }

// Snapshot is one pool as it is answered for: immutable, and therefore safe
// for any number of readers. The nil Snapshot answers nobody.
type Snapshot struct {
	network   Network
	broadcast netip.Addr
	bindings  map[MAC]Binding
	entries   []Entry // served ones, sorted by MAC
	problems  []Problem
	profile   profile
}

// NewSnapshot builds the snapshot of a pool. The arguments are not kept.
//
// It fails only if the network cannot be served at all: no usable prefix or
// server address. Anything lesser is left out and listed by Problems. Of two
// entries that have a MAC address or an address in common the earlier is
// served and the later is a problem, so the caller puts the oldest lease
// first.
func NewSnapshot(network Network, entries []Entry) (*Snapshot, error) {
	network.Server = network.Server.Unmap()
	if err := network.check(); err != nil {
		return nil, err
	}
	s := &Snapshot{
		network:   network.clone(),
		broadcast: broadcastAddress(network.Prefix),
		bindings:  make(map[MAC]Binding, len(entries)),
		entries:   make([]Entry, 0, len(entries)),
	}
	s.profile = newProfile(&s.network, s.refuse)
	holder := make(map[netip.Addr]MAC, len(entries))
	for _, e := range entries {
		e.Address = e.Address.Unmap()
		subject := fmt.Sprintf("lease %s = %s", e.MAC, e.Address)
		if err := s.admissible(e, holder); err != nil {
			s.refuse(subject, err)
			continue
		}
		if e.Hostname != "" && !validName(e.Hostname) {
			s.refuse(subject+fmt.Sprintf(": host name %q", e.Hostname), errHostname)
			e.Hostname = ""
		}
		holder[e.Address] = e.MAC
		s.bindings[e.MAC] = Binding{Address: e.Address, Hostname: e.Hostname}
		s.entries = append(s.entries, e)
	}
	slices.SortFunc(s.entries, func(a, b Entry) int { return strings.Compare(string(a.MAC[:]), string(b.MAC[:])) })
	return s, nil
}

func (s *Snapshot) refuse(subject string, err error) {
	s.problems = append(s.problems, Problem{Subject: subject, Err: err})
}

// admissible says why the entry must not be served, or nil.
func (s *Snapshot) admissible(e Entry, holder map[netip.Addr]MAC) error {
	if e.MAC.IsZero() || e.MAC.IsGroup() {
		return errNoMAC
	}
	switch {
	case !s.network.hostAddress(e.Address):
		return errNotHost
	case e.Address == s.network.Server:
		return errServer
	case e.Address == s.network.Router:
		return errRouter
	}
	if _, taken := s.bindings[e.MAC]; taken {
		return errDupMAC
	}
	if _, taken := holder[e.Address]; taken {
		return errDupAddr
	}
	return nil
}

// Network returns the pool's facts. The caller must not change what its
// slices hold.
func (s *Snapshot) Network() Network { return s.network }

// Entries returns the bindings that are served, sorted by MAC address. The
// caller must not change them.
func (s *Snapshot) Entries() []Entry { return s.entries }

// Len returns the number of bindings that are served.
func (s *Snapshot) Len() int {
	if s == nil {
		return 0
	}
	return len(s.entries)
}

// Problems lists what was left out when the snapshot was built.
func (s *Snapshot) Problems() []Problem { return s.problems }

// Lookup returns the binding of a MAC address.
func (s *Snapshot) Lookup(m MAC) (Binding, bool) {
	if s == nil {
		return Binding{}, false
	}
	b, ok := s.bindings[m]
	return b, ok
}
