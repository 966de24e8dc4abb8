package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// plan is an IPPool as the test plan has it: no router, no name servers.
const plan = `apiVersion: network.harvesterhci.io/v1alpha1
kind: IPPool
metadata: {name: %[1]s}
spec:
  networkName: %[2]s/%[1]s
  ipv4Config:
    cidr: %[3]s
    leaseTime: %[4]d
`

// TestPrivateNetworks is test plan A of Harvester's enhancement proposal on
// managed DHCP (harvester/harvester, enhancements/20230830-managed-dhcp.md),
// step by step.
func TestPrivateNetworks(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "private-networks")
	networks := []struct {
		name, clusterNetwork, cidr string
		vlan, lease                int
		agents                     string
	}{
		{"priv-net-all", providerAll, "172.19.150.0/28", 817, 600, "2/2"},
		{"priv-net-cp", providerCP, "172.19.100.0/28", 689, 300, "1/1"},
	}

	// 1. Cluster networks: provider-all on all nodes, provider-cp on the control plane.
	for _, network := range networks {
		nodes, err := w.Clients.Core.CoreV1().Nodes().List(w.ctx, metav1.ListOptions{LabelSelector: "network.harvesterhci.io/" + network.clusterNetwork + "=true"})
		w.must(err)

		var names []string
		for _, node := range nodes.Items {
			names = append(names, node.Name)
		}

		t.Logf("cluster network %s is on %s", network.clusterNetwork, strings.Join(names, ", "))
	}

	// 2. Two VM networks, two pools without router.
	for _, network := range networks {
		w.add(w.bare(network.name, network.clusterNetwork, network.vlan))
		w.apply(fmt.Sprintf(plan, network.name, w.namespace, network.cidr, network.lease))
	}

	// 3. The pools are served, that of provider-cp on a control-plane node.
	for _, network := range networks {
		pool := w.served(network.name)
		if pool.Registered.Status != "True" || pool.Agents != network.agents || pool.Used != 0 || pool.Available != 13 {
			t.Fatalf("pool %s: registered %+v, agents %s (want %s), %d used, %d available (want 0 and 13: the server's address is kept back)",
				pool.Name, pool.Registered, pool.Agents, network.agents, pool.Used, pool.Available)
		}

		t.Logf("pool %s of %s on VLAN %d is served from %s by %s agents on %v: %s",
			pool.Name, pool.CIDR, network.vlan, pool.Server, pool.Agents, pool.Nodes, pool.AgentMessage)
	}

	agents, err := w.watch.Agents(w.ctx, w.namespace, "priv-net-cp")
	w.must(err)

	for _, agent := range agents {
		node, err := w.Clients.Core.CoreV1().Nodes().Get(w.ctx, agent.Spec.NodeName, metav1.GetOptions{})
		w.must(err)

		if _, ok := node.Labels["node-role.kubernetes.io/control-plane"]; !ok {
			t.Fatalf("agent %s is on %s, which is no control-plane node", agent.Name, node.Name)
		}

		t.Logf("agent %s is on %s, a control-plane node", agent.Name, node.Name)
	}

	// 4. A virtual machine with a NIC in each.
	defer w.boots(1)()

	nics := []guest.VMNIC{{Network: "priv-net-all", MAC: mac(817, 1)}, {Network: "priv-net-cp", MAC: mac(689, 1)}}
	w.create(guest.VMSpec{Name: "test-vm-1", NICs: nics, Node: "node1"})

	request := w.holds("test-vm-1", 2)
	t.Logf("the VirtualMachineNetworkConfig of test-vm-1 shows %s", request)

	for i, network := range networks {
		held := request.NICs[i]
		if held.Network != w.namespace+"/"+network.name || !netip.MustParsePrefix(network.cidr).Contains(held.Address) {
			t.Fatalf("NIC %d: %+v, want an address of %s on %s", i, held, network.cidr, network.name)
		}

		said := w.leased("test-vm-1", nics[i].MAC, held.Address)
		want := guest.Event{
			Kind: guest.Bound, NIC: said.NIC, MAC: nics[i].MAC, Lease: time.Duration(network.lease) * time.Second,
			Addr:   netip.PrefixFrom(held.Address, 28),
			Server: netip.MustParseAddr(w.served(network.name).Server), Uptime: said.Uptime,
		}

		if diff := cmp.Diff(want, said, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("what the guest says (-want +got):\n%s", diff)
		}

		t.Logf("test-vm-1 says that DHCP gave its %s %s for %s and no router", said.NIC, said.Addr, said.Lease)

		pool := w.used(network.name, 1)
		t.Logf("pool %s counts %d used, %d available", pool.Name, pool.Used, pool.Available)
	}
}
