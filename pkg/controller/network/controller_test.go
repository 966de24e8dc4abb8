package network

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/kube"
)

const manual = `{"mode":"manual","cidr":"192.168.48.0/24","gateway":"192.168.48.1"}`

// vmNetwork is a Harvester VM network with that route.
func vmNetwork(route string) *nadv1.NetworkAttachmentDefinition {
	return &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "net-48", UID: "net-uid",
		Labels:      map[string]string{utils.KeyNetworkType: string(utils.L2VlanNetwork)},
		Annotations: map[string]string{utils.KeyNetworkRoute: route},
	}}
}

type fixture struct {
	*Handler

	server *apitest.Server
	pools  *apitest.Store[*v1alpha1.IPPool]
	cache  *apitest.Cache[*v1alpha1.IPPool]
	events *apitest.Recorder
}

func newFixture() *fixture {
	server, events := &apitest.Server{}, &apitest.Recorder{}
	pools := apitest.NewStore[*v1alpha1.IPPool](server, "ippools", nil)
	cache := apitest.NewCache(pools, map[string]func(*v1alpha1.IPPool) ([]string, error){kube.IndexPoolByNetwork: kube.PoolNetworks})

	return &fixture{
		Handler: &Handler{
			networks: apitest.NewStore[*nadv1.NetworkAttachmentDefinition](server, "networks", nil), pools: pools, poolCache: cache,
			events: kube.NewAnnouncer(events), log: slog.New(slog.DiscardHandler), managedByDefault: true,
		},
		server: server, pools: pools, cache: cache, events: events,
	}
}

// TestPoolIsMadeOnce: also while the cache is behind, and never again after it
// was edited.
func TestPoolIsMadeOnce(t *testing.T) {
	t.Parallel()

	f, network := newFixture(), vmNetwork(manual)
	before := network.DeepCopy()

	for range 3 { // the cache has not heard of the pool yet
		if _, err := f.OnChange("default/net-48", network); err != nil {
			t.Fatal(err)
		}
	}

	f.cache.Sync()

	pool := f.pools.All()[0]
	pool.Spec.IPv4Config.Pool.Start = "192.168.48.100"

	if _, err := f.pools.Update(pool); err != nil {
		t.Fatal(err)
	}

	for range 3 {
		if _, err := f.OnChange("default/net-48", network); err != nil {
			t.Fatal(err)
		}

		f.cache.Sync()
	}

	if diff := cmp.Diff([]string{"create ippools default/net-48", "update ippools default/net-48"}, f.server.Writes()); diff != "" {
		t.Error(diff)
	}

	want := []string{"Normal PoolCreated: IPPool default/net-48 gives out 192.168.48.3 to 192.168.48.254 of 192.168.48.0/24; its DHCP server is 192.168.48.2"}
	if diff := cmp.Diff(want, f.events.Told()); diff != "" {
		t.Error(diff)
	}

	if diff := cmp.Diff(before, network); diff != "" {
		t.Errorf("the cached network was changed:\n%s", diff)
	}
}

// TestNameIsTaken: a pool of the network's name that serves another network is
// left alone, and a person is told what to do, once.
func TestNameIsTaken(t *testing.T) {
	t.Parallel()

	f := newFixture()

	other := &v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net-48"}, Spec: v1alpha1.IPPoolSpec{NetworkName: "default/other"}}
	if _, err := f.pools.Create(other); err != nil {
		t.Fatal(err)
	}

	f.cache.Sync()

	for range 3 {
		if _, err := f.OnChange("default/net-48", vmNetwork(manual)); err != nil {
			t.Fatal(err)
		}
	}

	told := f.events.Told()
	if len(told) != 1 || !strings.Contains(told[0], "IPPool default/net-48 exists and serves network default/other; create one of another name") {
		t.Errorf("told %q", told)
	}
}

// TestRefusalByTheServer: what admission refuses is told and not tried for ever;
// anything else is tried again.
func TestRefusalByTheServer(t *testing.T) {
	t.Parallel()

	resource := schema.GroupResource{Resource: "ippools"}

	for _, tc := range []struct {
		err   error
		again bool
	}{
		{apierrors.NewForbidden(resource, "net-48", nil), false},
		{apierrors.NewInvalid(schema.GroupKind{Kind: "IPPool"}, "net-48", nil), false},
		{apierrors.NewServiceUnavailable("later"), true},
	} {
		f := newFixture()
		f.server.Intercept = func(string, string, bool) error { return tc.err }

		_, err := f.OnChange("default/net-48", vmNetwork(manual))
		if (err != nil) != tc.again || (len(f.events.Told()) == 0) != tc.again {
			t.Errorf("%v: error is %v", tc.err, err)
		}
	}
}

func TestNetworkIsGone(t *testing.T) {
	t.Parallel()

	f := newFixture()

	for range 2 {
		if _, err := f.OnChange("default/net-48", vmNetwork(`{"mode":"auto"}`)); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := f.OnChange("default/net-48", nil); err != nil {
		t.Fatal(err)
	}

	if _, err := f.OnChange("default/net-48", vmNetwork(`{"mode":"auto"}`)); err != nil {
		t.Fatal(err)
	}

	if told := f.events.Told(); len(told) != 2 {
		t.Errorf("told %q, want one Event for each of the two networks", told)
	}
}
