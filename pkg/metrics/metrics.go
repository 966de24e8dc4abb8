// Package metrics shows pools and requests to Prometheus. It reads the caches
// on each scrape, so that nothing has to be pushed and no series of a deleted
// object stays behind.
//
// Names and labels are those of vm-dhcp-controller, so that its dashboards and
// alerts go on working.
package metrics

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// Pools lists pools; the cache of IPPools is one.
type Pools interface {
	List(namespace string, selector labels.Selector) ([]*v1alpha1.IPPool, error)
}

// Requests lists requests; the cache of VirtualMachineNetworkConfigs is one.
type Requests interface {
	List(namespace string, selector labels.Selector) ([]*v1alpha1.VirtualMachineNetworkConfig, error)
}

// Collector is a prometheus.Collector of pools and requests. It is safe for
// concurrent use.
type Collector struct {
	pools    Pools
	requests Requests
	ledger   *ledger.Ledger
	log      *slog.Logger

	used, available, status *prometheus.Desc
}

// NewCollector returns a collector that reads the given views.
func NewCollector(pools Pools, requests Requests, book *ledger.Ledger, log *slog.Logger) *Collector {
	pool := []string{"ippool", "cidr", "network"}

	return &Collector{
		pools: pools, requests: requests, ledger: book, log: log,
		used: prometheus.NewDesc("vmdhcpcontroller_ippool_used",
			"Amount of IP addresses which are in use", pool, nil),
		available: prometheus.NewDesc("vmdhcpcontroller_ippool_available",
			"Amount of IP addresses which are available", pool, nil),
		status: prometheus.NewDesc("vmdhcpcontroller_vmnetcfg_status",
			"Status of the vmnetcfg objects", []string{"vmnetcfg", "network", "mac", "ip", "status"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	out <- c.used
	out <- c.available
	out <- c.status
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	pools, err := c.pools.List(metav1.NamespaceAll, labels.Everything())
	if err != nil {
		c.log.Error("cannot list IPPools for metrics", "error", err)
	}

	for _, pool := range pools {
		c.collectPool(out, pool)
	}

	requests, err := c.requests.List(metav1.NamespaceAll, labels.Everything())
	if err != nil {
		c.log.Error("cannot list VirtualMachineNetworkConfigs for metrics", "error", err)
	}

	for _, request := range requests {
		c.collectRequest(out, request)
	}
}

func (c *Collector) collectPool(out chan<- prometheus.Metric, pool *v1alpha1.IPPool) {
	plan, problems := convert.PoolPlan(&pool.Spec)
	if len(problems) > 0 {
		return // a pool without a valid plan has no numbers; its condition says why
	}

	counts := c.ledger.Counts(ledger.Key{Namespace: pool.Namespace, Name: pool.Name}, plan)
	names := []string{
		pool.Namespace + "/" + pool.Name, pool.Spec.IPv4Config.CIDR,
		kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace),
	}

	out <- prometheus.MustNewConstMetric(c.used, prometheus.GaugeValue, float64(counts.Used), names...)
	out <- prometheus.MustNewConstMetric(c.available, prometheus.GaugeValue, float64(counts.Free), names...)
}

func (c *Collector) collectRequest(out chan<- prometheus.Metric, request *v1alpha1.VirtualMachineNetworkConfig) {
	name := request.Namespace + "/" + request.Name
	seen := map[[4]string]bool{}

	for _, nic := range request.Status.NetworkConfigs {
		state := string(nic.State)
		if state == "" {
			state = nic.Reason
		}

		// Two NICs that nothing tells apart would be one series twice, which
		// makes the whole scrape fail.
		values := [4]string{nic.NetworkName, nic.MACAddress, nic.AllocatedIPAddress, state}
		if seen[values] {
			continue
		}

		seen[values] = true

		out <- prometheus.MustNewConstMetric(c.status, prometheus.GaugeValue, 1, name, values[0], values[1], values[2], values[3])
	}
}
