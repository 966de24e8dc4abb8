package vmnetcfg

import (
	"fmt"
	"slices"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// decision is what to do about one request. The order is: free what belongs to
// no NIC any more, then go through the NICs.
type decision struct {
	release []*v1alpha1.IPLease
	// nics has one step for each NIC, in order.
	nics []step
}

// takesAway tells whether somebody loses an address by it.
func (d decision) takesAway() bool {
	return len(d.release) > 0 || slices.ContainsFunc(d.nics, func(s step) bool { return s.move })
}

// step is what to do about one NIC. With none of allocate, take, update and move
// set, nothing is written. With move and update set, update is for when the
// wanted address cannot be had.
type step struct {
	nic nic
	// lease is what the NIC holds now, or nil.
	lease *v1alpha1.IPLease
	// refusal says why the NIC has no address, or not the one that it wants.
	refusal *refusal
	// allocate: the NIC gets an address that is free, its wanted one if it
	// has one.
	allocate bool
	// take is the reserved lease as it should be written: the NIC gets its
	// address instead of another one.
	take *v1alpha1.IPLease
	// update is the lease as it should be written, under the same address.
	update *v1alpha1.IPLease
	// move: the NIC gets its wanted address and then gives lease back.
	move bool
	// note is what there is to say although all is well.
	note string
}

// plan decides what becomes of the request. It changes nothing that it is given.
func plan(seen observation) decision {
	matched, rest := match(seen)
	result := decision{nics: make([]step, 0, len(seen.nics))}

	if seen.speaker != "" {
		// What the virtual machine holds is the other request's to keep or free.
		matched, rest = make([]*v1alpha1.IPLease, len(seen.nics)), nil
	}

	frozen := seen.paused || seen.ownerGone
	if !frozen {
		for _, held := range rest {
			if !spare(held, seen.nics, matched) {
				result.release = append(result.release, held.lease)
			}
		}
	}

	taken := map[netMAC]string{}
	used := map[*v1alpha1.IPLease]bool{}

	for i, n := range seen.nics {
		s := step{nic: n, lease: matched[i], refusal: n.refusal}

		if first, twice := taken[netMAC{n.network, n.mac}]; twice && n.mac != (dhcp.MAC{}) {
			s.refusal = &refusal{
				reason:  v1alpha1.ReasonMACConflict,
				message: fmt.Sprintf("MAC address %s is also that of %s on the same network; give one of them another", n.mac, first),
			}
		} else if n.mac != (dhcp.MAC{}) {
			taken[netMAC{n.network, n.mac}] = n.name()
		}

		switch {
		case seen.speaker != "":
			s.refusal = &refusal{reason: v1alpha1.ReasonSuperseded, message: fmt.Sprintf(
				"request %s speaks for the same virtual machine; put what you want into it and delete this one", seen.speaker)}
		case seen.ownerGone:
			s.refusal = &refusal{reason: v1alpha1.ReasonReleased, message: "the virtual machine no longer exists; its addresses are being freed"}
		case seen.paused:
			s.freeze()
		default:
			s.decide(seen.owner, used)
		}

		result.nics = append(result.nics, s)
	}

	for i := range result.nics {
		result.nics[i].tellReservation(used)
	}

	return result
}

type netMAC struct {
	network string
	mac     dhcp.MAC
}

// freeze leaves the NIC as it is.
func (s *step) freeze() {
	if s.lease == nil && s.refusal == nil {
		s.refusal = &refusal{
			reason:  v1alpha1.ReasonPaused,
			message: "the request is paused; set its spec.paused to false",
		}
	}
}

// decide chooses what to do about a NIC of a live request. It adds the reserved
// lease that the NIC takes to used.
func (s *step) decide(owner v1alpha1.LeaseOwner, used map[*v1alpha1.IPLease]bool) {
	if s.refusal == nil && s.nic.rival != nil {
		s.refusal = rivalRefusal(s.nic)
	}

	// What a NIC holds it keeps, also while its pool is paused or its MAC
	// address is not known; only then there is nothing to bring up to date.
	if s.refusal != nil {
		return
	}

	s.move = s.lease != nil && s.nic.wanted.IsValid() && s.nic.wanted != ledger.AddressOf(s.lease)

	if s.lease == nil || s.move {
		s.obtain(owner, used)
	}

	if s.lease == nil {
		return
	}

	wanted := s.lease.DeepCopy()
	wanted.Spec.MACAddress = s.nic.mac.String()
	wanted.Spec.Owner = ownerOf(owner, s.nic)

	if s.lease.Spec.MACAddress != wanted.Spec.MACAddress || s.lease.Spec.Owner == nil || *s.lease.Spec.Owner != *wanted.Spec.Owner {
		s.update = wanted
	}
}

// obtain chooses where the NIC's address comes from.
func (s *step) obtain(owner v1alpha1.LeaseOwner, used map[*v1alpha1.IPLease]bool) {
	switch reserved := s.nic.reservation(used); {
	case reserved != nil:
		used[reserved] = true
		s.take = convert.TakenUp(reserved, *ownerOf(owner, s.nic), s.nic.mac)
	case s.nic.awaited():
		s.refusal = awaitedRefusal(s.nic)
		s.move = false
	default:
		s.allocate = true
	}
}

func ownerOf(owner v1alpha1.LeaseOwner, n nic) *v1alpha1.LeaseOwner {
	owner.InterfaceName = n.config.InterfaceName

	return &owner
}

func rivalRefusal(n nic) *refusal {
	return &refusal{
		reason: v1alpha1.ReasonMACConflict,
		message: fmt.Sprintf("MAC address %s already holds %s for %s; give this NIC another MAC address, or delete the other",
			n.mac, n.rival.Spec.Address, convert.Holder(n.rival)),
	}
}

// match finds for each NIC the lease that it holds, and returns the leases that
// belong to no NIC. A NIC is known by its name on its network, else by its MAC
// address there: so a changed MAC address keeps the address, and so does a
// renamed interface. Of several leases a NIC keeps the one that it wants, else
// the one that it was told, else the oldest.
func match(seen observation) (matched []*v1alpha1.IPLease, rest []heldLease) {
	matched = make([]*v1alpha1.IPLease, len(seen.nics))
	rest = slices.Clone(seen.held)

	for _, same := range []func(nic, heldLease) bool{sameName, sameMAC} {
		for i, n := range seen.nics {
			if matched[i] != nil {
				continue
			}

			if at := choose(n, rest, same); at >= 0 {
				matched[i] = rest[at].lease
				rest = slices.Delete(rest, at, at+1)
			}
		}
	}

	return matched, rest
}

// spare tells whether the lease is one too many of a NIC that was not told yet
// which one it keeps. Another process may just be telling it the other one, so it
// is freed only when the status, which has one version, tells the one that stays.
func spare(held heldLease, nics []nic, matched []*v1alpha1.IPLease) bool {
	for i, n := range nics {
		if matched[i] != nil && n.previous != ledger.AddressOf(matched[i]) &&
			sameNetwork(n, held) && (sameName(n, held) || sameMAC(n, held)) {
			return true
		}
	}

	return false
}

// choose returns the lease of rest that the NIC keeps, or -1.
func choose(n nic, rest []heldLease, same func(nic, heldLease) bool) int {
	chosen := -1

	for at, held := range rest {
		if !same(n, held) || !sameNetwork(n, held) {
			continue
		}

		address := ledger.AddressOf(held.lease)

		switch {
		case n.wanted.IsValid() && address == n.wanted:
			return at
		case chosen < 0, n.previous.IsValid() && address == n.previous:
			chosen = at
		default:
		}
	}

	return chosen
}

// sameNetwork tells whether the lease is on the NIC's network. A lease whose
// pool is gone stays with its NIC as long as no other pool serves the network,
// and so does any lease while the NIC's network cannot be read.
func sameNetwork(n nic, held heldLease) bool {
	switch {
	case n.network == "":
		return true
	case held.network == "":
		return n.pool == nil
	default:
		return held.network == n.network
	}
}

func sameName(n nic, held heldLease) bool {
	owner := held.lease.Spec.Owner

	return owner != nil && owner.InterfaceName != "" && owner.InterfaceName == n.config.InterfaceName
}

func sameMAC(n nic, held heldLease) bool {
	mac, err := dhcp.ParseMAC(held.lease.Spec.MACAddress)

	return err == nil && mac == n.mac
}
