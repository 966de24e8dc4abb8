package store

import (
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
)

func keyOf(object metav1.Object) Key {
	return Key{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// poolEntry is a pool, read once.
type poolEntry struct {
	pool     *v1alpha1.IPPool
	network  string // "namespace/name", "" when it cannot be read
	plan     ipam.Plan
	problems field.ErrorList
	text     string // what is searched, in lower case
}

func newPoolEntry(pool *v1alpha1.IPPool) *poolEntry {
	entry := &poolEntry{pool: pool, network: kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)}
	entry.plan, entry.problems = convert.PoolPlan(&pool.Spec)
	entry.text = strings.ToLower(strings.Join([]string{pool.Namespace + "/" + pool.Name, pool.Spec.NetworkName, pool.Spec.IPv4Config.CIDR}, "\n"))

	return entry
}

func (p *poolEntry) position() Position {
	return Position{Namespace: p.pool.Namespace, Name: p.pool.Name}
}

func networkPosition(network *nadv1.NetworkAttachmentDefinition) Position {
	return Position{Namespace: network.Namespace, Name: network.Name}
}

// podEntry is an agent.
type podEntry struct {
	pod *corev1.Pod
	// pool is what its labels say: the namespace, and the name as a label has
	// it.
	pool Key
}

func newPodEntry(pod *corev1.Pod) *podEntry {
	return &podEntry{pod: pod, pool: Key{
		Namespace: pod.Labels[v1alpha1.LabelPoolNamespace], Name: pod.Labels[v1alpha1.LabelPoolName],
	}}
}

func (p *podEntry) position() Position {
	return Position{Key: p.pool.Namespace + "/" + p.pool.Name, Namespace: p.pod.Namespace, Name: p.pod.Name}
}

// labelKey is how the agents' labels name the pool.
func labelKey(pool Key) Key { return Key{Namespace: pool.Namespace, Name: kube.LabelValue(pool.Name)} }

// agents returns the agents of the pool by name, with mu held.
func (s *Store) agents(pool Key) []v1.Agent {
	found := s.podsOf[labelKey(pool)]
	agents := make([]v1.Agent, 0, len(found))

	for _, entry := range found {
		agents = append(agents, view.Agent(entry.pod, s.poolRef(pool)))
	}

	slices.SortFunc(agents, func(a, b v1.Agent) int { return strings.Compare(a.Name, b.Name) })

	return agents
}

func (s *Store) poolRef(pool Key) v1.ObjectRef {
	ref := v1.ObjectRef{Kind: v1.KindPool, Namespace: pool.Namespace, Name: pool.Name}
	if entry := s.pools.entries[pool]; entry != nil {
		ref.UID = string(entry.pool.UID)
	}

	return ref
}

func link[K comparable, V any](index map[K]map[Key]V, at K, key Key, value V) {
	if index[at] == nil {
		index[at] = map[Key]V{}
	}

	index[at][key] = value
}

func unlink[K comparable, V any](index map[K]map[Key]V, at K, key Key) {
	delete(index[at], key)

	if len(index[at]) == 0 {
		delete(index, at)
	}
}
