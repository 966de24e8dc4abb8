package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/freehold-net/freehold/scripts/lab/internal/harvester"
	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
	"github.com/freehold-net/freehold/scripts/lab/internal/kubevirt"
	"github.com/freehold-net/freehold/scripts/lab/internal/stage"
	"github.com/freehold-net/freehold/scripts/lab/internal/watch"
)

// scenarioLabel is on the scenarios' namespaces.
const scenarioLabel = "lab.freehold.net/scenario"

// How long things may take on two busy cores before a scenario gives up.
const (
	poolTimeout     = 2 * time.Minute
	allocateTimeout = 30 * time.Second
	guestTimeout    = 4 * time.Minute
	removeTimeout   = 3 * time.Minute
)

// providerAll and providerCP are the lab's cluster networks: on all nodes, and
// on the control plane's only.
const (
	providerAll = "provider-all"
	providerCP  = "provider-cp"
)

// world is one scenario's part of the cluster. Its methods end the test when
// something fails.
type world struct {
	*stage.Stage
	t         *testing.T
	ctx       context.Context
	namespace string
	vms       *kubevirt.VMs
	watch     *watch.Watch
}

// newWorld makes the scenario's namespace, e2e-NAME, and removes it with all
// that is in it when the test ends. A test that failed tells first what there
// was.
func newWorld(t *testing.T, name string) *world {
	t.Helper()

	w := &world{
		Stage: lab, t: t, ctx: t.Context(), namespace: "e2e-" + name,
		vms: kubevirt.In(lab.Clients, "e2e-"+name), watch: watch.New(lab.Clients),
	}

	_, err := w.Clients.Core.CoreV1().Namespaces().Create(w.ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{scenarioLabel: name}},
	}, metav1.CreateOptions{})
	w.must(err)

	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), removeTimeout)
		defer cancel()

		w.ctx = ctx
		if t.Failed() {
			w.tell()
		}

		if err := remove(ctx, w.namespace); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})

	return w
}

// remove removes a scenario's namespace: first its virtual machines, which still
// need their networks to end, then everything else. It returns when the
// namespace is gone.
func remove(ctx context.Context, namespace string) error {
	vms := resource("kubevirt.io", "v1", "virtualmachines").Namespace(namespace)
	if err := vms.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete virtual machines of namespace %s: %w", namespace, err)
	}

	instances := resource("kubevirt.io", "v1", "virtualmachineinstances").Namespace(namespace)

	err := kube.Poll(ctx, removeTimeout, "the virtual machines of namespace "+namespace+" to end", func(ctx context.Context) (bool, string, error) {
		machines, err := vms.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error(), nil
		}

		running, err := instances.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error(), nil
		}

		return len(machines.Items)+len(running.Items) == 0, fmt.Sprintf("%d there, %d running", len(machines.Items), len(running.Items)), nil
	})
	if err != nil {
		return err
	}

	namespaces := lab.Clients.Core.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %s: %w", namespace, err)
	}

	return kube.Poll(ctx, removeTimeout, "namespace "+namespace+" to end", func(ctx context.Context) (bool, string, error) {
		left, err := namespaces.Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, "", nil
		}

		if err != nil {
			return false, err.Error(), nil
		}

		return false, fmt.Sprint(left.Status.Conditions), nil
	})
}

func resource(group, version, name string) dynamic.NamespaceableResourceInterface {
	return lab.Clients.Dynamic.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: name})
}

// must ends the test on an error.
func (w *world) must(err error) {
	w.t.Helper()

	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for what is asked for; done also says what it saw.
func (w *world) until(limit time.Duration, what string, done func() (ok bool, state string)) {
	w.t.Helper()

	w.must(kube.Poll(w.ctx, limit, what, func(context.Context) (bool, string, error) {
		ok, state := done()

		return ok, state, nil
	}))
}

// kubectlPath is where the real kubectl is, or empty.
func kubectlPath() string {
	program := ""

	for _, dir := range lab.Cluster.BinDirs() {
		candidate := filepath.Join(dir, "kubectl")
		if _, err := os.Stat(candidate); err == nil {
			program = candidate
		}
	}

	return program
}

// kubectl runs the real kubectl in the scenario's namespace, with stdin, and
// returns what it printed; the error has what it complained about.
func (w *world) kubectl(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(w.ctx, kubectlPath(), append([]string{"--kubeconfig", w.Cluster.Kubeconfig(), "--namespace", w.namespace}, args...)...)

	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaint

	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}

	return out.String(), nil
}

