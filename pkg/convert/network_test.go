package convert

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

func TestPoolNetwork(t *testing.T) {
	t.Parallel()
	resolve := func(host string) []netip.Addr {
		if host != "pool.ntp.org" {
			t.Errorf("%q was looked up", host)
		}
		return []netip.Addr{
			netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("::ffff:203.0.113.1"),
			netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("127.0.0.1"),
			{},
			netip.MustParseAddr("192.0.2.4"),
		}
	}
	got, errs := PoolNetwork(&aPool().Spec, resolve)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := dhcp.Network{
		Server:       netip.MustParseAddr("192.168.48.77"),
		Prefix:       netip.MustParsePrefix("192.168.48.0/24"),
		Router:       netip.MustParseAddr("192.168.48.1"),
		DNS:          []netip.Addr{netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("9.9.9.9")},
		DomainName:   "example.org",
		DomainSearch: []string{"example.org", "corp.example.org"},
		NTP:          []netip.Addr{netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.9")},
		LeaseTime:    300 * time.Second,
		MTU:          1450,
		Routes: []dhcp.Route{
			{Destination: netip.MustParsePrefix("10.0.0.0/8"), Gateway: netip.MustParseAddr("192.168.48.254")},
			{Destination: netip.MustParsePrefix("172.16.0.0/12")},
		},
	}
	if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
		t.Errorf("network (-want +got):\n%s", diff)
	}
}

// TestPoolNetworkServesTheRest: one bad option costs that option, a bad plan costs
// the network.
func TestPoolNetworkServesTheRest(t *testing.T) {
	t.Parallel()
	t.Run("bad options", func(t *testing.T) {
		t.Parallel()
		got, errs := PoolNetwork(&aPool(config(func(c *v1alpha1.IPv4Config) {
			c.DNS[0], c.DomainName, c.DomainSearch[0], c.NTP[0] = "fd00::1", new("a b"), "", "1.2.3.4.5"
			c.LeaseTime, c.MTU, c.Routes[0].Gateway = new(-5), new(int32(1)), "x"
		})).Spec, func(string) []netip.Addr { return nil })
		want := []string{"dns[0]", "domainName", "domainSearch[0]", "ntp[0]", "leaseTime", "mtu", "routes[0].gateway", "ntp[1]"}
		if diff := cmp.Diff(want, fields(errs)); diff != "" {
			t.Errorf("fields with errors (-want +got):\n%s", diff)
		}
		if last := errs[len(errs)-1]; last.Type != field.ErrorTypeNotFound || last.BadValue != "pool.ntp.org" {
			t.Errorf("a name that resolves to nothing is %v", last)
		}
		rest := dhcp.Network{
			Server: netip.MustParseAddr("192.168.48.77"), Prefix: netip.MustParsePrefix("192.168.48.0/24"), Router: netip.MustParseAddr("192.168.48.1"),
			DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, DomainSearch: []string{"corp.example.org"},
			Routes: []dhcp.Route{{Destination: netip.MustParsePrefix("172.16.0.0/12")}},
		}
		if diff := cmp.Diff(rest, got, cmpAddrs); diff != "" {
			t.Errorf("network (-want +got):\n%s", diff)
		}
	})
	t.Run("bad plan", func(t *testing.T) {
		t.Parallel()
		got, errs := PoolNetwork(&aPool(config(func(c *v1alpha1.IPv4Config) { c.ServerIP, c.DNS[0] = "192.168.49.1", "x" })).Spec, nil)
		if diff := cmp.Diff([]string{"serverIP", "dns[0]"}, fields(errs)); diff != "" {
			t.Errorf("fields with errors (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(dhcp.Network{}, got, cmpAddrs); diff != "" {
			t.Errorf("network (-want +got):\n%s", diff)
		}
	})
	t.Run("no resolver leaves names out", func(t *testing.T) {
		t.Parallel()
		got, errs := PoolNetwork(&aPool().Spec, nil)
		if len(errs) > 0 || len(got.NTP) != 1 {
			t.Errorf("NTP = %v, errors %v", got.NTP, errs)
		}
	})
	t.Run("lease times from before the rule", func(t *testing.T) {
		t.Parallel()
		for seconds, want := range map[int]time.Duration{30: 30 * time.Second, 0: 0, 1 << 40: 365 * 24 * time.Hour, 86400: 24 * time.Hour} {
			got, _ := PoolNetwork(&aPool(config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = &seconds })).Spec, nil)
			if got.LeaseTime != want {
				t.Errorf("%d seconds are served as %s, want %s", seconds, got.LeaseTime, want)
			}
		}
	})
}

