package e2e

import (
	"testing"
	"time"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/fault"
)

// TestNodeFails: a node that is frozen, has no runtime or is dead keeps no guest
// elsewhere from its address, and is as it was when the fault is undone. It runs
// alone, because it takes what runs on the node from everybody.
func TestNodeFails(t *testing.T) {
	w := newWorld(t, "node-fails")
	w.managed("net", 130, "172.20.30.0/24")
	w.halted("net", 130, 1, "vm")

	address := w.holds("vm", 1).Held()[0]
	place := w.placement("net")
	node := place.owner
	elsewhere := w.light(place.without.Name, "net", mac(130, 1))
	w.lightHas(elsewhere, address)
	t.Logf("agents of the pool are on %s, where the server's address is, and %s; a guest on %s has %s",
		node.Name, place.other.Name, place.without.Name, address)

	// Frozen.
	start := time.Now()
	w.must(fault.Freeze(node))
	w.t.Cleanup(func() {
		if node.Pid() == 0 {
			return
		}

		if err := fault.Thaw(node); err != nil {
			t.Error(err)
		}
	})

	if got := w.nodeStatus(node); got.Err == nil {
		t.Fatalf("frozen, %s says what runs on it: %+v", node.Name, got.Services)
	}

	took := w.reboot(elsewhere, address)
	t.Logf("%s is frozen and does not answer; the guest boots with %s (%s)", node.Name, address, seconds(took))

	thawed := time.Now()
	w.must(fault.Thaw(node))
	w.must(node.AwaitReady(w.ctx, thawed))
	w.wellNode(node)
	t.Logf("after %s it is thawed, and Ready %s later", seconds(thawed.Sub(start)), seconds(time.Since(thawed)))

	// Without runtime.
	processes := w.agentProcesses(node, "net")
	w.must(fault.StopRuntime(w.ctx, node))

	for _, service := range w.nodeStatus(node).Services {
		if runs := service.Name != cluster.Kubelet && service.Name != cluster.Containerd; service.Running != runs {
			t.Errorf("without its runtime %s has %s running: %t, want %t", node.Name, service.Name, service.Running, runs)
		}
	}

	if now := w.agentProcesses(node, "net"); len(now) != 1 || now[0] != processes[0] {
		t.Errorf("without its runtime %s has the agents %v, before %v", node.Name, now, processes)
	}

	took = w.renewLight(elsewhere, address)
	t.Logf("kubelet and containerd of %s are stopped, its agent is not; the guest renews %s (%s)", node.Name, address, seconds(took))

	start = time.Now()
	w.must(fault.StartRuntime(w.ctx, node))
	w.must(node.AwaitReady(w.ctx, start))
	w.wellNode(node)
	t.Logf("they are started, and %s is Ready %s later", node.Name, seconds(time.Since(start)))

	// Dead.
	w.must(fault.KillNode(w.ctx, node))

	if _, err := node.Exec(w.ctx, "true"); err == nil || node.Pid() != 0 {
		t.Fatalf("killed, %s has process %d and takes commands", node.Name, node.Pid())
	}

	took = w.reboot(elsewhere, address)
	t.Logf("%s is dead; the guest boots with %s (%s)", node.Name, address, seconds(took))

	start = time.Now()
	w.must(fault.StartNode(w.ctx, node))
	w.wellNode(node)
	t.Logf("it is started, and Ready %s later", seconds(time.Since(start)))
	w.until(recoverTimeout, "the agent on "+node.Name+" to come back", func() (bool, string) {
		return len(w.agentProcesses(node, "net")) == 1, "it is not there"
	})
	w.recovered()
	w.served("net")

	took = w.renewLight(elsewhere, address)
	t.Logf("both agents answer again; the guest renews %s (%s)", address, seconds(took))
}

// placement says where a pool's two agents run: owner is the node of the one
// that speaks for the server's address, without is a node without an agent.
type placement struct{ owner, other, without *cluster.Node }

func (w *world) placement(pool string) placement {
	w.t.Helper()

	name, err := w.watch.Owner(w.ctx, w.namespace, pool, poolTimeout)
	w.must(err)

	agents, err := w.watch.Agents(w.ctx, w.namespace, pool)
	w.must(err)

	others := map[string]bool{}

	var p placement

	for _, agent := range agents {
		node, err := w.Cluster.Node(agent.Spec.NodeName)
		w.must(err)

		if agent.Name == name {
			p.owner = node
		} else {
			others[node.Name] = true
		}
	}

	for _, node := range w.Cluster.Nodes() {
		switch {
		case p.owner != nil && node.Name == p.owner.Name:
		case others[node.Name]:
			p.other = node
		default:
			p.without = node
		}
	}

	if p.owner == nil || p.other == nil || p.without == nil {
		w.t.Fatalf("want agents of pool %s on two nodes and one node without: %+v", pool, p)
	}

	return p
}

func (w *world) nodeStatus(node *cluster.Node) cluster.NodeStatus {
	w.t.Helper()

	for _, status := range w.Cluster.Status(w.ctx).Nodes {
		if status.Name == node.Name {
			return status
		}
	}

	w.t.Fatalf("the lab has no node %s", node.Name)

	return cluster.NodeStatus{}
}

// wellNode fails when a service of the node does not run.
func (w *world) wellNode(node *cluster.Node) {
	w.t.Helper()

	status := w.nodeStatus(node)
	w.must(status.Err)

	for _, service := range status.Services {
		if !service.Running {
			w.t.Errorf("%s of %s does not run: %s", service.Name, node.Name, service.Last)
		}
	}
}
