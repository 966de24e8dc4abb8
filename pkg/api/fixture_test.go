package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/contracttest"
	"github.com/freehold-net/freehold/pkg/api/store"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// contract holds every answer of every test here against the description.
var contract = func() *contracttest.Contract {
	loaded, err := contracttest.Load()
	if err != nil {
		panic(err)
	}

	return loaded
}()

// TestMain fails when a route or a status is described and no test has seen it.
// The changes and the event stream are packages of their own, with tests that
// ask the same.
func TestMain(m *testing.M) {
	code := m.Run()

	elsewhere := func(route string) bool { return !strings.HasPrefix(route, "GET ") || route == "GET /v1/events" }

	// A run of chosen tests has not seen everything.
	if missing := contract.Unexercised(elsewhere); len(missing) > 0 && code == 0 && !chosen() {
		fmt.Fprintf(os.Stderr, "described and in no answer of any test:\n  %s\n", strings.Join(missing, "\n  "))

		code = 1
	}

	os.Exit(code)
}

func chosen() bool {
	return slices.ContainsFunc(os.Args, func(argument string) bool {
		return strings.HasPrefix(argument, "-test.run") || strings.HasPrefix(argument, "-test.list") || strings.HasPrefix(argument, "-test.skip")
	})
}

func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// tokens is an Authenticator, a stand-in for Kubernetes': who sends the token
// "alice" is alice. It cannot tell who "nobody-knows" is, and it is down for
// "down".
type tokens struct{}

func (tokens) Authenticate(request *http.Request) (user.Info, bool, error) {
	name := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")

	switch name {
	case "", "nobody-knows":
		return nil, false, nil
	case "down":
		return nil, false, errors.New("connection refused")
	default:
		return &user.DefaultInfo{Name: name, Groups: []string{"system:authenticated"}}, true, nil
	}
}

// rights is a Reviewer, a stand-in for Kubernetes'. "admin" may do everything,
// "tenant" may read what is in the namespaces blue and blue-vms and nothing else,
// "stranger" may do nothing; for "unsure" it is down and for "bug" it panics.
type rights struct {
	mu    sync.Mutex
	asked []string
}

func (r *rights) May(_ context.Context, caller user.Info, verb string, object access.Object) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.asked = append(r.asked, fmt.Sprintf("%s %s.%s %s/%s", verb, object.Resource, object.Group, object.Namespace, object.Name))

	switch caller.GetName() {
	case "admin":
		return true, nil
	case "tenant":
		return (verb == "get" || verb == "list") && (object.Namespace == "blue" || object.Namespace == "blue-vms"), nil
	case "unsure":
		return false, errors.New("connection refused")
	case "bug":
		panic("a mistake of ours")
	default:
		return false, nil
	}
}

// fixture is an API over a store that tests fill.
type fixture struct {
	*store.Store

	api     http.Handler
	rights  *rights
	version int
}

func newFixture(observer api.Observer) *fixture {
	f := &fixture{rights: &rights{}}
	clock := func() time.Time { return epoch().Add(time.Duration(f.version) * time.Second) }
	f.Store = store.New(store.Config{Clock: clock, ManagedByDefault: true})
	f.api = api.New(api.Config{
		Store: f.Store, Authenticator: tokens{}, Reviewer: f.rights, Observer: observer, Clock: clock,
		About: api.About{Version: "v1.2.3", Replica: "freehold-0", StartedAt: epoch()},
	})

	return f
}

func (f *fixture) meta(namespace, name string) metav1.ObjectMeta {
	f.version++

	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(fmt.Sprintf("uid-%d", f.version)), ResourceVersion: fmt.Sprint(f.version),
		CreationTimestamp: metav1.NewTime(epoch().Add(time.Duration(f.version) * time.Second)),
		Labels:            map[string]string{}, Annotations: map[string]string{},
	}
}

// standard has two tenants, blue and green, each with a network, a pool, a
// machine and leases, and in green what can be wrong.
func standard(observer api.Observer) *fixture {
	f := newFixture(observer)
	f.Put(&corev1.Node{ObjectMeta: f.meta("", "node-1")})

	for i, tenant := range []string{"blue", "green"} {
		f.network(tenant, "net", fmt.Sprintf(`{"mode":"manual","cidr":"10.%d.0.0/24","gateway":"10.%d.0.1"}`, i, i))
		pool := f.pool(tenant, "net", fmt.Sprintf("10.%d.0.0/24", i))
		f.agent(pool, "agent-"+tenant)

		vm := f.vm(tenant+"-vms", "web", tenant+"/net")
		f.request(vm, "")
		f.lease(pool, fmt.Sprintf("10.%d.0.20", i), "52:54:00:00:00:01", &v1alpha1.LeaseOwner{
			Kind: v1alpha1.OwnerVirtualMachine, Namespace: vm.Namespace, Name: vm.Name, UID: vm.UID, InterfaceName: "eth0",
		})
		f.lease(pool, fmt.Sprintf("10.%d.0.9", i), "52:54:00:00:00:02", nil)
		f.lease(pool, fmt.Sprintf("10.%d.0.100", i), "", nil)
	}

	f.network("green", "auto", `{"mode":"auto"}`)
	f.pool("green", "broken", "10.9.0.0/33")

	return f
}

