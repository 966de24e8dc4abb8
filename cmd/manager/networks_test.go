package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// pools returns the pools of the world by name, each as "network server
// start-end".
func (w *world) pools() map[string]string {
	w.t.Helper()

	var list v1alpha1.IPPoolList

	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(w.namespace)))

	pools := map[string]string{}

	for _, pool := range list.Items {
		c := pool.Spec.IPv4Config
		pools[pool.Name] = strings.TrimPrefix(pool.Spec.NetworkName, w.namespace+"/") + " " + c.ServerIP + " " + c.Pool.Start + "-" + c.Pool.End
	}

	return pools
}

// appears waits for a pool, written as pools does.
func (w *world) appears(pool, want string) {
	w.t.Helper()
	w.eventually(w.t, "pool "+pool+" "+want, func() string {
		if got := w.pools()[pool]; got != want {
			return "it is " + got
		}

		return ""
	})
}

func TestNetworksGetPools(t *testing.T) {
	s := apiServer(t)
	s.run(t, "networks").leads()

	t.Run("a network in mode manual gets a pool around its gateway", func(t *testing.T) {
		w := s.newWorld(t)
		w.network("blue", "manual", "10.1.0.0/24", "10.1.0.1", nil)
		w.appears("blue", "blue 10.1.0.2 10.1.0.3-10.1.0.254")

		if message := w.event("NetworkAttachmentDefinition", "blue", v1alpha1.ReasonPoolCreated); !strings.Contains(message, "10.1.0.2") {
			t.Errorf("the Event does not name the server: %s", message)
		}
	})

	t.Run("a network in mode auto gets none and an Event says why", func(t *testing.T) {
		w := s.newWorld(t)
		w.network("auto", "auto", "10.1.0.0/24", "10.1.0.1", nil)

		message := w.event("NetworkAttachmentDefinition", "auto", v1alpha1.ReasonPoolNotCreated)
		if !strings.Contains(message, "another DHCP server") {
			t.Errorf("the Event does not say why: %s", message)
		}

		if pools := w.pools(); len(pools) > 0 {
			t.Errorf("there are pools: %v", pools)
		}
	})

	t.Run("the annotation managed-dhcp overrides the mode", func(t *testing.T) {
		w := s.newWorld(t)
		w.network("off", "manual", "10.1.0.0/24", "10.1.0.1", map[string]string{v1alpha1.AnnotationManagedDHCP: "disabled"})
		w.network("odd", "manual", "10.1.0.0/24", "10.1.0.1", map[string]string{v1alpha1.AnnotationManagedDHCP: "perhaps"})
		w.network("on", "auto", "10.1.1.0/28", "10.1.1.14", map[string]string{v1alpha1.AnnotationManagedDHCP: "enabled"})
		w.appears("on", "on 10.1.1.1 10.1.1.2-10.1.1.13")

		if message := w.event("NetworkAttachmentDefinition", "odd", v1alpha1.ReasonPoolNotCreated); !strings.Contains(message, `"perhaps"`) {
			t.Errorf("the Event does not name the value: %s", message)
		}

		if pools := w.pools(); len(pools) != 1 {
			t.Errorf("other networks got pools too: %v", pools)
		}
	})

	t.Run("a pool is never overwritten, and one of another name counts", func(t *testing.T) {
		w := s.newWorld(t)
		w.network("blue", "manual", "10.1.0.0/24", "10.1.0.1", nil)
		w.appears("blue", "blue 10.1.0.2 10.1.0.3-10.1.0.254")
		edit(w, &v1alpha1.IPPool{}, "blue", func(pool *v1alpha1.IPPool) { pool.Spec.IPv4Config.Pool.End = "10.1.0.99" })

		w.network("red", "", "", "", nil)
		w.create(poolOf("plan-of-red", w.namespace+"/red", "10.2.0.0/24", "10.2.0.10", "10.2.0.20"))

		for _, name := range []string{"blue", "red"} {
			edit(w, &nadv1.NetworkAttachmentDefinition{}, name, func(network *nadv1.NetworkAttachmentDefinition) {
				network.Annotations = map[string]string{utils.KeyNetworkRoute: `{"mode":"manual","cidr":"10.1.0.0/24","gateway":"10.1.0.254"}`}
			})
		}

		// By the time that a later network has its pool, these were looked at.
		w.network("later", "manual", "10.3.0.0/24", "10.3.0.1", nil)
		w.appears("later", "later 10.3.0.2 10.3.0.3-10.3.0.254")
		w.settled(t)

		want := map[string]string{
			"blue":        "blue 10.1.0.2 10.1.0.3-10.1.0.99",
			"plan-of-red": "red 10.2.0.1 10.2.0.10-10.2.0.20",
			"later":       "later 10.3.0.2 10.3.0.3-10.3.0.254",
		}
		if diff := cmp.Diff(want, w.pools()); diff != "" {
			t.Errorf("pools (-want +got):\n%s", diff)
		}
	})

	t.Run("a pool ends with its network", func(t *testing.T) {
		w := s.newWorld(t)
		w.network("blue", "manual", "10.1.0.0/24", "10.1.0.1", nil)
		w.appears("blue", "blue 10.1.0.2 10.1.0.3-10.1.0.254")
		w.remove(&nadv1.NetworkAttachmentDefinition{}, "blue")
		w.appears("blue", "")
	})
}
