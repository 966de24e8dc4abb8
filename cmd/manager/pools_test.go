package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// refused checks that the API server refused, with all of the words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()

	if err == nil {
		t.Errorf("it was accepted; want a refusal with %q", words)

		return
	}

	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal does not say %q: %v", word, err)
		}
	}
}

func TestAFreedAddressGoesToWhoeverWaits(t *testing.T) {
	const limit = time.Second

	s := apiServer(t)
	s.run(t, "waiting").leads()

	w := s.newWorld(t)
	w.pool("one", "10.1.0.0/24", "10.1.0.10", "10.1.0.10")
	w.vm("vm0", device{"eth0", "one", "52:54:00:00:00:00"})
	w.holds("one.10.1.0.10 52:54:00:00:00:00 vm0/eth0")

	fastest := time.Hour

	// What counts is how fast it can be; the machine that runs the tests may be
	// busy with something else at times.
	for round := 1; round <= 3; round++ {
		waiting := fmt.Sprintf("vm%d", round)
		mac := fmt.Sprintf("52:54:00:00:00:0%d", round)
		w.vm(waiting, device{"eth0", "one", mac})
		w.says(waiting, "eth0  Pending PoolExhausted")

		begin := time.Now()

		w.deleteVM(fmt.Sprintf("vm%d", round-1))
		w.holds("one.10.1.0.10 " + mac + " " + waiting + "/eth0")

		fastest = min(fastest, time.Since(begin))
		t.Logf("%s has the address %v after the other machine was deleted", waiting, time.Since(begin).Round(time.Millisecond))
	}

	if fastest > limit {
		t.Errorf("the fastest of three took %v, want less than %v", fastest, limit)
	}
}

func TestAFullPoolSaysSo(t *testing.T) {
	s := apiServer(t)
	s.run(t, "full").leads()

	w := s.newWorld(t)
	w.network("small", "manual", "10.1.0.0/29", "10.1.0.1", nil)
	w.appears("small", "small 10.1.0.2 10.1.0.3-10.1.0.6")

	for i := range 6 {
		w.vm(fmt.Sprintf("vm%d", i), device{"eth0", "small", fmt.Sprintf("52:54:00:00:00:0%d", i)})
	}

	w.eventually(t, "four hold an address and two wait", func() string {
		allocated, waiting := 0, 0

		for i := range 6 {
			switch states := strings.Join(w.status(fmt.Sprintf("vm%d", i)), ""); {
			case strings.HasSuffix(states, "Allocated Allocated"):
				allocated++
			case strings.HasSuffix(states, "Pending PoolExhausted"):
				waiting++
			}
		}

		if allocated != 4 || waiting != 2 {
			return fmt.Sprintf("%d hold one and %d wait", allocated, waiting)
		}

		return ""
	})
	w.eventually(t, "the pool counts them", func() string {
		var pool v1alpha1.IPPool

		w.get(&pool, "small")

		if c := pool.Status.IPv4; c == nil || c.Used != 4 || c.Available != 0 || c.Used+c.Available+c.Reserved+c.Excluded != c.Size {
			return fmt.Sprintf("%+v", c)
		}

		return ""
	})
}

