// Package cluster runs a real Kubernetes cluster of several nodes on one
// machine: every node has mount, process and network namespaces of its own with
// a real kubelet, containerd and Multus. The control plane has its own as well,
// so that no fault of a node takes it along. The package knows nothing of what
// is installed on the cluster.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// state is what Up stores for the commands that come after it.
type state struct {
	Options         Options   `json:"options"`
	Mode            vlan.Mode `json:"vlanMode"`
	ControlPlaneDir string    `json:"controlPlaneDir"` // binaries
	RuntimeDir      string    `json:"runtimeDir"`      // binaries
	Complete        bool      `json:"complete"`        // Up has come to its end
}

// Cluster is a cluster that Up has started. Its methods may be called from
// several goroutines.
type Cluster struct {
	state
	dir   string
	nodes []*Node
}

// Node is one node of a cluster.
type Node struct {
	Name         string
	IP           string // address in the nodes' network
	PodCIDR      string
	ControlPlane bool

	index    int
	networks []vlan.Network
	cluster  *Cluster
}

// ErrNotUp means that no cluster is there.
var ErrNotUp = errors.New("the lab is not up: start it with `make lab-up`")

// Open returns the cluster that Up started with this state directory
// (DefaultStateDir when empty). The error is ErrNotUp when there is none; the
// cluster may be broken all the same, see Status.
func Open(stateDir string) (*Cluster, error) {
	if stateDir == "" {
		stateDir = DefaultStateDir
	}
	data, err := os.ReadFile(filepath.Join(stateDir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotUp
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(stateDir, stateFile), err)
	}
	return newCluster(s), nil
}

const stateFile = "cluster.json"

func newCluster(s state) *Cluster {
	c := &Cluster{state: s, dir: s.Options.StateDir}
	for i, spec := range s.Options.Nodes {
		index := i + 1
		n := &Node{
			Name: spec.Name, IP: nodeIP(index).String(), PodCIDR: nodePods(index).String(),
			ControlPlane: spec.ControlPlane, index: index, cluster: c,
		}
		for k, cn := range s.Options.ClusterNetworks {
			if slices.Contains(cn.Nodes, spec.Name) {
				n.networks = append(n.networks, vlan.Network{Name: cn.Name, Index: k + 1, Uplink: uplinkIP(k+1, index)})
			}
		}
		c.nodes = append(c.nodes, n)
	}
	return c
}

func (c *Cluster) save() error {
	data, err := json.MarshalIndent(c.state, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, stateFile), append(data, '\n'), 0o644)
}

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// RestConfig returns the administrator's client configuration.
func (c *Cluster) RestConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("kubeconfig of the lab: %w", err)
	}
	config.QPS, config.Burst = 200, 400 // the lab's own calls must not wait for themselves
	return config, nil
}

// Nodes returns the nodes in order.
func (c *Cluster) Nodes() []*Node { return slices.Clone(c.nodes) }

// Node returns the node of that name.
func (c *Cluster) Node(name string) (*Node, error) {
	for _, n := range c.nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("node %q: the lab has no such node", name)
}

// ClusterNetworks returns the cluster networks in order.
func (c *Cluster) ClusterNetworks() []ClusterNetwork {
	return slices.Clone(c.Options.ClusterNetworks)
}

// VLANMode says how VLANs are made.
func (c *Cluster) VLANMode() vlan.Mode { return c.Mode }

// AuditLog returns the path of the API server's audit log: one JSON object a
// line (audit.k8s.io/v1, level Metadata) for every write, and none for reads.
func (c *Cluster) AuditLog() string { return filepath.Join(c.controlPlaneDir(), "log", "audit.log") }

// StateDir returns the directory that holds everything of this cluster.
func (c *Cluster) StateDir() string { return c.dir }

// BinDirs returns the directories with kubectl, ctr and the other programs.
func (c *Cluster) BinDirs() []string { return []string{c.ControlPlaneDir, c.RuntimeDir} }

// APIServer returns the address of the API server.
func (c *Cluster) APIServer() netip.AddrPort { return netip.AddrPortFrom(controlPlaneIP(), apiPort) }

func (c *Cluster) controlPlaneDir() string { return filepath.Join(c.dir, controlPlaneName) }

func (n *Node) dir() string { return filepath.Join(n.cluster.dir, "nodes", n.Name) }

// LogDir returns the directory of the node's daemons' logs.
func (n *Node) LogDir() string { return filepath.Join(n.dir(), "log") }

// ContainerdSocket returns the path of the node's containerd socket.
func (n *Node) ContainerdSocket() string { return filepath.Join(n.dir(), "containerd.sock") }

// ControlSocket returns the path where the node's process 1 takes orders.
func (n *Node) ControlSocket() string { return filepath.Join(n.dir(), "init.sock") }

// ControlSocket returns the path where the control plane's process 1 takes
// orders.
func (c *Cluster) ControlSocket() string { return filepath.Join(c.controlPlaneDir(), "init.sock") }

// Networks returns the cluster networks that the node carries.
func (n *Node) Networks() []vlan.Network { return slices.Clone(n.networks) }

// Links returns the names, on this machine, of the far ends of the node's
// interfaces: of a cluster network's when one is named, else of all.
func (n *Node) Links(clusterNetwork string) ([]string, error) {
	var links []string
	if clusterNetwork == "" {
		links = append(links, underlayLink(n.index))
	}
	for _, cn := range n.networks {
		if clusterNetwork == "" || clusterNetwork == cn.Name {
			links = append(links, networkLink(cn.Index, n.index))
		}
	}
	if len(links) == 0 {
		return nil, fmt.Errorf("node %s does not carry the cluster network %q", n.Name, clusterNetwork)
	}
	return links, nil
}
