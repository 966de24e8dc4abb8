// Package demo is `make demo`: a cluster from nothing, Freehold from its chart,
// two VM networks, three virtual machines, and what each guest says of its own
// address beside what the pool says.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/harvester"
	"github.com/freehold-net/freehold/scripts/lab/internal/kubevirt"
	"github.com/freehold-net/freehold/scripts/lab/internal/product"
	"github.com/freehold-net/freehold/scripts/lab/internal/stage"
	"github.com/freehold-net/freehold/scripts/lab/internal/watch"
)

// namespace is where the demo's networks and virtual machines are.
const namespace = "default"

const (
	poolTimeout  = 2 * time.Minute
	leaseTimeout = 3 * time.Minute
)

// networks are the demo's VM networks: one that is on all nodes and one that is
// on the control plane only.
func networks() []harvester.Network {
	return []harvester.Network{
		{
			Namespace: namespace, Name: "priv-net-all", ClusterNetwork: "provider-all", VLAN: 817,
			Mode: harvester.ModeManual, CIDR: netip.MustParsePrefix("172.19.150.0/28"), Gateway: netip.MustParseAddr("172.19.150.1"),
		},
		{
			Namespace: namespace, Name: "priv-net-cp", ClusterNetwork: "provider-cp", VLAN: 689,
			Mode: harvester.ModeManual, CIDR: netip.MustParsePrefix("172.19.100.0/28"), Gateway: netip.MustParseAddr("172.19.100.1"),
		},
	}
}

// machines are the demo's virtual machines.
func machines() []guest.VMSpec {
	return []guest.VMSpec{
		{Namespace: namespace, Name: "demo-1", NICs: []guest.VMNIC{{Network: "priv-net-all", MAC: "02:00:00:08:17:01"}}},
		{Namespace: namespace, Name: "demo-2", NICs: []guest.VMNIC{{Network: "priv-net-all", MAC: "02:00:00:08:17:02"}}},
		{Namespace: namespace, Name: "demo-3", NICs: []guest.VMNIC{
			{Network: "priv-net-all", MAC: "02:00:00:08:17:03"},
			{Network: "priv-net-cp", MAC: "02:00:00:06:89:03"},
		}, Node: "node1"},
	}
}

type demo struct {
	*stage.Stage
	vms   *kubevirt.VMs
	watch *watch.Watch
	api   *product.API
	out   io.Writer
	start time.Time
}

// Run runs the demo and leaves it running. An error names the step that failed
// and why.
func Run(ctx context.Context, cache *build.Cache, stateDir string, out io.Writer) error {
	d := &demo{out: out, start: time.Now()}

	for number, step := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"bring up a cluster with KubeVirt and install Freehold", func(ctx context.Context) (err error) {
			d.Stage, err = stage.Up(ctx, cache, stateDir)
			if err == nil {
				d.vms = kubevirt.In(d.Clients, namespace)
				d.watch = watch.New(d.Clients)
				d.api, err = product.OpenAPI(ctx, d.Clients, "admin")
			}

			return err
		}},
		{"create two VM networks and see their pools appear", d.createNetworks},
		{"create three virtual machines", d.createMachines},
		{"see each guest take its address", d.compare},
		{"kill an agent and see a guest renew all the same", d.killAgent},
	} {
		fmt.Fprintf(out, "\n== %d. %s\n", number+1, step.what)

		if err := step.run(ctx); err != nil {
			return fmt.Errorf("demo, step %d (%s): %w\nlogs are below %s and %s", number+1, step.what, err, stateDir, cache.Dir)
		}
	}

	return d.finish(ctx)
}

func (d *demo) createNetworks(ctx context.Context) error {
	for _, network := range networks() {
		if err := d.Harvester.AddNetwork(ctx, network); err != nil {
			return err
		}
	}

	for _, network := range networks() {
		pool, err := d.watch.PoolServed(ctx, network.Namespace, network.Name, poolTimeout)
		if err != nil {
			return err
		}

		fmt.Fprintf(d.out, "network %s on %s -> IPPool %s: %s, server %s, range %s; %s\n", network.Name, network.ClusterNetwork,
			pool.Name, pool.CIDR, pool.Server, pool.Range, pool.AgentMessage)
	}

	return nil
}

