package cluster

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// Status is the state of the cluster at one moment.
type Status struct {
	API             error // nil when the API server is ready
	VLANMode        vlan.Mode
	ControlPlane    []nodeinit.ServiceStatus
	ControlPlaneErr error // why ControlPlane is unknown
	Nodes           []NodeStatus
}

// NodeStatus is the state of one node.
type NodeStatus struct {
	Name     string
	IP       string
	Pid      int    // 0: the node is down
	Ready    bool   // as the API server has it
	Why      string // why it is not Ready
	Networks []string
	Services []nodeinit.ServiceStatus // empty when the node does not answer
	Err      error                    // why Services is empty
}

// statusTimeout bounds how long a frozen node holds up the others.
const statusTimeout = 3 * time.Second

// Status asks all nodes and the API server. What cannot be reached is part of
// the answer, not an error.
func (c *Cluster) Status(ctx context.Context) Status {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	s := Status{API: c.readyz(ctx), VLANMode: c.Mode}
	s.ControlPlane, s.ControlPlaneErr = nodeinit.Status(ctx, c.ControlSocket())
	s.Nodes = make([]NodeStatus, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { s.Nodes[i] = n.status(ctx, s.API == nil) })
	}
	wg.Wait()
	return s
}

func (n *Node) status(ctx context.Context, api bool) NodeStatus {
	s := NodeStatus{Name: n.Name, IP: n.IP, Pid: n.Pid(), Why: "the API server does not answer"}
	for _, cn := range n.networks {
		s.Networks = append(s.Networks, cn.Name)
	}
	if api {
		s.Ready, s.Why = n.ready(ctx)
	}
	if s.Pid != 0 {
		s.Services, s.Err = nodeinit.Status(ctx, n.ControlSocket())
	}
	return s
}

func (n *Node) ready(ctx context.Context) (ready bool, why string) {
	client, err := n.cluster.client()
	if err != nil {
		return false, err.Error()
	}
	node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return false, err.Error()
	}
	return nodeReady(node)
}

// Well reports whether everything runs and every node is Ready.
func (s Status) Well() bool {
	if s.API != nil || s.ControlPlaneErr != nil || !allRun(s.ControlPlane) {
		return false
	}
	for _, n := range s.Nodes {
		if n.Pid == 0 || !n.Ready || n.Err != nil || !allRun(n.Services) {
			return false
		}
	}
	return true
}

func allRun(services []nodeinit.ServiceStatus) bool {
	for _, s := range services {
		if !s.Running {
			return false
		}
	}
	return true
}

func (c *Cluster) well(ctx context.Context) bool { return c.Status(ctx).Well() }
