package view

import (
	"fmt"
	"strings"

	kubevirtv1 "kubevirt.io/api/core/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/kube"
)

// VMFacts is what is known of one machine.
type VMFacts struct {
	Namespace, Name string
	// VM is nil when there is a request only, made by hand.
	VM *kubevirtv1.VirtualMachine
	// VMI is its running instance; nil for none.
	VMI *kubevirtv1.VirtualMachineInstance
	// Request is the one that speaks for it; nil for none.
	Request *v1alpha1.VirtualMachineNetworkConfig
	// Leases are held by the machine or its request.
	Leases []HeldLease
	// PoolOf returns the pool that serves a network, nil for none.
	PoolOf func(network string) *v1alpha1.IPPool
}

// HeldLease is a lease and the network of its pool, "" when the pool is gone.
type HeldLease struct {
	Lease   *v1alpha1.IPLease
	Network string
}

// NIC is one NIC of a machine with all that belongs to it. Each part may be
// missing.
type NIC struct {
	kube.NIC

	// Entry is the NIC in the request, Status what the request says of it.
	Entry  *v1alpha1.NetworkConfig
	Status *v1alpha1.NetworkConfigStatus
	Pool   *v1alpha1.IPPool
	Lease  *v1alpha1.IPLease
}

// NICs returns the NICs of the machine that are on Multus networks: those of its
// spec, and then those that only its request knows.
func NICs(facts VMFacts) []NIC {
	var nics []NIC

	if facts.VM != nil {
		found, _ := kube.NICsOf(facts.VM, facts.VMI)
		for _, one := range found {
			nics = append(nics, NIC{NIC: one})
		}
	}

	if facts.Request != nil {
		nics = withRequest(nics, facts.Request)
	}

	used := map[*v1alpha1.IPLease]bool{}

	for i := range nics {
		nics[i].Pool = facts.PoolOf(nics[i].Network)
		nics[i].Lease = leaseOf(nics[i], facts.Leases, used)
	}

	return nics
}

// withRequest puts the entries of the request to their NICs.
func withRequest(nics []NIC, request *v1alpha1.VirtualMachineNetworkConfig) []NIC {
	// A copy, because the entries are pointed to.
	entries := append([]v1alpha1.NetworkConfig(nil), convert.NetworkConfigs(request)...)

	for i := range entries {
		entry := &entries[i]

		network := kube.NetworkKey(entry.NetworkName, request.Namespace)
		if network == "" {
			network = entry.NetworkName
		}

		at := find(nics, entry, network)
		if at < 0 {
			nics = append(nics, NIC{NIC: kube.NIC{Name: entry.InterfaceName, Network: network, MAC: entry.MACAddress}})
			at = len(nics) - 1
		}

		nics[at].Entry = entry
		nics[at].Status = statusFor(request, entry, network)

		if entry.IPAddress != nil {
			nics[at].Wanted = *entry.IPAddress
		}

		if nics[at].MAC == "" {
			nics[at].MAC = entry.MACAddress
		}
	}

	return nics
}

// find returns the NIC that the entry is for: the one of its name, else the one
// of its MAC address on its network, else -1.
func find(nics []NIC, entry *v1alpha1.NetworkConfig, network string) int {
	for i := range nics {
		if entry.InterfaceName != "" && nics[i].Name == entry.InterfaceName && nics[i].Entry == nil {
			return i
		}
	}

	for i := range nics {
		if entry.InterfaceName == "" && nics[i].Entry == nil && nics[i].Network == network && sameMAC(nics[i].MAC, entry.MACAddress) {
			return i
		}
	}

	return -1
}

func statusFor(request *v1alpha1.VirtualMachineNetworkConfig, entry *v1alpha1.NetworkConfig, network string) *v1alpha1.NetworkConfigStatus {
	for i := range request.Status.NetworkConfigs {
		status := &request.Status.NetworkConfigs[i]

		same := status.InterfaceName == entry.InterfaceName
		if entry.InterfaceName == "" {
			same = status.InterfaceName == "" && (sameMAC(status.MACAddress, entry.MACAddress) || entry.MACAddress == "" && status.MACAddress == "")
		}

		if same && (status.NetworkName == network || status.NetworkName == entry.NetworkName) {
			return status
		}
	}

	return nil
}