func (d *demo) createMachines(ctx context.Context) error {
	for _, spec := range machines() {
		vm, err := guest.VM(spec)
		if err != nil {
			return err
		}

		if _, err := d.vms.Create(ctx, vm); err != nil && !apierrors.IsAlreadyExists(errors.Unwrap(err)) {
			return err
		}

		request, err := d.watch.Allocated(ctx, spec.Namespace, spec.Name, len(spec.NICs), poolTimeout)
		if err != nil {
			return err
		}

		fmt.Fprintf(d.out, "VirtualMachine %s -> %s\n", spec.Name, request)
	}

	return nil
}

// compare waits for each guest's own word and holds it against the pool's.
func (d *demo) compare(ctx context.Context) error {
	table := watch.NewTable(d.out, "VM", "NIC", "MAC", "POOL SAYS", "GUEST SAYS", "LEASE", "SERVER", "NODE")
	agree := true

	for _, spec := range machines() {
		request, err := d.watch.Allocated(ctx, spec.Namespace, spec.Name, len(spec.NICs), poolTimeout)
		if err != nil {
			return err
		}

		instance, err := d.vms.WaitRunning(ctx, spec.Name, leaseTimeout)
		if err != nil {
			return err
		}

		for _, nic := range request.NICs {
			said, err := d.vms.WaitLease(ctx, spec.Name, nic.MAC, leaseTimeout)
			if err != nil {
				return err
			}

			agree = agree && said.Addr.Addr() == nic.Address
			table.Row(spec.Name, nic.Name, nic.MAC, nic.Address, said.Addr, said.Lease, said.Server, instance.Node)
		}
	}

	if err := table.Flush(); err != nil {
		return err
	}

	if !agree {
		return errors.New("a guest says another address than its pool")
	}

	return nil
}

// killAgent kills the agent that speaks for the server address, which is the
// harder case, and has a guest renew at once.
func (d *demo) killAgent(ctx context.Context) error {
	spec := machines()[0]

	agent, err := d.watch.Owner(ctx, spec.Namespace, networks()[0].Name, poolTimeout)
	if err != nil {
		return err
	}

	before, err := d.vms.WaitLease(ctx, spec.Name, "", leaseTimeout)
	if err != nil {
		return err
	}

	killed, err := d.seeItGo(ctx, agent)
	if err != nil {
		return err
	}

	if err := d.vms.Command(ctx, spec.Name, "renew"); err != nil {
		return err
	}

	renewed, err := d.vms.WaitEvent(ctx, spec.Name, "a renewal", leaseTimeout, func(events []guest.Event) (guest.Event, bool) {
		event, ok := guest.Latest(events, before.MAC, guest.Renewed, guest.Bound, guest.Changed)

		return event, ok && event.Uptime > before.Uptime
	})
	if err != nil {
		return err
	}

	if renewed.Addr != before.Addr {
		return fmt.Errorf("%s had %s and has %s after the agent was killed", spec.Name, before.Addr, renewed.Addr)
	}

	fmt.Fprintf(d.out, "%s renewed %s %s after the agent was killed\n", spec.Name, renewed.Addr, time.Since(killed).Round(100*time.Millisecond))

	return nil
}

// seeItGo kills the agent and says when, and how long it took until whoever looks
// at the dashboard sees it.
func (d *demo) seeItGo(ctx context.Context, agent string) (killed time.Time, err error) {
	_, err = d.api.AwaitEvent(ctx, "agent", func() error {
		killed = time.Now()

		return d.watch.KillPod(ctx, agent)
	}, func(e product.Event) bool { return e.Name == agent })
	if err != nil {
		return killed, err
	}

	fmt.Fprintf(d.out, "agent %s killed; the dashboard shows it after %s\n", agent, time.Since(killed).Round(time.Millisecond))

	return killed, nil
}

func (d *demo) finish(ctx context.Context) error {
	fmt.Fprintln(d.out)

	if err := d.watch.Print(ctx, d.out, namespace); err != nil {
		return err
	}

	why := struct{ Summary string }{}
	if err := d.api.Get(ctx, "v1/vms/"+namespace+"/demo-3/explain", &why); err != nil {
		return err
	}

	fmt.Fprintf(d.out, "\nthe API explains demo-3: %s\n", why.Summary)

	fmt.Fprintf(d.out, `
demo: ok (%s)

dashboard: %s (its certificate is the cluster's own; the browser asks)
log in with this token, good for 12 hours:
%s

look around:
  export KUBECONFIG=%s PATH=$PATH:%s
  kubectl get ippools,vmnetcfgs,ipleases -A
  kubectl describe vm demo-3
stop it: make demo-down
`, time.Since(d.start).Round(time.Second), d.api.URL, d.api.Token, d.Cluster.Kubeconfig(), d.Cluster.BinDirs()[0])

	return nil
}
