package ippool

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
)

func somePool(changes ...func(*v1alpha1.IPPool)) *v1alpha1.IPPool {
	pool := &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net", UID: "pool-uid", Generation: 3},
		Spec: v1alpha1.IPPoolSpec{NetworkName: "vms/net", IPv4Config: v1alpha1.IPv4Config{
			CIDR: "10.0.0.0/28", Router: "10.0.0.1",
			Pool: v1alpha1.Pool{Start: "10.0.0.1", End: "10.0.0.8", Exclude: []string{"10.0.0.7-10.0.0.12"}},
		}},
	}
	for _, change := range changes {
		change(pool)
	}

	return pool
}

func someNetwork() *nadv1.NetworkAttachmentDefinition {
	return &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{
		Namespace: "vms", Name: "net", Labels: map[string]string{utils.KeyClusterNetworkLabel: "provider"},
	}}
}

// see is an observation of the pool with these nodes and ready agents.
func see(pool *v1alpha1.IPPool, nodes, ready []string, changes ...func(*observation)) observation {
	seen := observation{pool: pool, network: someNetwork(), networkKey: "vms/net", nodes: nodes, ready: ready}
	seen.plan, seen.problems = convert.PoolPlan(&pool.Spec)
	seen.counts = ipam.Count(seen.plan, nil)

	for _, change := range changes {
		change(&seen)
	}

	return seen
}

func present(image string) *appsv1.Deployment {
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "proxy", Image: "proxy:1"}, {Name: agentContainer, Image: image}},
	}}}}
}

func TestPlan(t *testing.T) {
	t.Parallel()

	two, three := []string{"n1", "n2"}, []string{"n1", "n2", "n3"}
	tests := []struct {
		name string
		seen observation
		// want is apply or remove, replicas, image, summary.
		want string
		// is and says are of condition AgentReady, registered and cache the
		// reasons of the other two.
		is, says, registered, cache string
	}{
		{
			name: "served", seen: see(somePool(), three, two),
			want: "apply 2 new 2/2", is: "AgentsReady", says: "2 of 2 agents answer, on n1, n2",
		},
		{
			name: "one of two", seen: see(somePool(), three, []string{"n2"}),
			want: "apply 2 new 1/2", is: "AgentsReady", says: "1 of 2 agents answer, on n2",
		},
		{
			name: "none yet", seen: see(somePool(), three, nil),
			want: "apply 2 new 0/2", is: "AgentsNotReady", says: "none of 2 agents answers yet",
		},
		{
			name: "a third one during an upgrade", seen: see(somePool(), three, []string{"n1", "n1", "n2"}),
			want: "apply 2 new 3/2", is: "AgentsReady", says: "2 of 2 agents answer, on n1, n2",
		},
		{
			name: "a network on one node", seen: see(somePool(), []string{"n1"}, []string{"n1"}),
			want: "apply 1 new 1/1", is: "SingleAgent", says: "on this node only",
		},
		{
			name: "a network on no node", seen: see(somePool(), nil, nil),
			want: "apply 1 new 0/1", is: "NoNodeCarriesNetwork", says: "check the cluster network",
		},
		{
			name: "as many as asked for", seen: see(somePool(replicasOf(3)), three, two), want: "apply 3 new 2/3", is: "AgentsReady",
		},
		{
			name: "but no more than nodes", seen: see(somePool(replicasOf(5)), two, two), want: "apply 2 new 2/2", is: "AgentsReady",
		},
		{
			name: "one asked for, on many nodes", seen: see(somePool(replicasOf(1)), three, []string{"n3"}),
			want: "apply 1 new 1/1", is: "AgentsReady", says: "1 of 1 agents answer, on n3",
		},
		{
			name: "paused", seen: see(somePool(func(pool *v1alpha1.IPPool) { pool.Spec.Paused = new(true) }), two, nil),
			want: "remove 2 new -", is: "PoolPaused", says: "has no agents",
		},
		{
			name: "paused, agents on their way out", seen: see(somePool(func(pool *v1alpha1.IPPool) { pool.Spec.Paused = new(true) }), two, two),
			want: "remove 2 new 2/0", is: "PoolPaused",
		},
		{
			name: "another pool serves the network",
			seen: see(somePool(), two, nil, func(seen *observation) {
				seen.rival = somePool(func(pool *v1alpha1.IPPool) { pool.Name = "older" })
			}),
			want: "remove 2 new -", is: "AgentsNotReady", says: "see condition Registered", registered: "AnotherPoolServesNetwork",
		},
		{
			name: "a network that no agent can serve",
			seen: see(somePool(), two, nil, func(seen *observation) { seen.unsuitable = "it is a trunk" }),
			want: "remove 2 new -", is: "AgentsNotReady", registered: "NetworkUnmanaged",
		},
		{
			name: "no network: what runs runs on",
			seen: see(somePool(), nil, nil, func(seen *observation) { seen.network = nil }),
			want: "- 1 new 0/1", is: "AgentsNotReady", says: "see conditions Registered", registered: "NetworkNotFound",
		},
		{
			name: "a plan that is broken: what runs runs on",
			seen: see(somePool(func(pool *v1alpha1.IPPool) { pool.Spec.IPv4Config.CIDR = "ten" }), two, two),
			want: "- 2 new 2/2", is: "AgentsReady", cache: "PoolInvalid",
		},
		{
			name: "an upgrade is held back",
			seen: see(somePool(held), two, two, func(seen *observation) { seen.present = present("freehold:old") }),
			want: "apply 2 freehold:old 2/2", is: "AgentsReady",
		},
		{
			name: "held back, but there is no agent yet", seen: see(somePool(held), two, nil), want: "apply 2 new 0/2", is: "AgentsNotReady",
		},
		{
			name: "an upgrade", seen: see(somePool(), two, two, func(seen *observation) { seen.present = present("freehold:old") }),
			want: "apply 2 new 2/2", is: "AgentsReady",
		},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			before := tc.seen.pool.DeepCopy()
			do := plan(tc.seen, AgentConfig{Image: "new"})

			verb, summary := "-", "-"
			if do.apply {
				verb = "apply"
			} else if do.remove {
				verb = "remove"
			}

			if do.status.Agent != nil {
				summary = do.status.Agent.Summary
			}

			if got := fmt.Sprintf("%s %d %s %s", verb, do.replicas, do.image, summary); got != tc.want {
				t.Errorf("decided %q, want %q", got, tc.want)
			}

			for kind, want := range map[string]string{
				v1alpha1.IPPoolAgentReady: tc.is, v1alpha1.IPPoolRegistered: or(tc.registered, "NetworkFound"),
				v1alpha1.IPPoolCacheReady: or(tc.cache, "PlanValid"),
			} {
				said := meta.FindStatusCondition(do.status.Conditions, kind)
				if said == nil || said.Reason != want || said.ObservedGeneration != 3 {
					t.Errorf("condition %s is %+v, want reason %s", kind, said, want)
				}
			}

			if said := meta.FindStatusCondition(do.status.Conditions, v1alpha1.IPPoolAgentReady); !strings.Contains(said.Message, tc.says) {
				t.Errorf("AgentReady says %q, want %q", said.Message, tc.says)
			}

			if diff := cmp.Diff(before, tc.seen.pool); diff != "" {
				t.Errorf("the pool was changed:\n%s", diff)
			}

			tc.seen.pool = before.DeepCopy()
			tc.seen.pool.Status = do.status

			if diff := cmp.Diff(do.status, plan(tc.seen, AgentConfig{Image: "new"}).status); diff != "" {
				t.Errorf("a second pass says something else:\n%s", diff)
			}
		})
	}
}