// TestValidPoolsAreServed: what ValidatePool accepts, CompletePool completes once
// and for all, and the responder serves without leaving anything out.
func TestValidPoolsAreServed(t *testing.T) {
	t.Parallel()
	accepted := 0
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 2131))
		pool := randomPool(rng)
		if len(ValidatePool(pool)) > 0 {
			continue
		}
		accepted++
		once := pool.DeepCopy()
		if errs := CompletePool(&once.Spec); len(errs) > 0 {
			t.Fatalf("seed %d: a valid pool cannot be completed: %v", seed, errs)
		}
		twice := once.DeepCopy()
		if errs := CompletePool(&twice.Spec); len(errs) > 0 || cmp.Diff(once, twice) != "" {
			t.Fatalf("seed %d: completing again: %v\n%s", seed, errs, cmp.Diff(once, twice))
		}
		before, _ := PoolPlan(&pool.Spec)
		after, _ := PoolPlan(&once.Spec)
		if diff := cmp.Diff(before, after, cmpAddrs); diff != "" {
			t.Fatalf("seed %d: the plan changed when it was written down:\n%s", seed, diff)
		}
		network, errs := PoolNetwork(&once.Spec, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.123")} })
		if len(errs) > 0 {
			t.Fatalf("seed %d: %v", seed, errs)
		}
		snapshot, err := dhcp.NewSnapshot(network, nil)
		if err != nil || len(snapshot.Problems()) > 0 {
			t.Fatalf("seed %d: %v, %v is not served for %+v", seed, err, snapshot.Problems(), network)
		}
	}
	if accepted < 300 {
		t.Errorf("only %d random pools were valid; the test proves little", accepted)
	}
}

// randomPool returns a pool that is valid in about one of three cases.
func randomPool(rng *rand.Rand) *v1alpha1.IPPool {
	pick := func(ss ...string) string { return ss[rng.IntN(len(ss))] }
	host := func() string {
		if rng.IntN(3) == 0 {
			return ""
		}
		return fmt.Sprintf("10.7.%d.%d", rng.IntN(2), rng.IntN(256))
	}
	c := v1alpha1.IPv4Config{
		CIDR: pick("10.7.0.0/23", "10.7.0.0/23", "10.7.0.0/16", "10.0.0.0/8", "10.7.0.0/24"), ServerIP: host(), Router: host(),
		Pool: v1alpha1.Pool{Start: host(), End: host()},
	}
	for range rng.IntN(3) {
		c.Pool.Exclude = append(c.Pool.Exclude, pick("10.7.0.4", "10.7.0.0/28", "10.7.0.9-10.7.0.200", "10.7.1.1", "::ffff:10.7.0.5"))
		c.DNS = append(c.DNS, pick("1.1.1.1", "::ffff:9.9.9.9", "10.7.0.53"))
		c.NTP = append(c.NTP, pick("pool.ntp.org", "192.0.2.1", "Time.Example."))
		c.DomainSearch = append(c.DomainSearch, pick("a.org", "B.Org.", "x"))
	}
	if rng.IntN(2) == 0 {
		c.DomainName, c.LeaseTime, c.MTU = new(pick("", "a.org", "A.ORG.")), new(rng.IntN(90000)), new(int32(500+rng.IntN(9000)))
		c.Routes = []v1alpha1.Route{{Destination: pick("0.0.0.0/0", "192.0.2.0/24"), Gateway: pick("0.0.0.0", "10.7.0.77")}}
	}
	return &v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: v1alpha1.IPPoolSpec{NetworkName: "n", IPv4Config: c}}
}