// apply is `kubectl apply` of a manifest.
func (w *world) apply(manifest string) {
	w.t.Helper()

	_, err := w.kubectl(manifest, "apply", "-f", "-")
	w.must(err)
}

// tell logs what a person would look at after a failure.
func (w *world) tell() {
	for _, args := range [][]string{
		{"get", "ippools,vmnetcfgs,ipleases,vm,vmi,pods", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"get", "pods", "-n", "harvester-system", "-o", "wide"},
	} {
		out, err := w.kubectl("", args...)
		w.t.Logf("kubectl %s (%v)\n%s", strings.Join(args, " "), err, out)
	}

	machines, err := resource("kubevirt.io", "v1", "virtualmachineinstances").Namespace(w.namespace).List(w.ctx, metav1.ListOptions{})
	if err != nil {
		w.t.Log(err)

		return
	}

	for _, machine := range machines.Items {
		events, err := w.vms.Events(w.ctx, machine.GetName())
		w.t.Logf("what guest %s said (%v):", machine.GetName(), err)

		for _, event := range events {
			w.t.Logf("  %s %s %s", event.Uptime, event.MAC, event)
		}
	}
}

// network is a VM network of the scenario's on provider-all, of which Harvester
// knows the addresses: the pool appears by itself.
func (w *world) network(name string, vlan int, cidr string) harvester.Network {
	prefix := netip.MustParsePrefix(cidr)

	return harvester.Network{
		Namespace: w.namespace, Name: name, ClusterNetwork: providerAll, VLAN: vlan,
		Mode: harvester.ModeManual, CIDR: prefix, Gateway: prefix.Addr().Next(),
	}
}

// bare is a VM network without a route annotation: it has no pool until somebody
// makes one.
func (w *world) bare(name, clusterNetwork string, vlan int) harvester.Network {
	return harvester.Network{Namespace: w.namespace, Name: name, ClusterNetwork: clusterNetwork, VLAN: vlan}
}

// add creates VM networks.
func (w *world) add(networks ...harvester.Network) {
	w.t.Helper()

	for _, network := range networks {
		w.must(w.Harvester.AddNetwork(w.ctx, network))
	}
}

// served waits until all agents of the pool answer.
func (w *world) served(pool string) watch.Pool {
	w.t.Helper()

	p, err := w.watch.PoolServed(w.ctx, w.namespace, pool, poolTimeout)
	w.must(err)

	return p
}

// managed creates a VM network and waits until its pool is there and served.
func (w *world) managed(name string, vlan int, cidr string) watch.Pool {
	w.t.Helper()
	w.add(w.network(name, vlan, cidr))

	return w.served(name)
}

// narrow creates a VM network with a pool by hand, with a range of its own.
func (w *world) narrow(name string, vlan int, cidr, start, end string) watch.Pool {
	w.t.Helper()
	w.add(w.bare(name, providerAll, vlan))
	w.apply(fmt.Sprintf(`apiVersion: network.harvesterhci.io/v1alpha1
kind: IPPool
metadata: {name: %s}
spec:
  networkName: %s
  ipv4Config:
    cidr: %s
    pool: {start: %s, end: %s}
`, name, name, cidr, start, end))

	return w.served(name)
}

// used waits until the pool's status counts that many held addresses.
func (w *world) used(pool string, want int64) watch.Pool {
	w.t.Helper()

	var seen watch.Pool

	w.until(allocateTimeout, fmt.Sprintf("pool %s to count %d used", pool, want), func() (bool, string) {
		var err error

		seen, err = w.watch.Pool(w.ctx, w.namespace, pool)

		return err == nil && seen.Used == want, fmt.Sprintf("%d used, %d available (%v)", seen.Used, seen.Available, err)
	})

	return seen
}

// seconds rounds for people.
func seconds(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
