package ippool

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// nodeList is a cache of nodes.
type nodeList []*corev1.Node

func (l nodeList) List(selector labels.Selector) (found []*corev1.Node, err error) {
	for _, node := range l {
		if selector.Matches(labels.Set(node.Labels)) {
			found = append(found, node)
		}
	}

	return found, nil
}

type fixture struct {
	*Handler

	t           *testing.T
	server      *apitest.Server
	pools       *apitest.Store[*v1alpha1.IPPool]
	deployments *apitest.Store[*appsv1.Deployment]
	clock       *clocktesting.FakePassiveClock
	budgets     *fake.Clientset
	caches      []interface{ Sync() }
	events      *apitest.Recorder
}

func newFixture(t *testing.T, pools ...*v1alpha1.IPPool) *fixture {
	t.Helper()

	f := &fixture{
		t: t, server: &apitest.Server{}, clock: clocktesting.NewFakePassiveClock(time.Unix(1000, 0)),
		budgets: fake.NewSimpleClientset(), events: &apitest.Recorder{},
	}
	f.pools = apitest.NewStore(f.server, "ippools", func(into, from *v1alpha1.IPPool) { into.Status = *from.Status.DeepCopy() })
	f.deployments = apitest.NewStore[*appsv1.Deployment](f.server, "deployments", nil)
	networks := apitest.NewStore[*nadv1.NetworkAttachmentDefinition](f.server, "networks", nil)
	pods := apitest.NewStore[*corev1.Pod](f.server, "pods", nil)

	poolCache := apitest.NewCache(f.pools, map[string]func(*v1alpha1.IPPool) ([]string, error){kube.IndexPoolByNetwork: kube.PoolNetworks})
	networkCache, podCache, present := apitest.NewCache(networks, nil), apitest.NewCache(pods, nil), apitest.NewCache(f.deployments, nil)
	f.caches = []interface{ Sync() }{poolCache, networkCache, podCache, present}

	if _, err := networks.Create(someNetwork()); err != nil {
		t.Fatal(err)
	}

	for _, pool := range pools {
		if _, err := f.pools.Create(pool); err != nil {
			t.Fatal(err)
		}
	}

	node := func(name, carries string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"network.harvesterhci.io/provider": carries}}}
	}
	f.Handler = &Handler{
		kube: f.budgets, pools: f.pools, poolCache: poolCache, networks: networkCache,
		nodes: nodeList{node("n1", "true"), node("n2", "true"), node("witness", "false")}, pods: podCache,
		deployments: f.deployments, present: present, ledger: ledger.New(), events: kube.NewAnnouncer(f.events), clock: f.clock,
		log: slog.New(slog.DiscardHandler), config: someConfig(),
		written: map[string]time.Time{}, budgets: map[string]bool{}, labels: map[string]map[string]string{},
	}

	return f
}

// pass has the handler look at the pool as the caches have it.
func (f *fixture) pass() *v1alpha1.IPPool {
	f.t.Helper()

	for _, cache := range f.caches {
		cache.Sync()
	}

	pool, err := f.poolCache.Get("vms", "net")
	if err != nil {
		pool = nil
	}

	before := pool.DeepCopy()

	updated, err := f.OnChange("vms/net", pool)
	if err != nil {
		f.t.Fatal(err)
	}

	if diff := cmp.Diff(before, pool); diff != "" {
		f.t.Fatalf("the cached pool was changed:\n%s", diff)
	}

	return updated
}

// TestUnchangedPoolIsNotWritten: the agents and the status are written once (I2).
func TestUnchangedPoolIsNotWritten(t *testing.T) {
	t.Parallel()

	f := newFixture(t, somePool())
	f.server.Writes()
	f.pass()

	name := agentName(somePool())
	want := []string{"create deployments system/" + name, "updateStatus ippools vms/net"}

	if diff := cmp.Diff(want, f.server.Writes()); diff != "" {
		t.Error(diff)
	}

	for range 10 {
		f.clock.SetTime(f.clock.Now().Add(time.Hour))
		f.pass()
	}

	if writes := f.server.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}

	if _, err := f.budgets.PolicyV1().PodDisruptionBudgets("system").Get(t.Context(), name, metav1.GetOptions{}); err != nil {
		t.Errorf("no disruption budget: %v", err)
	}

	lease, err := f.budgets.CoordinationV1().Leases("system").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil || len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != f.deployments.All()[0].UID {
		t.Errorf("the Lease of the agents is %+v, %v, want one that ends with their Deployment", lease, err)
	}

	if replicas := *f.deployments.All()[0].Spec.Replicas; replicas != 2 {
		t.Errorf("%d agents; the witness carries no network", replicas)
	}
}

