package store

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// reverse is the order of addresses turned round.
const reverse = "reverse"

// leaseEntry is a lease with what is searched and sorted by, read once. It is
// made anew when anything that it is made of changes.
type leaseEntry struct {
	facts view.LeaseFacts
	// at is its place in the natural order. Namespace and address are here a
	// second time, so that a search need not touch the lease itself.
	at      Position
	pool    string
	address netip.Addr
	ordinal string // the address as text that sorts as it does
	created string // in UTC, which sorts as text
	state   v1.LeaseState

	// What follows is in lower case.

	digits   string // of the MAC address, 12 or none
	hostname string
	text     string // what q looks into, in lines

	owner string // "namespace/name", "" for none
}

func (l *leaseEntry) position() Position { return l.at }

// sorted returns the position in a list that is sorted by what.
func (l *leaseEntry) sorted(what string) Position {
	at := l.at

	switch what {
	case reverse:
		at.Key = l.ordinal
	case "mac":
		at.Key = l.digits
	case "vm":
		at.Key = l.owner
	case "network":
		at.Key = l.facts.Network
	case "state":
		at.Key = string(l.state)
	case "created":
		at.Key = l.created
	default: // by address
	}

	return at
}

// leaseFacts observes the lease, with mu held.
func (s *Store) leaseFacts(lease *v1alpha1.IPLease) view.LeaseFacts {
	facts := view.LeaseFacts{Lease: lease}

	if pool := s.pools.entries[ledger.PoolOf(lease)]; pool != nil {
		facts.PoolExists, facts.Network = true, pool.network
	}

	address := ledger.AddressOf(lease)
	facts.Declined = s.heard[ledger.PoolOf(lease)].declined(address)

	if owner := lease.Spec.Owner; owner != nil {
		facts.OwnerExists = s.exists(owner)
		facts.Fixed = s.wants(owner, facts.Network, lease, address)
	}

	return facts
}

// exists tells whether the owner with that UID does.
func (s *Store) exists(owner *v1alpha1.LeaseOwner) bool {
	key := Key{Namespace: owner.Namespace, Name: owner.Name}

	switch owner.Kind {
	case v1alpha1.OwnerVirtualMachine:
		vm := s.vms[key]

		return vm != nil && vm.UID == owner.UID
	case v1alpha1.OwnerVMNetCfg:
		request := s.requests[key]

		return request != nil && request.UID == owner.UID
	default:
		// What a later version wrote is not for us to call gone.
		return true
	}
}

// wants tells whether the owner's request asks for that very address.
func (s *Store) wants(owner *v1alpha1.LeaseOwner, network string, lease *v1alpha1.IPLease, address netip.Addr) bool {
	request := s.requestOf(owner)
	if request == nil {
		return false
	}

	mac, _ := dhcp.ParseMAC(lease.Spec.MACAddress)

	for _, config := range convert.NetworkConfigs(request) {
		asked, _ := convert.NIC(nil, config, request.Namespace)
		if !asked.Wanted.IsValid() || asked.Wanted != address || asked.Network.String() != network {
			continue
		}

		if owner.InterfaceName != "" && owner.InterfaceName == asked.Interface || !mac.IsZero() && mac == asked.MAC {
			return true
		}
	}

	return false
}

// requestOf returns the request that speaks for the owner.
func (s *Store) requestOf(owner *v1alpha1.LeaseOwner) *v1alpha1.VirtualMachineNetworkConfig {
	key := Key{Namespace: owner.Namespace, Name: owner.Name}
	if owner.Kind == v1alpha1.OwnerVMNetCfg {
		return s.requests[key]
	}

	return s.speaker(key)
}

