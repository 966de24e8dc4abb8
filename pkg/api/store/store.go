// Package store is the REST API's index of what the caches hold: sorted,
// searchable, and with a feed of what changes. It is filled by the events of the
// caches and can be thrown away at any time.
//
// The objects that it is given are shared with the caches and are never changed.
package store

import (
	"hash/maphash"
	"sync"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// Key names an object.
type Key = types.NamespacedName

// Store is the index. Make one with New. It is safe for concurrent use.
type Store struct {
	config  Config
	started time.Time
	feed    feed
	history history
	synced  []func() bool
	seed    maphash.Seed

	// writes orders changes, so that the feed tells them in the order in which
	// the index shows them. It is taken before mu.
	writes sync.Mutex

	// mu guards what follows.
	mu       sync.RWMutex
	pools    table[*poolEntry]
	leases   table[*leaseEntry]
	networks table[*nadv1.NetworkAttachmentDefinition]
	machines table[*machineEntry]
	vms      map[Key]*kubevirtv1.VirtualMachine
	vmis     map[Key]*kubevirtv1.VirtualMachineInstance
	requests map[Key]*v1alpha1.VirtualMachineNetworkConfig
	pods     table[*podEntry]
	nodes    map[string]*corev1.Node

	// poolsOf finds the pools of a network "namespace/name".
	poolsOf map[string]map[Key]*v1alpha1.IPPool
	// requestsOf finds the requests of a machine.
	requestsOf map[Key]map[Key]*v1alpha1.VirtualMachineNetworkConfig
	// podsOf finds the agents of a pool, by the value of its label.
	podsOf map[Key]map[Key]*podEntry
	// heard is what agents told of a pool lately.
	heard map[Key]Heard
	// serving counts the changes of which networks have a pool.
	serving uint64
}

// Config is what a Store works with. Clock is required.
type Config struct {
	// Clock is time.Now, but in tests.
	Clock func() time.Time
	// Ledger is the process's view of the leases; nil for one of the store's
	// own. It may be filled by others, too.
	Ledger *ledger.Ledger
	// ManagedByDefault says whether networks without the managed-dhcp annotation
	// get a pool, as the manager is told.
	ManagedByDefault bool
}

// New returns an empty store.
func New(config Config) *Store {
	if config.Ledger == nil {
		config.Ledger = ledger.New()
	}

	return &Store{
		config:  config,
		seed:    maphash.MakeSeed(),
		started: config.Clock().UTC().Truncate(time.Second),
		pools:   newTable((*poolEntry).position), leases: newTable((*leaseEntry).position),
		networks: newTable(networkPosition), machines: newTable((*machineEntry).position), pods: newTable((*podEntry).position),
		vms: map[Key]*kubevirtv1.VirtualMachine{}, vmis: map[Key]*kubevirtv1.VirtualMachineInstance{},
		requests: map[Key]*v1alpha1.VirtualMachineNetworkConfig{}, nodes: map[string]*corev1.Node{},
		poolsOf: map[string]map[Key]*v1alpha1.IPPool{}, requestsOf: map[Key]map[Key]*v1alpha1.VirtualMachineNetworkConfig{},
		podsOf: map[Key]map[Key]*podEntry{}, heard: map[Key]Heard{},
	}
}

// Started is when the store began to see changes.
func (s *Store) Started() time.Time { return s.started }

// Revision is that of the last change; 0 before the first.
func (s *Store) Revision() uint64 { return s.feed.revision() }

// Subscribe has the function told of every change from then on, in order and
// one at a time, after the index shows it. It must return at once: it holds up
// the caches' events. It may read the store, and must not call Subscribe or its
// cancel. The returned function ends the subscription.
func (s *Store) Subscribe(told func(Change)) (cancel func()) { return s.feed.subscribe(told) }

// poolsServing returns the pools that are for the network, with mu held.
func (s *Store) poolsServing(network string) []*v1alpha1.IPPool {
	found := make([]*v1alpha1.IPPool, 0, len(s.poolsOf[network]))
	for _, pool := range s.poolsOf[network] {
		found = append(found, pool)
	}

	return found
}
