package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/fault"
	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/kubevirt"
	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// recoverTimeout is how long the whole cluster may take to be well again.
const recoverTimeout = 5 * time.Minute

// outageTimeout is how long a call to what is stopped is waited for.
const outageTimeout = 5 * time.Second

// TestControlPlaneStops: while the API server or etcd is stopped, guests renew
// and boot, and an agent that is killed comes back and answers. It runs alone,
// because it takes the API server from everybody.
func TestControlPlaneStops(t *testing.T) {
	w := newWorld(t, "control-plane-stops")
	w.managed("net", 129, "172.20.29.0/24")
	w.halted("net", 129, 1, "running", "booting")

	first, second := w.holds("running", 1).Held()[0], w.holds("booting", 1).Held()[0]
	running := w.light("node2", "net", mac(129, 1))
	booting := w.attach("node3", "net", mac(129, 2))
	tools := w.tools()
	nodes := w.agentNodes("net")

	w.lightHas(running, first)

	// The API server.
	w.stopped(cluster.APIServer)

	took := w.renewLight(running, first)
	t.Logf("the API server is stopped; a guest renewed %s (%s)", first, seconds(took))
	w.must(booting.Run(context.WithoutCancel(w.ctx), tools, guest.Udhcpc))
	w.lightHas(booting, second)
	t.Logf("another guest booted with %s", second)

	for _, node := range nodes {
		w.killAgent(node, "net")
	}

	took = w.renewLight(running, first)
	t.Logf("all %d agents were killed and came back without the API server; the guest renewed %s (%s)", len(nodes), first, seconds(took))
	w.started(cluster.APIServer)

	// Its store.
	w.stopped(cluster.Etcd)

	took = w.renewLight(running, first)
	t.Logf("etcd is stopped; the guest renewed %s (%s)", first, seconds(took))
	w.started(cluster.Etcd)

	start := time.Now()
	w.halted("net", 129, 3, "late")

	request, err := w.watch.Allocated(w.ctx, w.namespace, "late", 1, poolTimeout)
	w.must(err)
	t.Logf("both are back; a new machine holds %s %s after it was created", request.Held()[0], seconds(time.Since(start)))
	w.recovered()
}

// stopped stops a service of the control plane, until the test ends if nobody
// starts it before, and returns when the API server takes no writes.
func (w *world) stopped(service string) {
	w.t.Helper()
	w.must(fault.StopControlPlane(w.ctx, w.Cluster, service))
	w.t.Cleanup(func() {
		if err := fault.StartControlPlane(context.WithoutCancel(w.ctx), w.Cluster, service); err != nil {
			w.t.Error(err)
		}
	})
	w.until(recoverTimeout, "the API server to fail without "+service, func() (bool, string) {
		ctx, cancel := context.WithTimeout(w.ctx, outageTimeout)
		defer cancel()

		name := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "outage-"}}
		_, err := w.Clients.Core.CoreV1().ConfigMaps(w.namespace).Create(ctx, name, metav1.CreateOptions{})

		return err != nil, "it takes writes"
	})
}

// started starts a stopped service again and returns when all of the control
// plane runs.
func (w *world) started(service string) {
	w.t.Helper()

	start := time.Now()
	w.must(fault.StartControlPlane(w.ctx, w.Cluster, service))
	w.until(recoverTimeout, "the control plane to run", func() (bool, string) {
		status := w.Cluster.Status(w.ctx)
		for _, service := range status.ControlPlane {
			if !service.Running {
				return false, service.Name + " does not run"
			}
		}

		return status.API == nil && status.ControlPlaneErr == nil, fmt.Sprintf("API server: %v, process 1: %v", status.API, status.ControlPlaneErr)
	})
	w.t.Logf("the control plane runs again %s after %s was started", seconds(time.Since(start)), service)
}

// lightHas waits until the light guest itself says that it has the address.
func (w *world) lightHas(l *guest.Light, wanted netip.Addr) {
	w.t.Helper()

	event, err := l.WaitLease(w.ctx, guestTimeout)
	w.must(err)

	if event.Addr.Addr() != wanted {
		w.t.Fatalf("light guest %s says %s, its pool says %s", l.MAC(), event.Addr, wanted)
	}
}

