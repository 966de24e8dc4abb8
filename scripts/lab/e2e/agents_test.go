package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/fault"
	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// TestOneAgentKilled: the loss of the agent that speaks for the server's address
// keeps no guest from renewing, nor another from booting.
func TestOneAgentKilled(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "agent-killed")
	w.managed("net", 104, "172.20.4.0/24")

	defer w.boots(2)()

	w.create(guest.VMSpec{Name: "running", NICs: []guest.VMNIC{{Network: "net", MAC: mac(104, 1)}}})
	address := w.holds("running", 1).Held()[0]
	w.leased("running", mac(104, 1), address)

	owner, err := w.watch.Owner(w.ctx, w.namespace, "net", poolTimeout)
	w.must(err)
	w.must(w.watch.KillPod(w.ctx, owner))

	start := time.Now()
	w.create(guest.VMSpec{Name: "booting", NICs: []guest.VMNIC{{Network: "net", MAC: mac(104, 2)}}})

	renewed, took := w.renew("running", mac(104, 1))
	if renewed.Addr.Addr() != address {
		t.Fatalf("running renewed %s, before it had %s", renewed.Addr, address)
	}

	t.Logf("agent %s, which spoke for the server's address, was killed; running renewed %s at once (%s)", owner, renewed.Addr, seconds(took))

	said := w.leased("booting", mac(104, 2), w.holds("booting", 1).Held()[0])
	t.Logf("a guest that booted meanwhile says %s (%s)", said.Addr, seconds(time.Since(start)))

	pool := w.served("net")
	next, err := w.watch.Owner(w.ctx, w.namespace, "net", poolTimeout)
	w.must(err)
	t.Logf("pool %s has %s agents again after %s; %s speaks for the server's address now", pool.Name, pool.Agents, seconds(time.Since(start)), next)
}

// TestNodeCutOff: a node that loses the network takes its agent along and nobody
// else: guests elsewhere renew, and boot. It runs alone, because the network is
// that of all scenarios.
func TestNodeCutOff(t *testing.T) {
	w := newWorld(t, "node-cut-off")
	w.managed("net", 113, "172.20.13.0/24")

	place := w.placement("net")
	cut, other, without := place.owner, place.other.Name, place.without.Name

	defer w.boots(2)()

	w.create(guest.VMSpec{Name: "running", NICs: []guest.VMNIC{{Network: "net", MAC: mac(113, 1)}}, Node: without})
	address := w.holds("running", 1).Held()[0]
	w.leased("running", mac(113, 1), address)

	w.must(fault.Cut(cut, providerAll))
	t.Cleanup(func() {
		if err := fault.Restore(cut, providerAll); err != nil {
			t.Error(err)
		}
	})
	w.create(guest.VMSpec{Name: "booting", NICs: []guest.VMNIC{{Network: "net", MAC: mac(113, 2)}}, Node: without})

	renewed, took := w.renew("running", mac(113, 1))
	if renewed.Addr.Addr() != address {
		t.Fatalf("running renewed %s, before it had %s", renewed.Addr, address)
	}

	t.Logf("%s, whose agent spoke for the server's address, lost its cable to %s; running, on %s, renewed %s (%s) with the agent on %s",
		cut.Name, providerAll, without, renewed.Addr, seconds(took), other)

	said := w.leased("booting", mac(113, 2), w.holds("booting", 1).Held()[0])
	t.Logf("booting, on %s too, says %s", without, said.Addr)

	w.must(fault.Restore(cut, providerAll))

	renewed, took = w.renew("running", mac(113, 1))
	t.Logf("the cable is back; running renewed %s (%s)", renewed.Addr, seconds(took))
}

// TestStrangersGetSilence: a MAC that no virtual machine has is not answered,
// while one beside it that is known has its address at once.
func TestStrangersGetSilence(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "strangers")
	w.managed("net", 114, "172.20.14.0/24")
	w.halted("net", 114, 1, "known")
	address := w.holds("known", 1).Held()[0]

	stranger := w.light("node2", "net", mac(114, 99))
	known := w.light("node2", "net", mac(114, 1))

	said, err := known.WaitLease(w.ctx, guestTimeout)
	w.must(err)

	if said.Addr.Addr() != address {
		t.Fatalf("the known MAC was given %s, its pool says %s", said.Addr, address)
	}

	w.silence(stranger)
	t.Logf("%s is known and was given %s; %s beside it is not, and was answered nothing in two rounds of requests", known.MAC(), said.Addr, stranger.MAC())
}

// capNetRaw is bit 13 of a capability set, see capabilities(7).
const capNetRaw = 1 << 13

// TestAgentsRights: what the kernel says of an agent's process.
func TestAgentsRights(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "agent-rights")
	w.managed("net", 115, "172.20.15.0/24")

	agents, err := w.watch.Agents(w.ctx, w.namespace, "net")
	w.must(err)

	for _, agent := range agents {
		if agent.Status.Phase != corev1.PodRunning {
			continue
		}

		node, err := w.Cluster.Node(agent.Spec.NodeName)
		w.must(err)

		// The image has no shell; the node's has the same view of the process.
		script := fmt.Sprintf(`for p in $(pgrep -f -- '^/agent .*--ippool-ref=%s/net'); do cat /proc/$p/status; done`, w.namespace)
		out, err := node.Exec(w.ctx, "sh", "-c", script)
		w.must(err)

		status := map[string]string{}

		for line := range strings.Lines(string(out)) {
			if key, value, ok := strings.Cut(line, ":"); ok {
				status[key] = strings.TrimSpace(value)
			}
		}

		for key, want := range map[string]string{
			"CapEff": fmt.Sprintf("%016x", capNetRaw), "CapPrm": fmt.Sprintf("%016x", capNetRaw), "CapBnd": fmt.Sprintf("%016x", capNetRaw),
			"CapAmb": fmt.Sprintf("%016x", 0), "NoNewPrivs": "1", "Seccomp": "2",
		} {
			if status[key] != want {
				t.Errorf("agent %s on %s: %s is %q, want %q", agent.Name, node.Name, key, status[key], want)
			}
		}

		t.Logf("agent %s on %s has the capabilities %s (NET_RAW only), no new privileges and a seccomp filter", agent.Name, node.Name, status["CapEff"])
	}
}