func (f *fixture) network(namespace, name, route string) {
	network := &nadv1.NetworkAttachmentDefinition{ObjectMeta: f.meta(namespace, name)}
	network.Annotations[utils.KeyNetworkRoute] = route
	network.Labels[utils.KeyNetworkType] = string(utils.L2VlanNetwork)
	network.Labels[utils.KeyVlanLabel] = "48"
	f.Put(network)
}

func (f *fixture) pool(namespace, name, cidr string) *v1alpha1.IPPool {
	pool := &v1alpha1.IPPool{ObjectMeta: f.meta(namespace, name), Spec: v1alpha1.IPPoolSpec{
		NetworkName: namespace + "/" + name, IPv4Config: v1alpha1.IPv4Config{CIDR: cidr, Routes: []v1alpha1.Route{{Destination: "10.0.0.0/8", Gateway: "0.0.0.0"}}},
	}}
	pool.Status.Agent = &v1alpha1.AgentStatus{Replicas: 1, Ready: 1}

	for _, kind := range []string{v1alpha1.IPPoolRegistered, v1alpha1.IPPoolCacheReady, v1alpha1.IPPoolAgentReady} {
		pool.Status.Conditions = append(pool.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: "Test", Message: "1 of 1 agents answer", LastTransitionTime: pool.CreationTimestamp,
		})
	}

	f.Put(pool)

	return pool
}

func (f *fixture) agent(pool *v1alpha1.IPPool, name string) {
	pod := &corev1.Pod{ObjectMeta: f.meta("freehold-system", name), Spec: corev1.PodSpec{NodeName: "node-1"}}
	pod.Labels = map[string]string{v1alpha1.LabelPoolNamespace: pool.Namespace, v1alpha1.LabelPoolName: pool.Name}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pod.Status.StartTime = &pod.CreationTimestamp
	f.Put(pod)
}

func (f *fixture) vm(namespace, name, network string) *kubevirtv1.VirtualMachine {
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: f.meta(namespace, name), Spec: kubevirtv1.VirtualMachineSpec{
		Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{},
	}}
	vm.Spec.Template.Spec.Domain.Devices.Interfaces = []kubevirtv1.Interface{{Name: "eth0", MacAddress: "52:54:00:00:00:01"}, {Name: "default"}}
	vm.Spec.Template.Spec.Networks = []kubevirtv1.Network{{
		Name: "eth0", NetworkSource: kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: network}},
	}}
	f.Put(vm)

	return vm
}

func (f *fixture) request(vm *kubevirtv1.VirtualMachine, wanted string) {
	request := &v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: f.meta(vm.Namespace, vm.Name), Spec: v1alpha1.VirtualMachineNetworkConfigSpec{
		VMName: vm.Name, NetworkConfigs: []v1alpha1.NetworkConfig{{
			InterfaceName: "eth0", MACAddress: "52:54:00:00:00:01",
			NetworkName: vm.Spec.Template.Spec.Networks[0].Multus.NetworkName,
		}},
	}}
	if wanted != "" {
		request.Spec.NetworkConfigs[0].IPAddress = &wanted
	}

	f.Put(request)
}

func (f *fixture) lease(pool *v1alpha1.IPPool, address, mac string, owner *v1alpha1.LeaseOwner) *v1alpha1.IPLease {
	lease := &v1alpha1.IPLease{ObjectMeta: f.meta(pool.Namespace, pool.Name+"."+address), Spec: v1alpha1.IPLeaseSpec{
		PoolName: pool.Name, Address: address, MACAddress: mac, Owner: owner, Origin: v1alpha1.OriginManual,
	}}
	f.Put(lease)

	return lease
}

// get asks as the caller and fails the test unless the answer is as described.
func (f *fixture) get(t *testing.T, caller, url string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	request.Header.Set("Authorization", "Bearer "+caller)

	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}

	return contract.Do(t, f.api, request)
}

// read is get for an answer that must be 200 and is decoded.
func read[T any](t *testing.T, f *fixture, caller, url string) T {
	t.Helper()

	var body T

	answer := f.get(t, caller, url)
	if answer.Code != http.StatusOK {
		t.Fatalf("GET %s as %s: %d %s", url, caller, answer.Code, answer.Body)
	}

	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}

	return body
}
