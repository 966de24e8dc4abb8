package metrics_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/metrics"
)

func must[T any](object T, err error) T {
	if err != nil {
		panic(err)
	}

	return object
}

func pool(name, network, cidr string) *v1alpha1.IPPool {
	return &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.IPPoolSpec{NetworkName: network, IPv4Config: v1alpha1.IPv4Config{
			CIDR: cidr, ServerIP: "192.168.48.77",
			Pool: v1alpha1.Pool{Start: "192.168.48.81", End: "192.168.48.90", Exclude: []string{"192.168.48.81", "192.168.48.90"}},
		}},
	}
}

// TestSeries: names, help and labels are those of vm-dhcp-controller; NICs that
// nothing tells apart are one series; what is deleted leaves none behind.
func TestSeries(t *testing.T) {
	t.Parallel()

	server, book := &apitest.Server{}, ledger.New()
	pools := apitest.NewStore[*v1alpha1.IPPool](server, "ippools", nil)
	requests := apitest.NewStore[*v1alpha1.VirtualMachineNetworkConfig](server, "vmnetcfgs", nil)
	poolCache, requestCache := apitest.NewCache(pools, nil), apitest.NewCache(requests, nil)

	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewCollector(poolCache, requestCache, book, slog.New(slog.DiscardHandler)))

	must(pools.Create(pool("net-48", "net-48", "192.168.48.0/24")))
	must(pools.Create(pool("broken", "default/net-49", "ten")))

	nic := v1alpha1.NetworkConfigStatus{
		AllocatedIPAddress: "192.168.48.86", MACAddress: "c6:d6:82:39:d3:c3", NetworkName: "default/net-48", State: v1alpha1.StateAllocated,
	}
	twin := v1alpha1.NetworkConfigStatus{NetworkName: "default/wild", Reason: v1alpha1.ReasonNetworkUnmanaged}
	made := must(requests.Create(&v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "test-vm-01"},
		Status:     v1alpha1.VirtualMachineNetworkConfigStatus{NetworkConfigs: []v1alpha1.NetworkConfigStatus{nic, twin, twin}},
	}))

	for _, address := range []string{"192.168.48.86", "192.168.48.87"} {
		book.Put(&v1alpha1.IPLease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net-48." + address},
			Spec:       v1alpha1.IPLeaseSpec{PoolName: "net-48", Address: address},
		})
	}

	poolCache.Sync()
	requestCache.Sync()

	want := `# HELP vmdhcpcontroller_ippool_available Amount of IP addresses which are available
# TYPE vmdhcpcontroller_ippool_available gauge
vmdhcpcontroller_ippool_available{cidr="192.168.48.0/24",ippool="default/net-48",network="default/net-48"} 6
# HELP vmdhcpcontroller_ippool_used Amount of IP addresses which are in use
# TYPE vmdhcpcontroller_ippool_used gauge
vmdhcpcontroller_ippool_used{cidr="192.168.48.0/24",ippool="default/net-48",network="default/net-48"} 2
# HELP vmdhcpcontroller_vmnetcfg_status Status of the vmnetcfg objects
# TYPE vmdhcpcontroller_vmnetcfg_status gauge
vmdhcpcontroller_vmnetcfg_status{ip="",mac="",network="default/wild",status="NetworkUnmanaged",vmnetcfg="default/test-vm-01"} 1
vmdhcpcontroller_vmnetcfg_status{ip="192.168.48.86",mac="c6:d6:82:39:d3:c3",network="default/net-48",status="Allocated",vmnetcfg="default/test-vm-01"} 1
`
	for range 2 {
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(scrape(t, registry), "\n")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}

	for _, err := range []error{pools.Delete("default", "net-48", nil), requests.Delete("default", made.Name, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}

	poolCache.Sync()
	requestCache.Sync()

	if left := scrape(t, registry); left != "" {
		t.Errorf("series of deleted objects:\n%s", left)
	}
}

// scrape returns what Prometheus is answered. A series twice fails it.
func scrape(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()

	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))

	if answer.Code != http.StatusOK {
		t.Fatalf("answered %d: %s", answer.Code, answer.Body)
	}

	return answer.Body.String()
}
