package store

import (
	"slices"
	"strings"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
	"github.com/freehold-net/freehold/pkg/kube"
)

// Since says how far a history is known.
type Since struct {
	// At is from when on it is.
	At time.Time
	// Cut is set when older changes were seen and are forgotten.
	Cut bool
}

// networkFacts observes the network, with mu held.
func (s *Store) networkFacts(network *nadv1.NetworkAttachmentDefinition) view.NetworkFacts {
	label := kube.ClusterNetworkLabel(network)
	nodes := []string{}

	for name, node := range s.nodes {
		if label == "" || node.Labels[label] == "true" {
			nodes = append(nodes, name)
		}
	}

	slices.Sort(nodes)

	return view.NetworkFacts{
		Network: network, Pool: s.poolOf(network.Namespace + "/" + network.Name),
		ManagedByDefault: s.config.ManagedByDefault, Nodes: nodes,
	}
}

// NetworkQuery says which networks are wanted. Its zero value is all of them.
type NetworkQuery struct {
	// Visible says which namespaces the caller may list; nil for all.
	Visible map[string]bool
	// Namespace is the only one wanted; "" for all.
	Namespace string
	// Text is looked for in name, namespace and cluster network.
	Text string
}

// Networks returns a page of the networks that are wanted, by name.
func (s *Store) Networks(query NetworkQuery, want Page) Listed[v1.Network] {
	entries := sorted(s, &s.networks)

	s.mu.RLock()
	defer s.mu.RUnlock()

	text := strings.ToLower(query.Text)
	match := func(network *nadv1.NetworkAttachmentDefinition) bool {
		return (query.Visible == nil || query.Visible[network.Namespace]) &&
			(query.Namespace == "" || network.Namespace == query.Namespace) &&
			(text == "" || strings.Contains(network.Namespace+"/"+network.Name, text) ||
				strings.Contains(strings.ToLower(kube.ClusterNetworkOf(network)), text))
	}
	chosen, total, more := inOrder(entries, match, networkPosition, want.After, want.Limit)

	return cut(chosen, total, more, networkPosition, s.networkBody)
}

// Network returns a network, or false.
func (s *Store) Network(key Key) (v1.Network, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	network := s.networks.entries[key]
	if network == nil {
		return v1.Network{}, false
	}

	return s.networkBody(network), true
}

// Agents returns a page of the agents of the pools for which wanted is true, by
// pool and name.
func (s *Store) Agents(wanted func(pool Key) bool, want Page) Listed[v1.Agent] {
	entries := sorted(s, &s.pools)

	s.mu.RLock()
	defer s.mu.RUnlock()

	var agents []v1.Agent

	for _, entry := range entries {
		if key := keyOf(entry.pool); wanted(key) {
			agents = append(agents, s.agents(key)...)
		}
	}

	position := func(agent v1.Agent) Position {
		return Position{Key: agent.Pool.Namespace + "/" + agent.Pool.Name, Name: agent.Name}
	}
	chosen, total, more := page(agents, func(v1.Agent) bool { return true }, position, false, want.After, want.Limit)

	return cut(chosen, total, more, position, func(agent v1.Agent) v1.Agent { return agent })
}

// AgentsOf returns the agents of a pool by name, as they are now.
func (s *Store) AgentsOf(pool Key) []v1.Agent {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return s.agents(pool)
}

// Agent returns the agent with its pool's namespace and its Pod's name, or
// false.
func (s *Store) Agent(key Key) (v1.Agent, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	for pod, entry := range s.pods.entries {
		if pod.Name != key.Name || entry.pool.Namespace != key.Namespace {
			continue
		}

		for pool := range s.pools.entries {
			if labelKey(pool) == entry.pool {
				return view.Agent(entry.pod, s.poolRef(pool)), true
			}
		}

		// Its pool is gone, and so will it be.
		return view.Agent(entry.pod, s.poolRef(entry.pool)), true
	}

	return v1.Agent{}, false
}

