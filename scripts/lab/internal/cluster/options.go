package cluster

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// DefaultStateDir is where a cluster keeps its state unless told otherwise.
const DefaultStateDir = "/var/lib/freehold-lab"

// maxNodes bounds the number of nodes: each takes one of the addresses below
// the control plane's.
const maxNodes = 99

// NodeSpec describes a node.
type NodeSpec struct {
	Name         string `json:"name"`
	ControlPlane bool   `json:"controlPlane,omitempty"` // carries the control plane's labels; pods are scheduled on it all the same
}

// ClusterNetwork is a Harvester cluster network: on its nodes, and only there,
// a bridge NAME-br connects what is attached to it with the other nodes.
type ClusterNetwork struct { //nolint:revive // Harvester's word for it
	Name  string   `json:"name"`
	Nodes []string `json:"nodes"`
}

// Options say what Up builds. The zero value gives the default cluster: three
// nodes, the first of them with the control plane's labels, and the cluster
// networks mgmt and provider-all on all nodes and provider-cp on the first.
type Options struct {
	Name            string           `json:"name"`     // of the cluster, for people
	StateDir        string           `json:"stateDir"` // DefaultStateDir when empty
	Nodes           []NodeSpec       `json:"nodes"`
	ClusterNetworks []ClusterNetwork `json:"clusterNetworks"`
}

// withDefaults fills what is empty.
func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "freehold-lab"
	}
	if o.StateDir == "" {
		o.StateDir = DefaultStateDir
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []NodeSpec{{Name: "node1", ControlPlane: true}, {Name: "node2"}, {Name: "node3"}}
	}
	if o.ClusterNetworks == nil {
		var all, first []string
		for _, n := range o.Nodes {
			all = append(all, n.Name)
		}
		first = all[:1]
		o.ClusterNetworks = []ClusterNetwork{
			{Name: "mgmt", Nodes: all}, {Name: "provider-all", Nodes: all}, {Name: "provider-cp", Nodes: first},
		}
	}
	return o
}

// validate refuses what cannot be built, naming the field.
func (o Options) validate() error {
	if !filepath.IsAbs(o.StateDir) || filepath.Clean(o.StateDir) == "/" {
		return fmt.Errorf("stateDir %q: want an absolute path of a directory of the lab's own", o.StateDir)
	}
	if len(o.Nodes) > maxNodes {
		return fmt.Errorf("nodes: %d given, at most %d are possible", len(o.Nodes), maxNodes)
	}
	var names []string
	for i, n := range o.Nodes {
		if msgs := validation.IsDNS1123Label(n.Name); len(msgs) > 0 {
			return fmt.Errorf("nodes[%d].name %q: %s", i, n.Name, msgs[0])
		}
		if slices.Contains(names, n.Name) || n.Name == controlPlaneName {
			return fmt.Errorf("nodes[%d].name %q: is taken", i, n.Name)
		}
		names = append(names, n.Name)
	}
	return o.validateNetworks(names)
}

func (o Options) validateNetworks(nodes []string) error {
	if len(o.ClusterNetworks) > vlan.MaxIndex {
		return fmt.Errorf("clusterNetworks: %d given, at most %d are possible", len(o.ClusterNetworks), vlan.MaxIndex)
	}
	seen := map[string]bool{}
	for i, cn := range o.ClusterNetworks {
		// The bridge's name has to fit the 15 bytes of an interface name.
		if msgs := validation.IsDNS1123Label(cn.Name); len(msgs) > 0 || len(vlan.BridgeName(cn.Name)) > 15 {
			return fmt.Errorf("clusterNetworks[%d].name %q: want a DNS label of at most 12 characters", i, cn.Name)
		}
		if seen[cn.Name] {
			return fmt.Errorf("clusterNetworks[%d].name %q: is given twice", i, cn.Name)
		}
		seen[cn.Name] = true
		for _, n := range cn.Nodes {
			if !slices.Contains(nodes, n) {
				return fmt.Errorf("clusterNetworks[%d].nodes: %q is no node of this cluster", i, n)
			}
		}
	}
	return nil
}

// The address plan. Everything lies in ranges that are unlikely to be in use:
// the control plane and this machine take part in the nodes' network.
const (
	controlPlaneName = "control-plane"
	podCIDR          = "10.77.0.0/16"
	serviceCIDR      = "10.96.0.0/16"
	underlayBits     = 24
	apiPort          = 6443
)

func nodeIP(index int) netip.Addr { return netip.AddrFrom4([4]byte{10, 250, 0, byte(index)}) }

func controlPlaneIP() netip.Addr { return nodeIP(250) }

func machineIP() netip.Addr { return nodeIP(254) }

func nodePods(index int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(index), 0}), 24)
}

// uplinkIP is a node's address for VXLAN on a cluster network, from the range
// that RFC 2544 keeps for tests.
func uplinkIP(network, node int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(network), byte(node)})
}

// linkPrefix begins the name of every interface that the lab makes on the
// machine itself; Down removes all of them.
const linkPrefix = "fhl-"

const underlayBridge = linkPrefix + "under"

func underlayLink(node int) string { return fmt.Sprintf("%su%d", linkPrefix, node) }

func switchBridge(network int) string { return fmt.Sprintf("%ssw%d", linkPrefix, network) }

func networkLink(network, node int) string { return fmt.Sprintf("%sc%dn%d", linkPrefix, network, node) }

// uplinkName is the cluster network's uplink inside a node, named like the bond
// that Harvester makes there.
func uplinkName(clusterNetwork string) string { return clusterNetwork + "-bo" }
