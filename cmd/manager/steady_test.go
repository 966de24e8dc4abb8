package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// written returns the writes of the manager since begin that the API server
// carried out.
func (s *server) written(t *testing.T, begin time.Time) []auditEvent {
	t.Helper()

	return slices.DeleteFunc(s.writes(t), func(event auditEvent) bool {
		return event.Received.Before(begin) || event.ResponseStatus.Code >= 300
	})
}

// versions returns the resource version of every object of our kinds in the
// world, and of the kinds besides.
func (w *world) versions(besides ...client.ObjectList) map[string]string {
	w.t.Helper()

	found := map[string]string{}

	for _, list := range append(besides,
		&v1alpha1.IPPoolList{}, &v1alpha1.VirtualMachineNetworkConfigList{}, &v1alpha1.IPLeaseList{}) {
		w.must(w.client.List(w.t.Context(), list, client.InNamespace(w.namespace)))
		w.must(eachItem(list, func(object client.Object) {
			found[fmt.Sprintf("%T %s", object, object.GetName())] = object.GetResourceVersion()
		}))
	}

	return found
}

func TestAnUnchangedWorldIsNotWritten(t *testing.T) {
	s := apiServer(t)
	first := s.run(t, "steady-0").leads()

	w := s.newWorld(t)
	w.network("blue", "manual", "10.1.0.0/24", "10.1.0.1", nil)
	w.network("auto", "auto", "10.1.0.0/24", "10.1.0.1", nil)
	w.network("wild", "", "", "", nil)
	w.pool("full", "10.2.0.0/24", "10.2.0.10", "10.2.0.10")

	wanted := machine("wanted", device{"eth0", "blue", "52:54:00:00:00:09"})
	wanted.Annotations[v1alpha1.AnnotationStaticIPPrefix+"eth0"] = "10.1.0.9"
	w.create(wanted)
	w.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"}, device{"eth1", "wild", "52:54:00:00:00:02"})
	w.vm("db", device{"eth0", "full", "52:54:00:00:00:03"})
	w.says("db", "eth0 10.2.0.10 Allocated Allocated")
	w.vm("waits", device{"eth0", "full", "52-54-00-00-00-04"})
	w.vm("blank", device{"eth0", "blue", ""})
	w.says("wanted", "eth0 10.1.0.9 Allocated Allocated")
	w.says("web", "eth0 10.1.0.3 Allocated Allocated", "eth1   NetworkUnmanaged")
	w.says("waits", "eth0  Pending PoolExhausted")
	w.says("blank", "eth0  Pending MACUnknown")
	s.settled(t)

	t.Run("when what it looks at is touched three times", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: w.namespace}

		for round := range 3 {
			w.untouched(fmt.Sprintf("touch-%d", round), func() { w.touchAll(fmt.Sprint(round)) }, &corev1.EventList{})
		}
	})

	t.Run("when the manager is started three times", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: w.namespace}
		before := first

		// Events are not looked at: why a network has no pool is written down
		// nowhere else, so a manager that starts says it once more.
		for round := range 3 {
			w.untouched(fmt.Sprintf("start-%d", round), func() {
				before.stop()
				before = s.run(t, fmt.Sprintf("steady-%d", round+1)).leads()
			})
		}
	})
}

// touchAll changes an annotation of everything that the manager watches but
// our own kinds, so that all of it is looked at again.
func (w *world) touchAll(mark string) {
	w.t.Helper()

	for _, list := range []client.ObjectList{&kubevirtv1.VirtualMachineList{}, &nadv1.NetworkAttachmentDefinitionList{}, &corev1.NodeList{}} {
		w.must(w.client.List(w.t.Context(), list, client.InNamespace(w.namespace)))
		w.must(eachItem(list, func(object client.Object) {
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"touched":%q}}}`, mark)
			w.must(w.client.Patch(w.t.Context(), object, client.RawPatch(mergePatch, []byte(patch))))
		}))
	}
}

// untouched checks that doing it makes the manager write nothing in the world.
// A machine elsewhere that comes after it and gets its address shows that the
// manager is awake.
func (w *world) untouched(name string, do func(), besides ...client.ObjectList) {
	w.t.Helper()

	before, begin := w.versions(besides...), time.Now()

	do()

	other := w.newWorld(w.t)
	other.pool("fence", "10.9.0.0/24", "10.9.0.10", "10.9.0.20")
	other.vm("fence", device{"eth0", "fence", "52:54:00:00:00:01"})
	other.holds("fence.10.9.0.10 52:54:00:00:00:01 fence/eth0")
	w.settled(w.t)

	for _, event := range w.written(w.t, begin) {
		if w.concerns(event) {
			w.t.Errorf("%s: the manager wrote: %s", name, event)
		}
	}

	after := w.versions(besides...)
	for object, version := range before {
		if after[object] != version {
			w.t.Errorf("%s: %s has changed", name, object)
		}
	}

	if len(after) != len(before) {
		w.t.Errorf("%s: there are %d objects, before %d", name, len(after), len(before))
	}
}

// concerns tells whether a write is to the world, its agents or what is the
// manager's own. Other worlds may be on their way out meanwhile. Definitions are
// applied at every start without a change, which is looked at elsewhere.
func (w *world) concerns(event auditEvent) bool {
	object := event.ObjectRef

	switch object.Namespace {
	case w.namespace:
		return true
	case chartNamespace:
		return strings.HasPrefix(object.Name, w.namespace+"-") || !strings.HasPrefix(object.Name, "world-")
	default:
		return object.Namespace == "" && object.Resource != "customresourcedefinitions"
	}
}
