package source

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// stateOf turns a pool and its leases into what an agent serves. It is pure but
// for resolve. Problems say in plain words what is left out; a mistake in one
// lease or option never keeps the rest from being served.
func stateOf(pool *v1alpha1.IPPool, leases []*v1alpha1.IPLease, resolve func(host string) []netip.Addr) (agent.State, []string) {
	if !pool.DeletionTimestamp.IsZero() || pool.Spec.Paused != nil && *pool.Spec.Paused {
		return agent.State{Withdrawn: true, Generation: pool.Generation}, nil
	}

	var problems []string

	network, errs := convert.PoolNetwork(&pool.Spec, resolve)
	for _, err := range errs {
		problems = append(problems, err.Error())
	}

	state := agent.State{Network: network, Generation: pool.Generation}

	good := make([]*v1alpha1.IPLease, 0, len(leases))
	read := make(map[*v1alpha1.IPLease]convert.Held, len(leases))

	for _, lease := range leases {
		held, errs := convert.Lease(lease)
		for _, err := range errs {
			problems = append(problems, fmt.Sprintf("IPLease %s: %s", lease.Name, err))
		}

		// The others are held for nobody, or cannot be read.
		if held.Address.IsValid() && !held.MAC.IsZero() {
			good = append(good, lease)
			read[lease] = held
		}
	}

	for _, lease := range served(good) {
		held := read[lease]
		state.Entries = append(state.Entries, dhcp.Entry{MAC: held.MAC, Address: held.Address, Hostname: hostName(lease)})
	}

	return state, problems
}

// served orders the leases so that of two with one MAC address the right one
// comes first and is served. One that a NIC holds comes before a reservation,
// which moves no NIC that has an address. Between two owners it is the older
// lease: a newcomer never takes an address over. For one NIC it is the newer one:
// that is a NIC on its way to another address, whose old lease is about to be
// deleted.
func served(leases []*v1alpha1.IPLease) []*v1alpha1.IPLease {
	sorted := slices.Clone(leases)
	slices.SortStableFunc(sorted, func(a, b *v1alpha1.IPLease) int {
		return cmp.Or(rank(a)-rank(b), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})

	newest := map[string]int{}
	chosen := make([]*v1alpha1.IPLease, 0, len(sorted))

	for _, lease := range sorted {
		nic := nicOf(lease)
		if at, moving := newest[nic]; moving && nic != "" {
			chosen[at] = lease // keeps the place of its elder

			continue
		}

		newest[nic] = len(chosen)
		chosen = append(chosen, lease)
	}

	return chosen
}

func rank(lease *v1alpha1.IPLease) int {
	if convert.Reserved(lease) {
		return 1
	}

	return 0
}

// nicOf tells NICs apart: owner and MAC address. A reservation is no NIC's: "".
func nicOf(lease *v1alpha1.IPLease) string {
	mac, err := dhcp.ParseMAC(lease.Spec.MACAddress)
	if err != nil || convert.Reserved(lease) {
		return ""
	}

	return string(lease.Spec.Owner.UID) + "/" + mac.String()
}

func hostName(lease *v1alpha1.IPLease) string {
	if lease.Spec.Owner == nil {
		return ""
	}

	return convert.HostName(lease.Spec.Owner.Name)
}