// TestCountsAreWrittenOnceASecond: and what changes between is not lost.
func TestCountsAreWrittenOnceASecond(t *testing.T) {
	t.Parallel()

	f := newFixture(t, somePool())
	f.pass()
	f.server.Writes()

	take := func(last string) {
		f.ledger.Put(&v1alpha1.IPLease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net.10.0.0." + last},
			Spec:       v1alpha1.IPLeaseSpec{PoolName: "net", Address: "10.0.0." + last, MACAddress: "52:54:00:00:00:01"},
		})
	}

	take("3")
	f.clock.SetTime(f.clock.Now().Add(400 * time.Millisecond))
	f.pass()
	take("4")
	f.pass()

	if writes := f.server.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v within the second", writes)
	}

	if got := f.pools.Enqueued; len(got) != 2 || got[0] != "vms/net" {
		t.Errorf("enqueued %v: the change would be lost", got)
	}

	f.clock.SetTime(f.clock.Now().Add(600 * time.Millisecond))

	if got := f.pass().Status.IPv4; got.Used != 2 || got.Used+got.Available+got.Reserved+got.Excluded != got.Size {
		t.Errorf("status is %+v", got)
	}

	// What people wait for is not held back.
	f.clock.SetTime(f.clock.Now().Add(time.Millisecond))

	pool := f.pools.All()[0]
	pool.Spec.Paused = new(true)

	if _, err := f.pools.Update(pool); err != nil {
		t.Fatal(err)
	}

	take("5")
	f.server.Writes()
	f.pass()

	want := []string{"delete deployments system/" + agentName(pool), "updateStatus ippools vms/net"}
	if diff := cmp.Diff(want, f.server.Writes()); diff != "" {
		t.Error(diff)
	}
}

// TestPoolIsGone: its agents and their budget go, also when a person has
// deleted the agents before.
func TestPoolIsGone(t *testing.T) {
	t.Parallel()

	for _, byHand := range []bool{false, true} {
		f := newFixture(t, somePool())
		f.pass()

		if byHand {
			if err := f.deployments.Delete("system", agentName(somePool()), nil); err != nil {
				t.Fatal(err)
			}
		}

		if err := f.pools.Delete("vms", "net", nil); err != nil {
			t.Fatal(err)
		}

		f.pass()

		left, err := f.budgets.PolicyV1().PodDisruptionBudgets("system").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(left.Items) > 0 || len(f.deployments.All()) > 0 {
			t.Errorf("by hand %t: budgets %v, deployments %v, %v", byHand, left.Items, f.deployments.All(), err)
		}
	}
}

// TestOldestPoolServes: a second pool of one network gets no agents and says why.
func TestOldestPoolServes(t *testing.T) {
	t.Parallel()

	f := newFixture(t, somePool(func(pool *v1alpha1.IPPool) { pool.Name, pool.UID = "older", "older" }), somePool())

	for _, said := range f.pass().Status.Conditions {
		if said.Type == v1alpha1.IPPoolRegistered && (said.Status != metav1.ConditionFalse ||
			said.Message != "network vms/net is served by IPPool vms/older, which is older; delete one of the two") {
			t.Errorf("Registered is %+v", said)
		}
	}

	if made := f.deployments.All(); len(made) > 0 {
		t.Errorf("agents run: %v", made)
	}
}

// TestHeartbeatsWakeNobody: only what a node carries is of interest.
func TestHeartbeatsWakeNobody(t *testing.T) {
	t.Parallel()

	f := newFixture(t, somePool())
	f.pass()

	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"a": "b"}}}

	for i, want := range []int{1, 1, 2, 3} {
		next := node.DeepCopy()
		next.ResourceVersion = string(rune('0' + i))

		if i == 2 {
			next.Labels["a"] = "c"
		}

		if i == 3 {
			next = nil
		}

		if _, err := f.nodeChanged("n1", next); err != nil || len(f.pools.Enqueued) != want {
			t.Errorf("step %d: enqueued %v, %v; want %d", i, f.pools.Enqueued, err, want)
		}
	}
}
