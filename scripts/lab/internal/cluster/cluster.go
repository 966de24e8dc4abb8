// Package cluster runs a real Kubernetes cluster of several nodes on one
// machine: every node has mount, process and network namespaces of its own with
// a real kubelet, containerd and Multus. It knows nothing of what is installed
// on the cluster.
package cluster

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
)

// DefaultStateDir is where a cluster keeps its state unless told otherwise.
const DefaultStateDir = "/var/lib/freehold-lab"

// NodeSpec describes a node.
type NodeSpec struct {
	Name         string
	ControlPlane bool // carries the control plane's labels; pods are scheduled on it all the same
}

// ClusterNetwork is a Harvester cluster network: on its nodes, and only there,
// a bridge NAME-br connects what is attached to it with the other nodes.
type ClusterNetwork struct {
	Name  string
	Nodes []string
}

// Options say what Up builds. The zero value gives the default cluster.
type Options struct {
	Name            string
	StateDir        string
	Nodes           []NodeSpec
	ClusterNetworks []ClusterNetwork
}

// Cluster is a running cluster.
type Cluster struct{}

// Node is one node of a cluster.
type Node struct {
	Name string
	IP   string
}

// Up starts the cluster.
func Up(ctx context.Context, cache *build.Cache, o Options) (*Cluster, error) { panic("to come") }

// Open finds the cluster that Up started.
func Open(stateDir string) (*Cluster, error) { panic("to come") }

// Down ends the cluster.
func Down(ctx context.Context, stateDir string) error { panic("to come") }

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { panic("to come") }

// RestConfig returns the administrator's client configuration.
func (c *Cluster) RestConfig() (*rest.Config, error) { panic("to come") }

// Nodes returns the nodes in order.
func (c *Cluster) Nodes() []*Node { panic("to come") }

// Node returns the node of that name.
func (c *Cluster) Node(name string) (*Node, error) { panic("to come") }

// ImportOptions change what ImportImage does.
type ImportOptions struct {
	TagDigest bool     // also name each image NAME@DIGEST, as KubeVirt's live migration asks for it
	Nodes     []string // empty means all
}

// ImportImage imports a docker archive on the nodes given (none means all), in parallel.
func (c *Cluster) ImportImage(ctx context.Context, tarPath string, nodes ...string) error {
	panic("to come")
}

// ImportImageWith is ImportImage with options.
func (c *Cluster) ImportImageWith(ctx context.Context, tarPath string, o ImportOptions) error {
	panic("to come")
}

// AuditLog returns the path of the API server's audit log.
func (c *Cluster) AuditLog() string { panic("to come") }

// Exec runs a command inside the node's namespaces and returns its output.
func (n *Node) Exec(ctx context.Context, argv ...string) ([]byte, error) { panic("to come") }

// Pid returns the process id of the node's pid 1 on this machine.
func (n *Node) Pid() int { panic("to come") }

// Netns returns the path of the node's network namespace.
func (n *Node) Netns() string { panic("to come") }
