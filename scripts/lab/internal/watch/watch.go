// Package watch reads Freehold's objects as a user with kubectl would, and waits
// for them to say something. It shares no code with the product, so that what
// the demo and the scenarios see is what the API shows.
package watch

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

const group = "network.harvesterhci.io"

// Labels of agents.
const (
	labelPoolNamespace = group + "/ippool-namespace"
	labelPoolName      = group + "/ippool-name"
)

// Watch reads one cluster. It may be used concurrently.
type Watch struct{ clients *kube.Clients }

// New returns a watch of the cluster.
func New(clients *kube.Clients) *Watch { return &Watch{clients: clients} }

// Objects is the client of one of Freehold's resources: ippools,
// virtualmachinenetworkconfigs or ipleases.
func (w *Watch) Objects(resource, namespace string) dynamic.ResourceInterface {
	return w.clients.Dynamic.Resource(schema.GroupVersionResource{Group: group, Version: "v1alpha1", Resource: resource}).Namespace(namespace)
}

// Condition is a condition of an object; absent ones have an empty Status.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func conditionOf(object map[string]any, kind string) Condition {
	list, _, err := unstructured.NestedSlice(object, "status", "conditions")
	if err != nil {
		return Condition{}
	}

	for _, entry := range list {
		var c Condition
		if fields, ok := entry.(map[string]any); ok && fields["type"] == kind && decode(fields, &c) == nil {
			return c
		}
	}

	return Condition{}
}

func decode(fields map[string]any, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, into); err != nil {
		return fmt.Errorf("read %v: %w", fields, err)
	}

	return nil
}

// Pool is what an IPPool shows.
type Pool struct {
	Namespace, Name, CIDR, Server, Range string
	Used, Available                      int64
	Registered, AgentReady, Stopped      Condition
	Agents                               string
	Nodes                                []string
	AgentMessage                         string
}

// Pool reads an IPPool.
func (w *Watch) Pool(ctx context.Context, namespace, name string) (Pool, error) {
	object, err := w.Objects("ippools", namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Pool{}, fmt.Errorf("get IPPool %s/%s: %w", namespace, name, err)
	}

	p := Pool{
		Namespace: namespace, Name: name,
		CIDR:       text(object, "spec", "ipv4Config", "cidr"),
		Server:     text(object, "spec", "ipv4Config", "serverIP"),
		Range:      text(object, "status", "ipv4", "range"),
		Used:       number(object, "status", "ipv4", "used"),
		Available:  number(object, "status", "ipv4", "available"),
		Agents:     text(object, "status", "agent", "summary"),
		Registered: conditionOf(object.Object, "Registered"),
		AgentReady: conditionOf(object.Object, "AgentReady"),
		Stopped:    conditionOf(object.Object, "Stopped"),
	}
	p.AgentMessage = p.AgentReady.Message
	p.Nodes, _, err = unstructured.NestedStringSlice(object.Object, "status", "agent", "nodes")

	return p, err
}

func text(object *unstructured.Unstructured, path ...string) string {
	value, _, err := unstructured.NestedString(object.Object, path...)
	if err != nil {
		return ""
	}

	return value
}

func number(object *unstructured.Unstructured, path ...string) int64 {
	value, _, err := unstructured.NestedInt64(object.Object, path...)
	if err != nil {
		return 0
	}

	return value
}

// PoolServed waits until all agents of the pool answer.
func (w *Watch) PoolServed(ctx context.Context, namespace, name string, limit time.Duration) (Pool, error) {
	var pool Pool

	err := kube.Poll(ctx, limit, fmt.Sprintf("agents of IPPool %s/%s", namespace, name), func(ctx context.Context) (bool, string, error) {
		var err error

		pool, err = w.Pool(ctx, namespace, name)
		if err != nil {
			return false, err.Error(), nil
		}

		ready, wanted, _ := strings.Cut(pool.Agents, "/")

		return pool.AgentReady.Status == "True" && ready == wanted, pool.AgentReady.Reason + ": " + pool.AgentReady.Message, nil
	})

	return pool, err
}

// NIC is one entry of a request's status.
type NIC struct {
	Name, MAC, Network, State, Reason, Message string
	Address                                    netip.Addr
}

// Request is what a VirtualMachineNetworkConfig shows.
type Request struct {
	Name      string
	NICs      []NIC
	Allocated Condition
}

// String is one line for people.
func (r Request) String() string {
	parts := make([]string, 0, len(r.NICs))

	for _, nic := range r.NICs {
		if nic.Address.IsValid() {
			parts = append(parts, nic.Name+" "+nic.Address.String())
		} else {
			parts = append(parts, nic.Name+" "+nic.Reason)
		}
	}

	return strings.Join(parts, ", ")
}

// Held returns the addresses that the NICs hold, in order.
func (r Request) Held() []netip.Addr {
	var held []netip.Addr

	for _, nic := range r.NICs {
		if nic.Address.IsValid() {
			held = append(held, nic.Address)
		}
	}

	return held
}

// NIC returns the entry of that interface name, or the zero NIC.
func (r Request) NIC(name string) NIC {
	for _, nic := range r.NICs {
		if nic.Name == name {
			return nic
		}
	}

	return NIC{}
}