// newLeaseEntry reads the lease, with mu held.
func (s *Store) newLeaseEntry(lease *v1alpha1.IPLease) *leaseEntry {
	facts := s.leaseFacts(lease)
	entry := &leaseEntry{facts: facts, pool: lease.Spec.PoolName, address: ledger.AddressOf(lease), state: view.LeaseState(facts)}
	entry.created = lease.CreationTimestamp.UTC().Format(time.RFC3339)
	entry.at = Position{Address: entry.address, Namespace: lease.Namespace, Name: lease.Name}

	raw := entry.address.As16()
	entry.ordinal = hex.EncodeToString(raw[:])

	if mac, err := dhcp.ParseMAC(lease.Spec.MACAddress); err == nil && !mac.IsZero() {
		entry.digits = hex.EncodeToString(mac[:])
	}

	names := []string{lease.Spec.Address, lease.Namespace + "/" + lease.Spec.PoolName, facts.Network, lease.Annotations[v1alpha1.AnnotationComment]}

	if owner := lease.Spec.Owner; owner != nil {
		entry.owner = owner.Namespace + "/" + owner.Name
		names = append(names, entry.owner)

		if owner.Kind == v1alpha1.OwnerVirtualMachine {
			entry.hostname = convert.HostName(owner.Name)
		}
	}

	if told := s.heard[ledger.PoolOf(lease)].Hostnames[entry.address]; told != "" {
		entry.hostname = strings.ToLower(told)
	}

	entry.text = strings.ToLower(strings.Join(append(names, entry.hostname), "\n"))

	return entry
}

// Heard is what the agents of a pool told last.
type Heard struct {
	// Hostnames are what guests call themselves, by address.
	Hostnames map[netip.Addr]string
	// Declined are the addresses that their guests have declined.
	Declined []netip.Addr
	// Partial is set when an agent did not answer: what was declined before is
	// believed to be so still.
	Partial bool
}

func (h Heard) declined(address netip.Addr) bool {
	_, found := slices.BinarySearchFunc(h.Declined, address, netip.Addr.Compare)

	return found
}

// Hear enters what the agents of a pool told. Host names are added to those that
// are known; the declined addresses are all there are. Nothing is told to the
// feed unless a lease's state changes.
func (s *Store) Hear(pool types.NamespacedName, told Heard) {
	s.writes.Lock()
	defer s.writes.Unlock()

	s.mu.Lock()
	before := s.heard[pool]
	next := Heard{Hostnames: map[netip.Addr]string{}, Declined: told.Declined}

	if told.Partial {
		next.Declined = append(slices.Clone(before.Declined), told.Declined...)
	}

	next.Declined = slices.SortedFunc(slices.Values(next.Declined), netip.Addr.Compare)
	next.Declined = slices.Compact(next.Declined)

	for _, from := range []map[netip.Addr]string{before.Hostnames, told.Hostnames} {
		for address, name := range from {
			// An address that is free has forgotten who had it.
			if s.config.Ledger.Holder(pool, address) != nil {
				next.Hostnames[address] = name
			}
		}
	}

	touched := map[netip.Addr]struct{}{}

	for _, from := range [][]netip.Addr{before.Declined, next.Declined} {
		for _, address := range from {
			touched[address] = struct{}{}
		}
	}

	for address, name := range told.Hostnames {
		if before.Hostnames[address] != name {
			touched[address] = struct{}{}
		}
	}

	s.heard[pool] = next

	var changes []Change

	for address := range touched {
		if lease := s.config.Ledger.Holder(pool, address); lease != nil {
			changes = append(changes, s.renewLease(keyOf(lease))...)
		}
	}
	s.mu.Unlock()

	s.tell(changes)
}

// renewLease reads a lease anew because what it depends on has changed, with mu
// held. It returns the change, if the body is another one now.
func (s *Store) renewLease(key Key) []Change {
	before := s.leases.entries[key]
	if before == nil {
		return nil
	}

	entry := s.newLeaseEntry(before.facts.Lease)
	if entry.facts == before.facts && entry.text == before.text {
		return nil
	}

	s.leases.put(key, entry)

	if entry.facts == before.facts {
		return nil // searched differently, and the same to look at
	}

	return []Change{{Kind: v1.ChangeLease, Type: v1.ChangeChanged, Namespace: key.Namespace, Name: key.Name}}
}