// leaseOf finds the lease that the NIC holds and enters it in used.
func leaseOf(nic NIC, leases []HeldLease, used map[*v1alpha1.IPLease]bool) *v1alpha1.IPLease {
	byName := func(lease *v1alpha1.IPLease) bool {
		return nic.Name != "" && lease.Spec.Owner != nil && lease.Spec.Owner.InterfaceName == nic.Name
	}
	byMAC := func(lease *v1alpha1.IPLease) bool { return sameMAC(lease.Spec.MACAddress, nic.MAC) }

	for _, same := range []func(*v1alpha1.IPLease) bool{byName, byMAC} {
		for _, held := range leases {
			onNetwork := held.Network == nic.Network || held.Network == "" && nic.Pool == nil
			if !used[held.Lease] && onNetwork && same(held.Lease) {
				used[held.Lease] = true

				return held.Lease
			}
		}
	}

	return nil
}

func sameMAC(a, b string) bool {
	macA, errA := dhcp.ParseMAC(a)
	macB, errB := dhcp.ParseMAC(b)

	return errA == nil && errB == nil && macA == macB
}

// VM returns the body of a machine.
func VM(facts VMFacts) v1.VM {
	body := v1.VM{Namespace: facts.Namespace, Name: facts.Name, NICs: []v1.VMNIC{}, Paused: Paused(facts.Request)}

	if facts.VM != nil {
		running := facts.VMI != nil && facts.VMI.Status.Phase == kubevirtv1.Running
		body.UID, body.Running = string(facts.VM.UID), &running
	}

	if facts.VMI != nil {
		body.Node = facts.VMI.Status.NodeName
	}

	for _, nic := range NICs(facts) {
		body.NICs = append(body.NICs, vmNIC(nic))
	}

	body.State, body.Message = vmState(body)

	return body
}

// Paused tells whether a person has paused the request.
func Paused(request *v1alpha1.VirtualMachineNetworkConfig) bool {
	return request != nil && request.Spec.Paused != nil && *request.Spec.Paused
}

func vmNIC(nic NIC) v1.VMNIC {
	body := v1.VMNIC{
		Interface: nic.Name, Network: nic.Network, MAC: Spelling(nic.MAC), Wanted: nic.Wanted,
		Managed: nic.Pool != nil, Pool: poolRef(nic.Pool), Lease: leaseRef(nic.Lease),
	}

	if nic.Status != nil {
		body.Reason, body.Message = nic.Status.Reason, nic.Status.Message
	}

	switch {
	case nic.Lease != nil:
		body.State, body.Address = v1.NICAllocated, nic.Lease.Spec.Address
		if body.Message == "" {
			body.Reason, body.Message = v1alpha1.ReasonAllocated, "holds "+body.Address
		}
	case nic.Pool == nil:
		body.State = v1.NICUnmanaged
		if body.Message == "" {
			body.Reason = v1alpha1.ReasonNetworkUnmanaged
			body.Message = fmt.Sprintf("network %s has no IPPool, so no address is given out there; create one if there should be one", nic.Network)
		}
	case nic.Status != nil && nic.Status.State == v1alpha1.StateStale:
		body.State = v1.NICStale
	default:
		body.State = v1.NICPending
		if body.Message == "" {
			body.Reason, body.Message = v1alpha1.ReasonPending, "the address is being allocated"
		}
	}

	return body
}

func vmState(body v1.VM) (state v1.VMState, message string) {
	var (
		managed, held int
		waiting       []string
	)

	for _, nic := range body.NICs {
		if !nic.Managed && nic.State != v1.NICAllocated {
			continue
		}

		managed++

		if nic.State == v1.NICAllocated {
			held++
		} else {
			waiting = append(waiting, NICName(nic)+": "+nic.Message)
		}
	}

	holds := fmt.Sprintf("%d of %d NICs hold an address", held, managed)

	switch {
	case body.Paused:
		return v1.VMPaused, "its request is paused: addresses are neither given out nor freed; " + holds
	case managed == 0:
		return v1.VMUnmanaged, "no NIC is on a network with an IPPool"
	case held == managed:
		return v1.VMAddressed, holds
	default:
		return v1.VMWaiting, strings.Join(waiting, "; ")
	}
}

// NICName is how messages call a NIC.
func NICName(nic v1.VMNIC) string {
	switch {
	case nic.Interface != "":
		return nic.Interface
	case nic.MAC != "":
		return nic.MAC
	default:
		return nic.Network
	}
}