// Request reads a VirtualMachineNetworkConfig.
func (w *Watch) Request(ctx context.Context, namespace, name string) (Request, error) {
	object, err := w.Objects("virtualmachinenetworkconfigs", namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Request{}, fmt.Errorf("get VirtualMachineNetworkConfig %s/%s: %w", namespace, name, err)
	}

	request := Request{Name: name, Allocated: conditionOf(object.Object, "Allocated")}

	entries, _, err := unstructured.NestedSlice(object.Object, "status", "networkConfigs")
	if err != nil {
		return request, fmt.Errorf("read status of VirtualMachineNetworkConfig %s/%s: %w", namespace, name, err)
	}

	for _, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok {
			continue
		}

		get := func(key string) string {
			value, _, err := unstructured.NestedString(fields, key)
			if err != nil {
				return ""
			}

			return value
		}
		nic := NIC{
			Name: get("interfaceName"), MAC: get("macAddress"), Network: get("networkName"),
			State: get("state"), Reason: get("reason"), Message: get("message"),
		}

		if address, err := netip.ParseAddr(get("allocatedIPAddress")); err == nil {
			nic.Address = address
		}

		request.NICs = append(request.NICs, nic)
	}

	return request, nil
}

// Allocated waits until the request of the virtual machine holds that many
// addresses.
func (w *Watch) Allocated(ctx context.Context, namespace, name string, addresses int, limit time.Duration) (Request, error) {
	return w.RequestUntil(ctx, namespace, name, fmt.Sprintf("%d addresses of", addresses), limit, func(r Request) bool {
		return len(r.Held()) == addresses
	})
}

// RequestUntil waits until the request satisfies done; what says what is waited
// for.
func (w *Watch) RequestUntil(ctx context.Context, namespace, name, what string, limit time.Duration, done func(Request) bool) (Request, error) {
	var request Request

	err := kube.Poll(ctx, limit, fmt.Sprintf("%s VirtualMachineNetworkConfig %s/%s", what, namespace, name), func(ctx context.Context) (bool, string, error) {
		var err error

		request, err = w.Request(ctx, namespace, name)
		if err != nil {
			return false, err.Error(), nil
		}

		return done(request), request.String() + "; " + request.Allocated.Message, nil
	})

	return request, err
}

// Lease is what an IPLease shows.
type Lease struct {
	Name, Pool, MAC, OwnerKind, Owner, NIC string
	Address                                netip.Addr
}

// Leases returns the leases of the pool in the order of their addresses.
func (w *Watch) Leases(ctx context.Context, namespace, pool string) ([]Lease, error) {
	list, err := w.Objects("ipleases", namespace).List(ctx, metav1.ListOptions{FieldSelector: "spec.poolName=" + pool})
	if err != nil {
		return nil, fmt.Errorf("list IPLeases of pool %s/%s: %w", namespace, pool, err)
	}

	leases := make([]Lease, 0, len(list.Items))

	for i := range list.Items {
		object := &list.Items[i]

		address, err := netip.ParseAddr(text(object, "spec", "address"))
		if err != nil {
			return nil, fmt.Errorf("IPLease %s: %w", object.GetName(), err)
		}

		leases = append(leases, Lease{
			Name: object.GetName(), Pool: pool, Address: address,
			MAC: text(object, "spec", "macAddress"), OwnerKind: text(object, "spec", "owner", "kind"),
			Owner: text(object, "spec", "owner", "namespace") + "/" + text(object, "spec", "owner", "name"),
			NIC:   text(object, "spec", "owner", "interfaceName"),
		})
	}

	slices.SortFunc(leases, func(a, b Lease) int { return a.Address.Compare(b.Address) })

	return leases, nil
}

// Agents returns the pods of the pool's agents.
func (w *Watch) Agents(ctx context.Context, namespace, pool string) ([]corev1.Pod, error) {
	pods, err := w.clients.Core.CoreV1().Pods(product.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labelPoolNamespace + "=" + namespace + "," + labelPoolName + "=" + pool,
	})
	if err != nil {
		return nil, fmt.Errorf("list agents of IPPool %s/%s: %w", namespace, pool, err)
	}

	return pods.Items, nil
}

// Owner waits until one of the pool's agents speaks for the server address, and
// returns its pod's name.
func (w *Watch) Owner(ctx context.Context, namespace, pool string, limit time.Duration) (string, error) {
	var owner string

	err := kube.Poll(ctx, limit, fmt.Sprintf("an agent of IPPool %s/%s to speak for its server address", namespace, pool), func(ctx context.Context) (bool, string, error) {
		agents, err := w.Agents(ctx, namespace, pool)
		if err != nil {
			return false, err.Error(), nil
		}

		leases, err := w.clients.Core.CoordinationV1().Leases(product.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error(), nil
		}

		for _, lease := range leases.Items {
			for _, agent := range agents {
				if holder := lease.Spec.HolderIdentity; holder != nil && *holder == agent.Name && agent.DeletionTimestamp.IsZero() {
					owner = agent.Name

					return true, "", nil
				}
			}
		}

		return false, fmt.Sprintf("%d agents, none holds a Lease", len(agents)), nil
	})

	return owner, err
}

// KillPod kills a pod of the product's at once, without a chance to say goodbye.
func (w *Watch) KillPod(ctx context.Context, name string) error {
	now := int64(0)

	err := w.clients.Core.CoreV1().Pods(product.Namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("kill pod %s: %w", name, err)
	}

	return nil
}