func replicasOf(n int32) func(*v1alpha1.IPPool) {
	return func(pool *v1alpha1.IPPool) { pool.Spec.Agent = &v1alpha1.AgentSpec{Replicas: &n} }
}

func held(pool *v1alpha1.IPPool) {
	pool.Annotations = map[string]string{v1alpha1.AnnotationHoldUpgrade: "true"}
}

func or(text, other string) string {
	if text == "" {
		return other
	}

	return text
}

func leaseOf(address, mac string) *v1alpha1.IPLease {
	return &v1alpha1.IPLease{Spec: v1alpha1.IPLeaseSpec{PoolName: "net", Address: address, MACAddress: mac}}
}

// TestAllocatedView: it is what vm-dhcp-controller showed, and the server's
// address is in it also when nobody wrote it down.
func TestAllocatedView(t *testing.T) {
	t.Parallel()

	seen := see(somePool(), nil, nil)
	seen.leases = []*v1alpha1.IPLease{leaseOf("10.0.0.3", "52:54:00:00:00:01"), leaseOf("10.0.0.4", ""), leaseOf("10.0.0.7", "52:54:00:00:00:02")}
	want := map[string]string{
		"10.0.0.1": "RESERVED", "10.0.0.2": "RESERVED", // the router, and the server that was chosen outside or inside
		"10.0.0.3": "52:54:00:00:00:01", "10.0.0.4": "RESERVED",
		"10.0.0.7": "52:54:00:00:00:02", "10.0.0.8": "EXCLUDED",
	}

	if !seen.plan.Range.Contains(seen.plan.Server) {
		delete(want, "10.0.0.2")
	}

	if diff := cmp.Diff(want, allocated(seen)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	whole := see(somePool(func(pool *v1alpha1.IPPool) { pool.Spec.IPv4Config.Pool = v1alpha1.Pool{} }), nil, nil)
	if diff := cmp.Diff(map[string]string{"10.0.0.1": "RESERVED", "10.0.0.2": "RESERVED"}, allocated(whole)); diff != "" {
		t.Errorf("the server was chosen in the range (-want +got):\n%s", diff)
	}
}

// TestAllocatedViewIsSmall: above 1,024 entries of a kind there is none, and what
// is excluded outside the range costs nothing.
func TestAllocatedViewIsSmall(t *testing.T) {
	t.Parallel()

	large := func(exclude ...string) observation {
		return see(somePool(func(pool *v1alpha1.IPPool) {
			pool.Spec.IPv4Config = v1alpha1.IPv4Config{
				CIDR: "10.0.0.0/8", ServerIP: "10.0.0.1",
				Pool: v1alpha1.Pool{Start: "10.0.0.2", End: "10.0.99.255", Exclude: exclude},
			}
		}), nil, nil)
	}

	for _, tc := range []struct {
		seen observation
		used uint64
		want int
	}{
		{large("10.0.4.0-10.0.7.255"), 1024, 1024},
		{large("10.0.4.0-10.0.8.0"), 0, -1},
		{large(), 1025, -1},
		{large(), 1024, 0},
		{large("10.1.0.0-10.255.255.255", "10.0.4.0/24"), 0, 256},
	} {
		tc.seen.counts.Used = tc.used

		view := allocated(tc.seen)
		if got := len(view); got != max(tc.want, 0) || (view == nil) != (tc.want < 0) {
			t.Errorf("%d used, excluded %v: %d entries (nil: %t), want %d", tc.used, tc.seen.plan.Excluded, got, view == nil, tc.want)
		}
	}
}
