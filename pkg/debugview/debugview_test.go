package debugview_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/debugview"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// pools finds one pool by its network.
type pools struct {
	pool *v1alpha1.IPPool
	err  error
}

func (p pools) GetByIndex(_, key string) ([]*v1alpha1.IPPool, error) {
	if p.err != nil || key != kube.NetworkKey(p.pool.Spec.NetworkName, "default") {
		return nil, p.err
	}

	return []*v1alpha1.IPPool{p.pool}, nil
}

// seed is the pool of vm-dhcp-controller's documentation; its name is not its
// network's (harvester/harvester#10380).
func seed() *v1alpha1.IPPool {
	return &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pool"},
		Spec: v1alpha1.IPPoolSpec{NetworkName: "default/net-48", IPv4Config: v1alpha1.IPv4Config{
			CIDR: "192.168.48.0/24", ServerIP: "192.168.48.77", Router: "192.168.48.1",
			Pool: v1alpha1.Pool{Start: "192.168.48.81", End: "192.168.48.90", Exclude: []string{"192.168.48.81", "192.168.48.90"}},
		}},
	}
}

func TestViews(t *testing.T) {
	t.Parallel()

	book := ledger.New()

	for address, mac := range map[string]string{"192.168.48.86": "C6-D6-82-39-D3-C3", "192.168.48.87": "fa:e7:60:2e:37:dd", "192.168.48.90": ""} {
		book.Put(&v1alpha1.IPLease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pool." + address},
			Spec:       v1alpha1.IPLeaseSpec{PoolName: "pool", Address: address, MACAddress: mac},
		})
	}

	// What is reserved for a NIC is not shown while it holds another address,
	// whichever the view comes to first.
	for address, owner := range map[string]*v1alpha1.LeaseOwner{"192.168.48.83": {Name: "web"}, "192.168.48.89": nil, "192.168.48.86": {Name: "web", UID: "1"}} {
		book.Put(&v1alpha1.IPLease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other." + address},
			Spec:       v1alpha1.IPLeaseSpec{PoolName: "other", Address: address, MACAddress: "fa:e7:60:2e:37:dd", Owner: owner},
		})
	}

	large, broken, other := seed(), seed(), seed()
	other.Name = "other"
	large.Spec.IPv4Config = v1alpha1.IPv4Config{CIDR: "10.0.0.0/8"}
	broken.Spec.IPv4Config.CIDR = "ten"

	tests := []struct {
		name, method, path string
		pools              pools
		code               int
		body               string
	}{
		{
			"addresses", "GET", "/ipams/default/net-48",
			pools{pool: seed()},
			http.StatusOK,
			`{"192.168.48.82":"false","192.168.48.83":"false","192.168.48.84":"false","192.168.48.85":"false",` +
				`"192.168.48.86":"true","192.168.48.87":"true","192.168.48.88":"false","192.168.48.89":"false","192.168.48.90":"true"}`,
		},
		{
			"MAC addresses", "GET", "/caches/default/net-48",
			pools{pool: seed()},
			http.StatusOK,
			`{"c6:d6:82:39:d3:c3":"192.168.48.86","fa:e7:60:2e:37:dd":"192.168.48.87"}`,
		},
		{
			"held before reserved", "GET", "/caches/default/net-48",
			pools{pool: other},
			http.StatusOK,
			`{"fa:e7:60:2e:37:dd":"192.168.48.86"}`,
		},
		{"no such network", "GET", "/ipams/default/pool", pools{pool: seed()}, http.StatusNotFound, "network default/pool has no IPPool"},
		{"a broken plan", "GET", "/caches/default/net-48", pools{pool: broken}, http.StatusConflict, "spec.ipv4Config.cidr"},
		{"too large", "GET", "/ipams/default/net-48", pools{pool: large}, http.StatusRequestEntityTooLarge, "list its IPLeases instead"},
		{"no index", "GET", "/ipams/default/net-48", pools{err: errors.New("no index")}, http.StatusInternalServerError, "no index"},
		{"nothing can be written", "POST", "/ipams/default/net-48", pools{pool: seed()}, http.StatusMethodNotAllowed, ""},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			mux, answer := http.NewServeMux(), httptest.NewRecorder()
			debugview.Register(mux, tc.pools, book)
			mux.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, nil))

			body := strings.TrimSpace(answer.Body.String())
			if answer.Code != tc.code || !strings.Contains(body, tc.body) || tc.code == http.StatusOK && body != tc.body {
				t.Errorf("answered %d %s, want %d %s", answer.Code, body, tc.code, tc.body)
			}

			if kind := answer.Header().Get("Content-Type"); tc.code == http.StatusOK && kind != "application/json" {
				t.Errorf("Content-Type is %q", kind)
			}
		})
	}
}