func TestPoolsAreEditedWhileInUse(t *testing.T) {
	s := apiServer(t)
	s.run(t, "edits").leads()

	w := s.newWorld(t)
	w.network("blue", "", "", "", nil)
	w.create(poolOf("plan", "blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.10"))
	w.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"})
	w.holds("plan.10.1.0.10 52:54:00:00:00:01 web/eth0")
	w.vm("db", device{"eth0", "blue", "52:54:00:00:00:02"})
	w.says("db", "eth0  Pending PoolExhausted")

	here := func(t *testing.T) *world {
		t.Helper()

		return &world{server: s, t: t, namespace: w.namespace}
	}

	t.Run("an edit that strands a lease is refused and names it", func(t *testing.T) {
		w := here(t)
		holder := "VirtualMachine " + w.namespace + "/web"

		refused(t, tryEdit(w, &v1alpha1.IPPool{}, "plan", func(pool *v1alpha1.IPPool) {
			pool.Spec.IPv4Config.Pool = v1alpha1.Pool{Start: "10.1.0.11", End: "10.1.0.20"}
		}), "spec.ipv4Config.pool", "10.1.0.10", holder)
		refused(t, tryEdit(w, &v1alpha1.IPPool{}, "plan", func(pool *v1alpha1.IPPool) {
			pool.Spec.IPv4Config.Pool.Exclude = []string{"10.1.0.10"}
		}), "10.1.0.10", holder)
		refused(t, tryEdit(w, &v1alpha1.IPPool{}, "plan", func(pool *v1alpha1.IPPool) {
			pool.Spec.IPv4Config.ServerIP = "10.1.0.10"
		}), "spec.ipv4Config.serverIP", "10.1.0.10", holder)
	})

	t.Run("a pool in use by network cannot be deleted, whatever its name", func(t *testing.T) {
		w := here(t)
		pool := poolOf("plan", "", "", "", "")
		pool.Namespace = w.namespace
		refused(t, w.client.Delete(t.Context(), pool), w.namespace+"/web", w.namespace+"/db", "blue")
	})

	t.Run("a second pool on the network is refused", func(t *testing.T) {
		w := here(t)
		refused(t, w.tryCreate(poolOf("rival", "blue", "10.9.0.0/24", "", "")), "spec.networkName", w.namespace+"/plan")
	})

	t.Run("a pool on a network that does not exist is refused", func(t *testing.T) {
		w := here(t)
		refused(t, w.tryCreate(poolOf("lost", "nowhere", "10.9.0.0/24", "", "")), "spec.networkName", w.namespace+"/nowhere")
	})

	t.Run("a range that grows wakes who waits", func(t *testing.T) {
		w := here(t)
		edit(w, &v1alpha1.IPPool{}, "plan", func(pool *v1alpha1.IPPool) { pool.Spec.IPv4Config.Pool.End = "10.1.0.11" })
		w.holds("plan.10.1.0.10 52:54:00:00:00:01 web/eth0", "plan.10.1.0.11 52:54:00:00:00:02 db/eth0")
	})

	t.Run("a person who wants what is held is told by whom", func(t *testing.T) {
		w := here(t)
		wanted := "10.1.0.10"
		refused(t, w.tryCreate(&v1alpha1.VirtualMachineNetworkConfig{
			ObjectMeta: named("mine"),
			Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "mine", NetworkConfigs: []v1alpha1.NetworkConfig{
				{NetworkName: "blue", MACAddress: "52:54:00:00:00:03", IPAddress: &wanted},
			}},
		}), "spec.networkConfigs[0].ipAddress", "VirtualMachine "+w.namespace+"/web")
	})
}

func TestThePrintedExamplesWork(t *testing.T) {
	s := apiServer(t)
	s.run(t, "printed").leads()

	// The examples of vm-dhcp-controller's documentation are in namespace default.
	w := &world{server: s, t: t, namespace: "default"}
	w.network("net-48", "", "", "", nil)

	apply := func(file string) string {
		text, err := os.ReadFile(filepath.Join("testdata", "printed", file))
		w.must(err)

		_, complaints := w.kubectl(string(text), "apply", "-f", "-")

		return complaints
	}

	if said := apply("ippool.yaml"); said != "" {
		t.Errorf("kubectl complains about the pool: %s", said)
	}

	if said := apply("vmnetcfg.yaml"); !strings.Contains(said, "Warning: spec.networkConfig is an old name") {
		t.Errorf("no warning of the old name, but: %q", said)
	}

	w.holds("net-48.192.168.48.82 fa:cf:8e:50:82:fc test-vm/")
	w.says("test-vm", " 192.168.48.82 Allocated Allocated")

	t.Run("applied again they change nothing", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: "default"}
		apply("ippool.yaml")
		apply("vmnetcfg.yaml")
		w.settled(t)
		w.holds("net-48.192.168.48.82 fa:cf:8e:50:82:fc test-vm/")
	})

	t.Run("the machine takes the request up and keeps the address", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: "default"}
		vm := w.vm("test-vm", device{"nic-1", "default/net-48", "fa:cf:8e:50:82:fc"})
		w.holds("net-48.192.168.48.82 fa:cf:8e:50:82:fc test-vm/nic-1")

		if owner := w.leases()["net-48.192.168.48.82"].Spec.Owner; owner.UID != vm.UID {
			t.Errorf("the lease is still %s's", owner.Kind)
		}
	})
}

func TestANamespaceWithPoolsAndMachinesEnds(t *testing.T) {
	s := apiServer(t)
	s.run(t, "namespace").leads()

	w := s.newWorld(t)
	w.network("blue", "manual", "10.1.0.0/24", "10.1.0.1", nil)
	w.pool("red", "10.2.0.0/24", "10.2.0.10", "10.2.0.20")
	w.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"}, device{"eth1", "red", "52:54:00:00:00:02"})
	w.holds("blue.10.1.0.3 52:54:00:00:00:01 web/eth0", "red.10.2.0.10 52:54:00:00:00:02 web/eth1")

	namespace := namespaceOf(w.namespace)
	w.must(w.client.Delete(t.Context(), namespace))
	w.eventually(t, "the namespace is gone", func() string {
		if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace); err != nil {
			return ""
		}

		return fmt.Sprintf("it is %s: %v", namespace.Status.Phase, namespace.Status.Conditions)
	})

	if held := w.held(); len(held) > 0 {
		t.Errorf("leases of the namespace remain: %v", held)
	}

	var machines kubevirtv1.VirtualMachineList

	w.must(w.client.List(t.Context(), &machines, client.InNamespace(w.namespace)))

	if len(machines.Items) > 0 {
		t.Error("the machine remains")
	}
}