// renewLight has the light guest renew and returns how long it took until it was
// answered.
func (w *world) renewLight(l *guest.Light, wanted netip.Addr) time.Duration {
	w.t.Helper()

	before, err := l.Events()
	w.must(err)

	start := time.Now()
	w.must(l.Renew())

	event, err := l.WaitEvent(w.ctx, guestTimeout, "a renewal", func(events []guest.Event) (guest.Event, bool) {
		event, ok := guest.Latest(events[len(before):], "", guest.Bound, guest.Renewed, guest.Changed)

		return event, ok
	})
	w.must(err)

	if event.Addr.Addr() != wanted {
		w.t.Fatalf("light guest %s renewed %s, before it had %s", l.MAC(), event.Addr, wanted)
	}

	return time.Since(start)
}

// reboot has the light guest ask for an address as if it had just been switched
// on, and returns how long it took until it had the one that its pool says.
func (w *world) reboot(l *guest.Light, wanted netip.Addr) time.Duration {
	w.t.Helper()
	l.Stop()

	before, err := l.Events()
	w.must(err)

	start := time.Now()
	w.must(l.Run(context.WithoutCancel(w.ctx), w.tools(), guest.Udhcpc))

	event, err := l.WaitEvent(w.ctx, guestTimeout, "a lease after its reboot", func(events []guest.Event) (guest.Event, bool) {
		return guest.Latest(events[len(before):], "", guest.Bound, guest.Renewed, guest.Changed)
	})
	w.must(err)

	if event.Addr.Addr() != wanted {
		w.t.Fatalf("rebooted, light guest %s says %s, its pool says %s", l.MAC(), event.Addr, wanted)
	}

	return time.Since(start)
}

// agentNodes returns the nodes that the pool's agents run on.
func (w *world) agentNodes(pool string) []*cluster.Node {
	w.t.Helper()

	agents, err := w.watch.Agents(w.ctx, w.namespace, pool)
	w.must(err)

	var nodes []*cluster.Node

	for _, agent := range agents {
		if agent.Status.Phase != corev1.PodRunning || agent.DeletionTimestamp != nil {
			continue
		}

		node, err := w.Cluster.Node(agent.Spec.NodeName)
		w.must(err)

		nodes = append(nodes, node)
	}

	return nodes
}

// agentProcesses returns the ids, within the node, of the pool's agents there.
func (w *world) agentProcesses(node *cluster.Node, pool string) []string {
	w.t.Helper()

	// pgrep says with an error that there are none.
	script := fmt.Sprintf("pgrep -f -- '^/agent .*--ippool-ref=%s/%s( |$)' || true", w.namespace, pool)
	out, err := node.Exec(w.ctx, "sh", "-c", script)
	w.must(err)

	return strings.Fields(string(out))
}

// killAgent kills the pool's agent on the node and returns when another process
// is there in its place.
func (w *world) killAgent(node *cluster.Node, pool string) {
	w.t.Helper()

	old := w.agentProcesses(node, pool)
	if len(old) == 0 {
		w.t.Fatalf("no agent of pool %s runs on %s", pool, node.Name)
	}

	_, err := node.Exec(w.ctx, append([]string{"kill", "-9"}, old...)...)
	w.must(err)
	w.until(poolTimeout, "an agent of pool "+pool+" to come back on "+node.Name, func() (bool, string) {
		now := w.agentProcesses(node, pool)

		return len(now) > 0 && !slices.Contains(old, now[0]), fmt.Sprintf("processes %v, killed %v", now, old)
	})
}

// recovered waits until every node is well and every pod of KubeVirt's and the
// product's is ready, for the scenarios to come.
func (w *world) recovered() {
	w.t.Helper()

	start := time.Now()

	w.until(recoverTimeout, "the cluster to be well", func() (bool, string) {
		if status := w.Cluster.Status(w.ctx); !status.Well() {
			return false, fmt.Sprintf("%+v", status)
		}

		for _, namespace := range []string{kubevirt.Namespace, product.Namespace} {
			pods, err := w.Clients.Core.CoreV1().Pods(namespace).List(w.ctx, metav1.ListOptions{})
			if err != nil {
				return false, err.Error()
			}

			for _, pod := range pods.Items {
				if !podReady(pod) {
					return false, fmt.Sprintf("pod %s/%s on %s is %s and not ready", namespace, pod.Name, pod.Spec.NodeName, pod.Status.Phase)
				}
			}
		}

		return true, ""
	})
	w.t.Logf("the cluster is well %s later", seconds(time.Since(start)))
}

func podReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
