package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// lightGuests is how many light guests there are, and lightWidth how many of
// them are made at a time.
const (
	lightGuests = 36
	lightWidth  = 4
)

// lightMachine is a light guest and the virtual machine that it plays.
type lightMachine struct {
	name, mac string
	client    guest.Client
	node      *cluster.Node
	vm        *unstructured.Unstructured
	light     *guest.Light
	said      guest.Event
}

// TestLightGuests: tens of guests with the DHCP clients that people have, on all
// nodes, each get the address that their lease says. Half of the machines keep
// their MAC to themselves until they run. They are light guests: virtual
// machine and instance are KubeVirt's, but what runs is a DHCP client.
func TestLightGuests(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "light-guests")
	w.managed("net", 124, "172.20.24.0/24")

	clients := w.usableClients()
	nodes := w.Cluster.Nodes()
	machines := make([]*lightMachine, lightGuests)
	vms := make([]*unstructured.Unstructured, lightGuests)

	for i := range machines {
		m := &lightMachine{
			name: fmt.Sprintf("light-%02d", i), mac: mac(124, i), client: clients[i%len(clients)], node: nodes[i/len(clients)%len(nodes)],
		}

		nic := guest.VMNIC{Network: "net", MAC: m.mac}
		if i >= lightGuests/2 {
			nic.MAC = ""
		}

		var err error
		m.vm, err = guest.VM(guest.VMSpec{Namespace: w.namespace, Name: m.name, NICs: []guest.VMNIC{nic}, Light: true})
		w.must(err)

		machines[i], vms[i] = m, m.vm
	}

	start := time.Now()
	w.must(w.Harvester.CreateBurst(w.ctx, vms))
	w.heldIn("net", lightGuests/2)
	t.Logf("%d machines were created; the %d whose MAC is in their specification hold an address after %s, the others wait: %s",
		lightGuests, lightGuests/2, seconds(time.Since(start)), w.waits(machines[lightGuests-1].name, "nic-0", "MACUnknown").Message)

	w.runLight("net", machines)

	leases, err := w.watch.Leases(w.ctx, w.namespace, "net")
	w.must(err)

	held := map[string]string{}
	for _, lease := range leases {
		held[lease.MAC+" "+lease.Owner] = lease.Address.String()
	}

	if len(leases) != lightGuests || len(held) != lightGuests {
		t.Fatalf("%d leases for %d MACs and owners, want %d", len(leases), len(held), lightGuests)
	}

	for _, client := range clients {
		var words []string

		for _, m := range machines {
			if m.client != client {
				continue
			}

			if got, want := m.said.Addr.Addr().String(), held[m.mac+" "+w.namespace+"/"+m.name]; got != want {
				t.Errorf("%s in %s says %s for %s, its lease says %q", client, m.name, got, m.mac, want)
			}

			words = append(words, m.said.Addr.Addr().String()+" on "+m.node.Name)
		}

		t.Logf("%d guests with %s say what their leases say: %s", len(words), client, strings.Join(words, ", "))
	}

	t.Logf("all %d had their addresses %s after the first was created", lightGuests, seconds(time.Since(start)))
	w.stillRun(machines)
	w.must(w.Harvester.DeleteBurst(w.ctx, vms))
	w.heldIn("net", 0)
	t.Logf("they are deleted, and no lease is left")
}

// usableClients returns the DHCP clients that run here, and says which does not.
func (w *world) usableClients() []guest.Client {
	w.t.Helper()

	var usable []guest.Client

	for _, client := range guest.Clients() {
		if err := w.tools().Usable(client); err != nil {
			w.t.Logf("without %s: %v", client, err)

			continue
		}

		usable = append(usable, client)
	}

	return usable
}

// runLight lets the light guests of machines run until the test ends, and
// returns when all have a lease.
func (w *world) runLight(network string, machines []*lightMachine) {
	w.t.Helper()

	instances, err := guest.NewInstances(w.Clients)
	w.must(err)

	tools, definition := w.tools(), w.definition(network)

	w.t.Cleanup(func() {
		var group errgroup.Group

		group.SetLimit(lightWidth)

		for _, m := range machines {
			if m.light != nil {
				group.Go(m.light.Close)
			}
		}

		if err := group.Wait(); err != nil {
			w.t.Error(err)
		}
	})

	group, ctx := errgroup.WithContext(w.ctx)
	group.SetLimit(lightWidth)

	for _, m := range machines {
		group.Go(func() (err error) {
			if m.light, err = guest.Attach(ctx, m.node, definition, m.mac); err != nil {
				return err
			}

			return errors.Join(
				instances.Runs(ctx, w.namespace, m.name, map[string]string{"nic-0": m.mac}),
				m.light.Run(context.WithoutCancel(ctx), tools, m.client))
		})
	}

	w.must(group.Wait())

	for _, m := range machines {
		m.said, err = m.light.WaitLease(w.ctx, guestTimeout)
		w.must(err)
	}
}

// stillRun fails when KubeVirt does not have the machines as running with their
// MACs, also those that are in no specification.
func (w *world) stillRun(machines []*lightMachine) {
	w.t.Helper()

	for _, m := range machines {
		instance, there, err := w.vms.Instance(w.ctx, m.name)
		w.must(err)

		if !there || instance.Phase != "Running" || instance.MACs["nic-0"] != m.mac {
			w.t.Errorf("KubeVirt has %s as %+v (there: %t), want it running with %s", m.name, instance, there, m.mac)
		}
	}
}
