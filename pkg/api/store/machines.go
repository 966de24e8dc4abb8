package store

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// machineEntry is a machine: a VirtualMachine, or what a request made by hand
// speaks of.
type machineEntry struct {
	key Key
	// told is the hash of the body as it was told last; 0 for never.
	told uint64
	// summary is what lists filter by. It is made when it is first read, and
	// dropped when anything about the machine changes.
	summary atomic.Pointer[machineSummary]
}

// machineSummary is what lists filter machines by.
type machineSummary struct {
	serving uint64 // the store's when it was made
	managed bool
	state   v1.VMState
	text    string // what is searched, in lower case
}

func (m *machineEntry) position() Position {
	return Position{Namespace: m.key.Namespace, Name: m.key.Name}
}

// speaker returns the request that speaks for the machine, or nil.
func (s *Store) speaker(machine Key) *v1alpha1.VirtualMachineNetworkConfig {
	found := s.requestsOf[machine]
	if len(found) == 0 {
		return nil
	}

	requests := make([]*v1alpha1.VirtualMachineNetworkConfig, 0, len(found))
	for _, request := range found {
		requests = append(requests, request)
	}

	return kube.Speaker(machine.Name, requests)
}

// vmFacts observes the machine, with mu held.
func (s *Store) vmFacts(machine Key) view.VMFacts {
	facts := view.VMFacts{
		Namespace: machine.Namespace, Name: machine.Name,
		VM: s.vms[machine], VMI: s.vmis[machine], Request: s.speaker(machine), PoolOf: s.poolOf,
	}

	// An instance of an earlier machine of that name tells nothing.
	if facts.VMI != nil && (facts.VM == nil || !slices.ContainsFunc(facts.VMI.OwnerReferences, ownerIs(facts.VM.UID))) {
		facts.VMI = nil
	}

	var leases []*v1alpha1.IPLease

	if facts.VM != nil {
		leases = append(leases, s.config.Ledger.Held(facts.VM.UID)...)
	}

	if facts.Request != nil {
		leases = append(leases, s.config.Ledger.Held(facts.Request.UID)...)
	}

	for _, lease := range leases {
		held := view.HeldLease{Lease: lease}
		if pool := s.pools.entries[ledger.PoolOf(lease)]; pool != nil {
			held.Network = pool.network
		}

		facts.Leases = append(facts.Leases, held)
	}

	return facts
}

// poolOf returns the pool that serves the network, or nil, with mu held.
func (s *Store) poolOf(network string) *v1alpha1.IPPool {
	pool, err := kube.PoolOf(poolFinder{s}, network)
	if err != nil {
		return nil // the finder has no errors
	}

	return pool
}

// poolFinder is the store as a kube.PoolFinder, with mu held.
type poolFinder struct{ store *Store }

// GetByIndex implements kube.PoolFinder for kube.IndexPoolByNetwork.
func (f poolFinder) GetByIndex(_, network string) ([]*v1alpha1.IPPool, error) {
	return f.store.poolsServing(network), nil
}

// summarise returns the machine's summary, with mu held for reading at least.
func (s *Store) summarise(entry *machineEntry) *machineSummary {
	if known := entry.summary.Load(); known != nil && known.serving == s.serving {
		return known
	}

	body := view.VM(s.vmFacts(entry.key))
	fresh := &machineSummary{serving: s.serving, state: body.State}
	texts := []string{body.Namespace + "/" + body.Name}

	for _, nic := range body.NICs {
		fresh.managed = fresh.managed || nic.Managed || nic.State == v1.NICAllocated
		texts = append(texts, nic.Address)
	}

	fresh.text = strings.ToLower(strings.Join(texts, "\n"))
	// Nobody drops it meanwhile: that takes mu for writing.
	entry.summary.Store(fresh)

	return fresh
}

// touchMachine enters or removes the machine, or has it read anew, with mu held.
// It returns the change if the body is another one now.
func (s *Store) touchMachine(key Key) []Change {
	entry := s.machines.entries[key]
	there := s.vms[key] != nil || len(s.requestsOf[key]) > 0

	switch {
	case !there && entry == nil:
		return nil
	case !there:
		s.machines.drop(key)

		return []Change{{Kind: v1.ChangeVM, Type: v1.ChangeRemoved, Namespace: key.Namespace, Name: key.Name}}
	case entry == nil:
		s.machines.put(key, &machineEntry{key: key})

		return []Change{{Kind: v1.ChangeVM, Type: v1.ChangeAdded, Namespace: key.Namespace, Name: key.Name}}
	}

	entry.summary.Store(nil)

	// KubeVirt writes much about a machine that is not shown here. While nobody
	// listens it is not worth knowing what is.
	if !s.feed.listened() {
		entry.told = 0
	} else if told := s.hash(view.VM(s.vmFacts(key))); told != entry.told {
		entry.told = told
	} else {
		return nil
	}

	return []Change{{Kind: v1.ChangeVM, Type: v1.ChangeChanged, Namespace: key.Namespace, Name: key.Name}}
}

// remember notes what the machine looks like before a change, so that only a
// change that shows is told. It is called with mu held.
func (s *Store) remember(key Key) {
	if entry := s.machines.entries[key]; entry != nil && entry.told == 0 && s.feed.listened() {
		entry.told = s.hash(view.VM(s.vmFacts(key)))
	}
}

func (s *Store) hash(body v1.VM) uint64 {
	text, err := json.Marshal(body)
	if err != nil {
		return 0 // a body that cannot be written is told each time
	}

	return maphash.Bytes(s.seed, text)
}