// VMQuery says which machines are wanted. Its zero value is all of them.
type VMQuery struct {
	// Visible says which namespaces the caller may list; nil for all.
	Visible map[string]bool
	// Namespace is the only one wanted; "" for all.
	Namespace string
	// Text is looked for in name, namespace and addresses.
	Text string
	// States are the only ones wanted. Without any, machines without a managed
	// NIC are left out.
	States []v1.VMState
}

// VMs returns a page of the machines that are wanted, by name.
func (s *Store) VMs(query VMQuery, want Page) Listed[v1.VM] {
	entries := sorted(s, &s.machines)

	s.mu.RLock()
	defer s.mu.RUnlock()

	text := strings.ToLower(query.Text)
	match := func(entry *machineEntry) bool {
		if query.Visible != nil && !query.Visible[entry.key.Namespace] || query.Namespace != "" && entry.key.Namespace != query.Namespace {
			return false
		}

		known := s.summarise(entry)
		if len(query.States) > 0 && !slices.Contains(query.States, known.state) || len(query.States) == 0 && !known.managed {
			return false
		}

		return strings.Contains(known.text, text)
	}
	chosen, total, more := inOrder(entries, match, (*machineEntry).position, want.After, want.Limit)

	return cut(chosen, total, more, (*machineEntry).position, func(entry *machineEntry) v1.VM { return view.VM(s.vmFacts(entry.key)) })
}

// VM returns a machine, or false.
func (s *Store) VM(key Key) (v1.VM, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	if s.machines.entries[key] == nil {
		return v1.VM{}, false
	}

	return view.VM(s.vmFacts(key)), true
}

// Explained returns what is observed of a machine and each of its NICs, but for
// what its agents saw, or false when there is no such machine.
func (s *Store) Explained(key Key) (view.ExplainFacts, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	if s.machines.entries[key] == nil {
		return view.ExplainFacts{}, false
	}

	facts := view.ExplainFacts{VMFacts: s.vmFacts(key)}
	onNetworks := map[string]bool{}

	for _, nic := range view.NICs(facts.VMFacts) {
		onNetworks[nic.Name] = true

		facts.NICs = append(facts.NICs, s.nicFacts(nic))
	}

	if vm := facts.VM; vm != nil && vm.Spec.Template != nil {
		for _, device := range vm.Spec.Template.Spec.Domain.Devices.Interfaces {
			if !onNetworks[device.Name] {
				facts.Elsewhere = append(facts.Elsewhere, device.Name)
			}
		}
	}

	return facts, true
}

func (s *Store) nicFacts(nic view.NIC) view.NICFacts {
	facts := view.NICFacts{NIC: nic}
	namespace, name, _ := strings.Cut(nic.Network, "/")

	if network := s.networks.entries[Key{Namespace: namespace, Name: name}]; network != nil {
		facts.Network = network
		facts.NetworkMessage = view.NetworkMessage(s.networkFacts(network))
		facts.Unsuitable = kube.NetworkUnsuitable(network)
	}

	if nic.Pool != nil {
		pool := keyOf(nic.Pool)
		facts.Agents = s.agents(pool)

		if entry := s.pools.entries[pool]; entry != nil {
			body := s.poolBody(entry)
			facts.Pool = &body
		}
	}

	if nic.Lease != nil {
		body := view.Lease(s.leaseFacts(nic.Lease))
		facts.Lease = &body
	}

	return facts
}

// OwnerOf returns the request that speaks for the owner of the lease, or false.
func (s *Store) OwnerOf(lease Key) (request Key, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	entry := s.leases.entries[lease]
	if entry == nil || entry.facts.Lease.Spec.Owner == nil {
		return Key{}, false
	}

	speaks := s.requestOf(entry.facts.Lease.Spec.Owner)
	if speaks == nil {
		return Key{}, false
	}

	return keyOf(speaks), true
}

// RequestOf returns the name of the request that speaks for the machine, or "".
func (s *Store) RequestOf(machine Key) string {
	s.mu.RLock()
	defer s.mu.RUnlock()

	if speaks := s.speaker(machine); speaks != nil {
		return speaks.Name
	}

	return ""
}
