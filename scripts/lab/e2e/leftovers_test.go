package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// TestDeletedPoolLeavesNothing: a pool in use is not deleted; one that is
// deleted, by itself or with its network, takes along all that was made for it.
// It runs alone, because it looks at what there is of every kind.
func TestDeletedPoolLeavesNothing(t *testing.T) {
	w := newWorld(t, "pool-deleted")
	before := w.objectsOfProduct()

	w.narrow("by-hand", 127, "172.20.27.0/24", "172.20.27.10", "172.20.27.20")
	w.managed("of-network", 128, "172.20.28.0/24")

	made := slices.DeleteFunc(fresh(before, w.objectsOfProduct()), func(object string) bool { return !strings.Contains(object, w.namespace) })

	for _, kind := range []string{"deployments", "poddisruptionbudgets", "pods"} {
		if !slices.ContainsFunc(made, func(object string) bool { return strings.HasPrefix(object, kind+" ") }) {
			t.Errorf("no %s in %s for two pools that are served, only %v", kind, product.Namespace, made)
		}
	}

	t.Logf("in %s there are, for two pools: %s", product.Namespace, strings.Join(made, ", "))

	// In use.
	w.halted("by-hand", 127, 1, "vm")
	address := w.holds("vm", 1).Held()[0]
	w.used("by-hand", 1)

	_, err := w.kubectl("", "delete", "ippool", "by-hand", "--wait=false")
	if err == nil || !strings.Contains(err.Error(), "vm") {
		t.Fatalf("deleting the pool of %s, which vm holds: %v, want a refusal that names vm", address, err)
	}

	_, why, _ := strings.Cut(err.Error(), "denied the request: ")
	t.Logf("while vm holds %s the pool is not deleted: %s", address, why)
	w.must(w.vms.Delete(w.ctx, "vm"))
	w.heldIn("by-hand", 0)

	// Deleted by itself, and with its network.
	start := time.Now()

	_, err = w.kubectl("", "delete", "ippool", "by-hand")
	w.must(err)
	w.must(resource("k8s.cni.cncf.io", "v1", "network-attachment-definitions").Namespace(w.namespace).Delete(w.ctx, "of-network", metav1.DeleteOptions{}))
	w.until(poolTimeout, "what was made for the pools to go", func() (bool, string) {
		// Twice, because the kinds are looked at one after the other.
		left := append(fresh(before, w.objectsOfProduct()), fresh(before, w.objectsOfProduct())...)

		return len(left) == 0, strings.Join(left, ", ")
	})

	for _, resource := range []string{"ippools", "ipleases", "virtualmachinenetworkconfigs"} {
		list, err := w.watch.Objects(resource, w.namespace).List(w.ctx, metav1.ListOptions{})
		w.must(err)

		if len(list.Items) != 0 {
			t.Errorf("%d %s are left of the deleted pools", len(list.Items), resource)
		}
	}

	t.Logf("one pool is deleted, the other's network is; %s later nothing of them is left in %s, and no pool, request or lease in %s",
		seconds(time.Since(start)), product.Namespace, w.namespace)
}

// fresh returns, in order, the objects that are there now and were not before.
// Those of Deployments that were there before are none: they may be rolled out.
func fresh(before, now map[string]bool) []string {
	var objects []string

	for object := range now {
		_, name, _ := strings.Cut(object, " ")
		ofOld := false

		for old := range before {
			deployment, is := strings.CutPrefix(old, "deployments ")
			ofOld = ofOld || is && strings.HasPrefix(name, deployment+"-")
		}

		if !before[object] && !ofOld {
			objects = append(objects, object)
		}
	}

	slices.Sort(objects)

	return objects
}

// objectsOfProduct returns all objects in the product's namespace as
// "resource name". Events are none: they tell of what was.
func (w *world) objectsOfProduct() map[string]bool {
	w.t.Helper()

	lists, err := discovery.ServerPreferredNamespacedResources(w.Clients.Core.Discovery())
	w.must(err)

	objects := map[string]bool{}

	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		w.must(err)

		for _, kind := range list.APIResources {
			if kind.Name == "events" || !slices.Contains(kind.Verbs, "list") {
				continue
			}

			found, err := w.Clients.Dynamic.Resource(version.WithResource(kind.Name)).Namespace(product.Namespace).List(w.ctx, metav1.ListOptions{})
			w.must(err)

			for _, object := range found.Items {
				objects[fmt.Sprintf("%s %s", kind.Name, object.GetName())] = true
			}
		}
	}

	return objects
}
