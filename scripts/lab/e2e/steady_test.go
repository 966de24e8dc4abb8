package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// TestUnchangedWorldIsNotWritten: in a world where nothing changes the product
// writes nothing, also when it looks at everything anew. It runs alone, because
// it counts all of the product's writes.
func TestUnchangedWorldIsNotWritten(t *testing.T) {
	w := newWorld(t, "steady")
	w.add(w.network("net", 116, "172.20.16.0/24"), w.bare("plain", providerAll, 118))
	w.narrow("full", 117, "172.20.17.0/24", "172.20.17.10", "172.20.17.10")
	w.served("net")

	// A virtual machine that is new after each resync shows that the new
	// managers are at work and came through their list.
	canary := newWorld(t, "steady-canary")
	canary.managed("net", 119, "172.20.19.0/24")

	defer w.boots(1)()

	// One that runs, one without a wish, one that waits in vain, one with a NIC
	// that is not managed.
	w.create(guest.VMSpec{Name: "running", NICs: []guest.VMNIC{{Network: "net", MAC: mac(116, 1)}}})
	w.halted("net", 116, 2, "halted")
	w.create(guest.VMSpec{Name: "two-nics", Halted: true, NICs: []guest.VMNIC{
		{Network: "net", MAC: mac(116, 3)}, {Network: "full", MAC: mac(117, 3)}, {Network: "plain", MAC: mac(118, 3)},
	}})
	w.holds("two-nics", 2)
	w.halted("full", 117, 4, "waiting")
	w.waits("waiting", "nic-0", "PoolExhausted")
	w.leased("running", mac(116, 1), w.holds("running", 1).Held()[0])
	w.used("net", 3)
	w.used("full", 1)

	before := w.versions()

	var total, heartbeats int

	for round := range 3 {
		mark := w.auditMark()

		// A manager that starts reads every object and looks at it.
		start := time.Now()
		w.restartManagers()

		name := fmt.Sprintf("canary-%d", round+1)
		canary.halted("net", 119, round+1, name)
		canary.holds(name, 1)
		canary.used("net", int64(round+1))

		writes, beats := w.writesSince(mark)
		ours := slices.DeleteFunc(writes, func(entry write) bool { return entry.ObjectRef.Namespace == canary.namespace })
		heartbeats += beats
		total += len(ours)

		for _, entry := range ours {
			t.Errorf("resync %d: %s", round+1, entry)
		}

		t.Logf("resync %d: all managers were replaced and at work again after %s; they and the agents wrote %d times", round+1,
			seconds(time.Since(start)), len(ours))
	}

	if after := w.versions(); !slices.Equal(before, after) {
		t.Errorf("objects changed:\nbefore %v\nafter  %v", before, after)
	}

	t.Logf("%d definitions, pools, requests and leases have the versions they had before three resyncs: "+
		"%d writes by the product's accounts in the API server's audit log, Events included; only the %d heartbeats of its Leases in coordination.k8s.io are not counted",
		len(before), total, heartbeats)
}

func kinds() []string { return []string{"ippools", "virtualmachinenetworkconfigs", "ipleases"} }

// versions returns the definitions of the product's kinds and its objects in
// the scenario, with their versions.
func (w *world) versions() []string {
	w.t.Helper()

	var versions []string

	definitions, err := resource("apiextensions.k8s.io", "v1", "customresourcedefinitions").List(w.ctx, metav1.ListOptions{})
	w.must(err)

	for _, definition := range definitions.Items {
		for _, kind := range kinds() {
			if definition.GetName() == kind+".network.harvesterhci.io" {
				versions = append(versions, fmt.Sprintf("%s %s", definition.GetName(), definition.GetResourceVersion()))
			}
		}
	}

	for _, kind := range kinds() {
		list, err := w.watch.Objects(kind, w.namespace).List(w.ctx, metav1.ListOptions{})
		w.must(err)

		for _, object := range list.Items {
			versions = append(versions, fmt.Sprintf("%s %s %s", kind, object.GetName(), object.GetResourceVersion()))
		}
	}

	return versions
}

// restartManagers ends all managers and returns when as many new ones are ready.
func (w *world) restartManagers() {
	w.t.Helper()

	deployments := w.Clients.Core.AppsV1().Deployments(product.Namespace)
	manager, err := deployments.Get(w.ctx, product.Release, metav1.GetOptions{})
	w.must(err)

	selector := metav1.FormatLabelSelector(manager.Spec.Selector)
	pods := w.Clients.Core.CoreV1().Pods(product.Namespace)
	old, err := pods.List(w.ctx, metav1.ListOptions{LabelSelector: selector})
	w.must(err)

	for _, pod := range old.Items {
		w.must(pods.Delete(w.ctx, pod.Name, metav1.DeleteOptions{}))
	}

	w.until(poolTimeout, "new managers", func() (bool, string) {
		now, err := pods.List(w.ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return false, err.Error()
		}

		fresh := 0

		for _, pod := range now.Items {
			known := slices.ContainsFunc(old.Items, func(o corev1.Pod) bool { return o.UID == pod.UID })
			ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})

			if known {
				return false, pod.Name + " has not ended"
			}

			if ready {
				fresh++
			}
		}

		return fresh == int(replicas(manager)), fmt.Sprintf("%d ready", fresh)
	})
}

func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}

	return *d.Spec.Replicas
}
