package convert

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
)

var cmpAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// aPool returns a pool with every field set, changed by the edits.
func aPool(edits ...func(*v1alpha1.IPPool)) *v1alpha1.IPPool {
	pool := &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net-48"},
		Spec: v1alpha1.IPPoolSpec{
			NetworkName: "default/net-48",
			IPv4Config: v1alpha1.IPv4Config{
				ServerIP:     "192.168.48.77",
				CIDR:         "192.168.48.0/24",
				Pool:         v1alpha1.Pool{Start: "192.168.48.81", End: "192.168.48.90", Exclude: []string{"192.168.48.81", "192.168.48.84-192.168.48.85", "192.168.48.88/31"}},
				Router:       "192.168.48.1",
				DNS:          []string{"1.1.1.1", "9.9.9.9"},
				DomainName:   new("Example.Org."),
				DomainSearch: []string{"example.org", "corp.example.org"},
				NTP:          []string{"192.0.2.4", "pool.ntp.org"},
				LeaseTime:    new(300),
				MTU:          new(int32(1450)),
				Routes: []v1alpha1.Route{
					{Destination: "10.0.0.0/8", Gateway: "192.168.48.254"},
					{Destination: "172.16.0.0/12", Gateway: "0.0.0.0"},
				},
			},
		},
	}
	for _, edit := range edits {
		edit(pool)
	}
	return pool
}

// config makes an edit of a pool's address configuration.
func config(edit func(*v1alpha1.IPv4Config)) func(*v1alpha1.IPPool) {
	return func(p *v1alpha1.IPPool) { edit(&p.Spec.IPv4Config) }
}

func fields(errs field.ErrorList) []string {
	var out []string
	for _, e := range errs {
		out = append(out, strings.TrimPrefix(e.Field, "spec.ipv4Config."))
	}
	return out
}

func TestPoolPlan(t *testing.T) {
	t.Parallel()
	got, errs := PoolPlan(&aPool().Spec)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := ipam.Plan{
		Prefix: netip.MustParsePrefix("192.168.48.0/24"),
		Server: netip.MustParseAddr("192.168.48.77"),
		Router: netip.MustParseAddr("192.168.48.1"),
		Range:  ipam.Range{First: netip.MustParseAddr("192.168.48.81"), Last: netip.MustParseAddr("192.168.48.90")},
		Excluded: []ipam.Range{
			{First: netip.MustParseAddr("192.168.48.81"), Last: netip.MustParseAddr("192.168.48.81")},
			{First: netip.MustParseAddr("192.168.48.84"), Last: netip.MustParseAddr("192.168.48.85")},
			{First: netip.MustParseAddr("192.168.48.88"), Last: netip.MustParseAddr("192.168.48.89")},
		},
	}
	if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestCompletePool(t *testing.T) {
	t.Parallel()
	bare := func(cidr string) *v1alpha1.IPPool {
		return &v1alpha1.IPPool{Spec: v1alpha1.IPPoolSpec{NetworkName: "default/n", IPv4Config: v1alpha1.IPv4Config{CIDR: cidr}}}
	}
	t.Run("fills what is empty", func(t *testing.T) {
		t.Parallel()
		pool := bare("192.168.0.0/24")
		pool.Spec.IPv4Config.Router = "192.168.0.1"
		if errs := CompletePool(&pool.Spec); len(errs) > 0 {
			t.Fatal(errs)
		}
		want := v1alpha1.IPv4Config{
			CIDR: "192.168.0.0/24", Router: "192.168.0.1", ServerIP: "192.168.0.2",
			Pool: v1alpha1.Pool{Start: "192.168.0.1", End: "192.168.0.254"},
		}
		if diff := cmp.Diff(want, pool.Spec.IPv4Config); diff != "" {
			t.Errorf("config (-want +got):\n%s", diff)
		}
	})
	t.Run("leaves what is set", func(t *testing.T) {
		t.Parallel()
		pool := aPool()
		if errs := CompletePool(&pool.Spec); len(errs) > 0 {
			t.Fatal(errs)
		}
		if diff := cmp.Diff(aPool(), pool); diff != "" {
			t.Errorf("pool (-want +got):\n%s", diff)
		}
	})
	t.Run("leaves everything when there are errors", func(t *testing.T) {
		t.Parallel()
		for cidr, want := range map[string]string{
			"172.19.64.128/31": "spec.ipv4Config.cidr: Invalid value: \"172.19.64.128/31\": has no address for a host beside its network and broadcast address; use a network of /30 or larger",
			"":                 "spec.ipv4Config.cidr: Required value: write the network of the pool, such as 192.168.48.0/24",
		} {
			pool := bare(cidr)
			errs := CompletePool(&pool.Spec)
			if len(errs) != 1 || errs[0].Error() != want {
				t.Errorf("%q: %v, want %s", cidr, errs, want)
			}
			if diff := cmp.Diff(bare(cidr), pool); diff != "" {
				t.Errorf("%q was changed:\n%s", cidr, diff)
			}
		}
	})
	t.Run("says that no address is left for the server", func(t *testing.T) {
		t.Parallel()
		pool := bare("172.19.64.128/29")
		pool.Spec.IPv4Config.Pool.Exclude = []string{"172.19.64.129-172.19.64.134"}
		errs := CompletePool(&pool.Spec)
		if len(errs) != 1 || errs[0].Field != "spec.ipv4Config.serverIP" || errs[0].Type != field.ErrorTypeRequired {
			t.Errorf("errors: %v", errs)
		}
	})
}

// malformed is text that is no IPv4 address, however one squints.
func malformed() []string {
	return []string{
		" ", "192.168.48", "192.168.48.", ".192.168.48.5", "192.168.48.256", "192.168.48.-1", "192.168.48.5.6", "192.168.048.005",
		"192.168.48.5/24", "192.168.48.5:67", "192.168.48.5 ", " 192.168.48.5", "192.168.48.5\n", "192,168,48,5", "192.168.48.x",
		"0xC0A83005", "3232247813", "0300.0250.060.05", "host.example.org", "localhost", "*", "-", "/", "any", "null", "<nil>",
		"::", "::1", "fd00::5", "fe80::1%eth0", "2001:db8::/64", "[fd00::5]", "fd00::5::6", "fd00:::5", "1:2:3:4:5:6:7:8:9",
		"::ffff:192.168.48.300", "::ffff:999.1.1.1", "12345::", "g::1", "fe80::1%", "٣.٣.٣.٣", "１９２.168.48.5", "192.168.48.5\x00",
		strings.Repeat("9", 5000), strings.Repeat(":", 300), strings.Repeat("192.168.48.", 50),
	}
}

// TestMalformedAddresses puts every malformed text in every field that holds an
// address: each is refused there, with the value and a way out, and only there.
func TestMalformedAddresses(t *testing.T) {
	t.Parallel()
	places := map[string]func(*v1alpha1.IPv4Config, string){
		"serverIP":          func(c *v1alpha1.IPv4Config, s string) { c.ServerIP = s },
		"router":            func(c *v1alpha1.IPv4Config, s string) { c.Router = s },
		"cidr":              func(c *v1alpha1.IPv4Config, s string) { c.CIDR = s },
		"pool.start":        func(c *v1alpha1.IPv4Config, s string) { c.Pool.Start = s },
		"pool.end":          func(c *v1alpha1.IPv4Config, s string) { c.Pool.End = s },
		"dns[1]":            func(c *v1alpha1.IPv4Config, s string) { c.DNS[1] = s },
		"routes[0].gateway": func(c *v1alpha1.IPv4Config, s string) { c.Routes[0].Gateway = s },
	}
	for place, put := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			for _, s := range malformed() {
				errs := ValidatePool(aPool(config(func(c *v1alpha1.IPv4Config) { put(c, s) })))
				if len(errs) != 1 || fields(errs)[0] != place {
					t.Errorf("%q: errors in %v: %v", s, fields(errs), errs)
					continue
				}
				if e := errs[0]; e.BadValue != s || !strings.Contains(e.Detail, "write") && !strings.Contains(e.Detail, "remove") {
					t.Errorf("%q: %v names no value or no way out", s, e)
				}
			}
		})
	}
}

func TestMalformedNetworks(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"192.168.48.0", "192.168.48.0/", "192.168.48.0/33", "192.168.48.0/-1", "192.168.48.0/024", "192.168.48.0/255.255.255.0",
		"192.168.48/24", "192.168.48.5/24", " 192.168.48.0/24", "/24", "fd00::/64", "fd00::/129", "::ffff:192.168.48.0/120", "fd00::%eth0/64", "x/24",
	} {
		for place, put := range map[string]func(*v1alpha1.IPv4Config){
			"cidr":                  func(c *v1alpha1.IPv4Config) { c.CIDR = s },
			"routes[1].destination": func(c *v1alpha1.IPv4Config) { c.Routes[1].Destination = s },
		} {
			errs := ValidatePool(aPool(config(put)))
			if len(errs) != 1 || fields(errs)[0] != place || errs[0].BadValue != s {
				t.Errorf("%q in %s: errors in %v: %v", s, place, fields(errs), errs)
			}
		}
	}
	for _, s := range []string{
		"", " ", "192.168.48.81-", "192.168.48.90-192.168.48.81", "192.168.48.5/24", "192.168.48.81-fd00::1", "fd00::1", "fd00::/64",
		"192.168.49.1", "192.168.48.250-192.168.49.3", "all", "192.168.48.81,192.168.48.82", "192.168.48.0/23",
	} {
		errs := ValidatePool(aPool(config(func(c *v1alpha1.IPv4Config) { c.Pool.Exclude[1] = s })))
		if len(errs) != 1 || fields(errs)[0] != "pool.exclude[1]" {
			t.Errorf("exclude %q: errors in %v: %v", s, fields(errs), errs)
		}
	}
}

func TestValidatePool(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64) + ".example.org"
	tests := []struct {
		name string
		edit func(*v1alpha1.IPPool)
		want []string
		says string // in the first error
	}{
		{"everything set", func(*v1alpha1.IPPool) {}, nil, ""},
		{"only what is required", func(p *v1alpha1.IPPool) {
			p.Spec = v1alpha1.IPPoolSpec{NetworkName: "net-48", IPv4Config: v1alpha1.IPv4Config{CIDR: "192.168.48.0/24"}}
		}, nil, ""},
		{"longest name", func(p *v1alpha1.IPPool) { p.Name = strings.Repeat("p", MaxPoolName) }, nil, ""},
		{"name too long", func(p *v1alpha1.IPPool) { p.Name = strings.Repeat("p", MaxPoolName+1) }, []string{"metadata.name"}, "use 237 or fewer"},
		{"no network", func(p *v1alpha1.IPPool) { p.Spec.NetworkName = "" }, []string{"spec.networkName"}, "Required value"},
		{"bad network", func(p *v1alpha1.IPPool) { p.Spec.NetworkName = "a/b/c" }, []string{"spec.networkName"}, "more than one slash"},
		{"start equals end", config(func(c *v1alpha1.IPv4Config) { c.Pool = v1alpha1.Pool{Start: "192.168.48.81", End: "192.168.48.81"} }), nil, ""},
		{"start behind end", config(func(c *v1alpha1.IPv4Config) { c.Pool.Start, c.Pool.End = c.Pool.End, c.Pool.Start }), []string{"pool.start"}, "swap the two"},
		{"server out of the network", config(func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.49.2" }), []string{"serverIP"}, "is not in the network 192.168.48.0/24; write"},
		{"server is the network", config(func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.0" }), []string{"serverIP"}, "network address"},
		{"server is the broadcast address", config(func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.255" }), []string{"serverIP"}, "broadcast address"},
		{"server is the router", config(func(c *v1alpha1.IPv4Config) { c.ServerIP = c.Router }), []string{"serverIP"}, "router"},
		{"an IPv4 address in IPv6 notation", config(func(c *v1alpha1.IPv4Config) { c.ServerIP = "::ffff:192.168.48.77" }), nil, ""},
		{"router out of the network", config(func(c *v1alpha1.IPv4Config) { c.Router = "10.0.0.1" }), []string{"router"}, ""},
		{"leading zeros", config(func(c *v1alpha1.IPv4Config) { c.Router = "192.168.048.001" }), []string{"router"}, "write 192.168.48.1"},
		{"address with length", config(func(c *v1alpha1.IPv4Config) { c.Router = "192.168.48.1/24" }), []string{"router"}, "write 192.168.48.1"},
		{"address with port", config(func(c *v1alpha1.IPv4Config) { c.DNS = []string{"1.1.1.1:53"} }), []string{"dns[0]"}, "write 1.1.1.1"},
		{"network without length", config(func(c *v1alpha1.IPv4Config) { c.CIDR = "192.168.48.0" }), []string{"cidr"}, "such as 192.168.48.0/24"},
		{"host bits", config(func(c *v1alpha1.IPv4Config) { c.CIDR = "192.168.48.5/24" }), []string{"cidr"}, "write 192.168.48.0/24"},
		{"3 name servers", config(func(c *v1alpha1.IPv4Config) { c.DNS = []string{"1.1.1.1", "1.0.0.1", "9.9.9.9"} }), nil, ""},
		{"4 name servers", config(func(c *v1alpha1.IPv4Config) { c.DNS = []string{"1.1.1.1", "1.0.0.1", "9.9.9.9", "8.8.8.8"} }), []string{"dns"}, "must have at most 3 items; remove"},
		{"name server 0.0.0.0", config(func(c *v1alpha1.IPv4Config) { c.DNS[0] = "0.0.0.0" }), []string{"dns[0]"}, "unspecified"},
		{"name server on loopback", config(func(c *v1alpha1.IPv4Config) { c.DNS[0] = "127.0.0.53" }), []string{"dns[0]"}, "the guest itself"},
		{"name server is a group", config(func(c *v1alpha1.IPv4Config) { c.DNS[0] = "224.0.0.251" }), []string{"dns[0]"}, "group"},
		{"name server is everybody", config(func(c *v1alpha1.IPv4Config) { c.DNS[0] = "255.255.255.255" }), []string{"dns[0]"}, "group"},
		{"4 time servers", config(func(c *v1alpha1.IPv4Config) { c.NTP = []string{"a.example", "b.example", "192.0.2.1", "time"} }), nil, ""},
		{"5 time servers", config(func(c *v1alpha1.IPv4Config) { c.NTP = []string{"a.b", "c.d", "e.f", "g.h", "i.j"} }), []string{"ntp"}, "at most 4"},
		{"time server that is almost an address", config(func(c *v1alpha1.IPv4Config) { c.NTP[0] = "192.0.2.300" }), []string{"ntp[0]"}, "neither an IPv4 address nor a host name"},
		{"time server on IPv6", config(func(c *v1alpha1.IPv4Config) { c.NTP[0] = "2001:db8::1" }), []string{"ntp[0]"}, "IPv6"},
		{"time server 0.0.0.0", config(func(c *v1alpha1.IPv4Config) { c.NTP[0] = "0.0.0.0" }), []string{"ntp[0]"}, "unspecified"},
		{"time server with a shell in it", config(func(c *v1alpha1.IPv4Config) { c.NTP[1] = "a;reboot" }), []string{"ntp[1]"}, "neither"},
		{"empty time server", config(func(c *v1alpha1.IPv4Config) { c.NTP[1] = "" }), []string{"ntp[1]"}, "neither"},
		{"empty domain name", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new("") }), nil, ""},
		{"single label", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new("lan") }), nil, ""},
		{"domain name with blank", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new("a b.org") }), []string{"domainName"}, "not a domain name"},
		{"domain name is an address", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new("10.0.0.1") }), []string{"domainName"}, "ends in a number"},
		{"domain name with quotes", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new(`x"; rm`) }), []string{"domainName"}, ""},
		{"domain name with a NUL", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new("a\x00b") }), []string{"domainName"}, ""},
		{"domain name of dots", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new("..") }), []string{"domainName"}, ""},
		{"label too long", config(func(c *v1alpha1.IPv4Config) { c.DomainName = &long }), []string{"domainName"}, "1 to 63"},
		{"domain name too long", config(func(c *v1alpha1.IPv4Config) { c.DomainName = new(strings.Repeat("abc.", 64) + "org") }), []string{"domainName"}, "longer than 253"},
		{"search list", config(func(c *v1alpha1.IPv4Config) { c.DomainSearch = []string{"a.org", "", "-b.org"} }), []string{"domainSearch[1]", "domainSearch[2]"}, ""},
		{"long search list", config(func(c *v1alpha1.IPv4Config) { c.DomainSearch = strings.Split(strings.Repeat("a.b ", 16)+"a.b", " ") }), []string{"domainSearch"}, "at most 16"},
		{"no lease time", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = nil }), nil, ""},
		{"lease time 0", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(0) }), nil, ""},
		{"lease time 60", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(60) }), nil, ""},
		{"lease time of a year", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(31536000) }), nil, ""},
		{"lease time 59", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(59) }), []string{"leaseTime"}, "write 60 seconds or more"},
		{"lease time 1", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(1) }), []string{"leaseTime"}, ""},
		{"lease time -1", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(-1) }), []string{"leaseTime"}, "negative"},
		{"lease time too long", config(func(c *v1alpha1.IPv4Config) { c.LeaseTime = new(1 << 62) }), []string{"leaseTime"}, "more than a year"},
		{"MTU 576", config(func(c *v1alpha1.IPv4Config) { c.MTU = new(int32(576)) }), nil, ""},
		{"MTU 65535", config(func(c *v1alpha1.IPv4Config) { c.MTU = new(int32(65535)) }), nil, ""},
		{"MTU 575", config(func(c *v1alpha1.IPv4Config) { c.MTU = new(int32(575)) }), []string{"mtu"}, "from 576 to 65535"},
		{"MTU 65536", config(func(c *v1alpha1.IPv4Config) { c.MTU = new(int32(65536)) }), []string{"mtu"}, ""},
		{"MTU -1", config(func(c *v1alpha1.IPv4Config) { c.MTU = new(int32(-1)) }), []string{"mtu"}, ""},
		{"default route", config(func(c *v1alpha1.IPv4Config) {
			c.Routes = []v1alpha1.Route{{Destination: "0.0.0.0/0", Gateway: "192.168.48.1"}}
		}), nil, ""},
		{"route by a gateway elsewhere", config(func(c *v1alpha1.IPv4Config) { c.Routes[0].Gateway = "10.0.0.1" }), []string{"routes[0].gateway"}, "write one from 192.168.48.1-192.168.48.254"},
		{"route by the broadcast address", config(func(c *v1alpha1.IPv4Config) { c.Routes[0].Gateway = "192.168.48.255" }), []string{"routes[0].gateway"}, ""},
		{"route without gateway", config(func(c *v1alpha1.IPv4Config) { c.Routes[0].Gateway = "" }), []string{"routes[0].gateway"}, "is empty"},
		{"route with host bits", config(func(c *v1alpha1.IPv4Config) { c.Routes[0].Destination = "10.0.0.1/8" }), []string{"routes[0].destination"}, "write 10.0.0.0/8"},
		{"route twice", config(func(c *v1alpha1.IPv4Config) { c.Routes[1].Destination = "10.0.0.0/8" }), []string{"routes[1].destination"}, "earlier in the list"},
		{"IPv6 route", config(func(c *v1alpha1.IPv4Config) {
			c.Routes[0] = v1alpha1.Route{Destination: "fd00::/8", Gateway: "fe80::1"}
		}), []string{"routes[0].destination", "routes[0].gateway"}, "IPv6"},
		{"too many routes", config(func(c *v1alpha1.IPv4Config) {
			c.Routes = nil
			for i := range 65 {
				c.Routes = append(c.Routes, v1alpha1.Route{Destination: fmt.Sprintf("10.%d.0.0/16", i), Gateway: "0.0.0.0"})
			}
		}), []string{"routes"}, "at most 64"},
		{"IPv6 everywhere", config(func(c *v1alpha1.IPv4Config) {
			*c = v1alpha1.IPv4Config{CIDR: "fd00::/64", ServerIP: "fd00::2", Router: "fd00::1", Pool: v1alpha1.Pool{Start: "fd00::10", End: "fd00::20", Exclude: []string{"fd00::12"}}, DNS: []string{"fd00::53"}}
		}), []string{"cidr", "serverIP", "router", "pool.start", "pool.end", "pool.exclude[0]", "dns[0]"}, "IPv6 network"},
		{"everything at once", func(p *v1alpha1.IPPool) {
			p.Spec.NetworkName = "UPPER"
			c := &p.Spec.IPv4Config
			c.ServerIP, c.Router, c.Pool.Start = "x", "192.168.48.255", "192.168.49.1"
			c.Pool.Exclude = []string{"192.168.48.82", "y", "1.1.1.1"}
			c.DNS, c.MTU = []string{"z"}, new(int32(1))
		}, []string{"spec.networkName", "serverIP", "pool.exclude[1]", "router", "pool.start", "pool.exclude[2]", "dns[0]", "mtu"}, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pool := aPool(tc.edit)
			before := pool.DeepCopy()
			errs := ValidatePool(pool)
			if diff := cmp.Diff(tc.want, fields(errs)); diff != "" {
				t.Fatalf("fields with errors (-want +got):\n%s\n%v", diff, errs)
			}
			if tc.says != "" && !strings.Contains(errs[0].Error(), tc.says) {
				t.Errorf("%q does not say %q", errs[0], tc.says)
			}
			if diff := cmp.Diff(before, pool); diff != "" {
				t.Errorf("the pool was changed:\n%s", diff)
			}
		})
	}
}

func FuzzPool(f *testing.F) {
	f.Add("192.168.48.0/24", "192.168.48.77", "192.168.48.81", "192.168.48.90", "192.168.48.84", "1.1.1.1", "pool.ntp.org", "a.org", 300, int32(1500))
	f.Add("fd00::/64", "fd00::1", "fd00::2", "::", "fd00::/65", "::1", "::", "..", -1, int32(-1))
	f.Add("0.0.0.0/0", "255.255.255.255", "0.0.0.0", "255.255.255.254", "0.0.0.0/0", "%", "\x00", "-", 1<<62, int32(1<<30))
	f.Fuzz(func(t *testing.T, cidr, server, start, end, exclude, dns, ntp, domain string, lease int, mtu int32) {
		pool := &v1alpha1.IPPool{Spec: v1alpha1.IPPoolSpec{NetworkName: domain, IPv4Config: v1alpha1.IPv4Config{
			CIDR: cidr, ServerIP: server, Router: ntp, Pool: v1alpha1.Pool{Start: start, End: end, Exclude: []string{exclude, dns}},
			DNS: []string{dns, server}, NTP: []string{ntp, dns}, DomainName: &domain, DomainSearch: []string{domain, ntp},
			LeaseTime: &lease, MTU: &mtu, Routes: []v1alpha1.Route{{Destination: cidr, Gateway: server}, {Destination: exclude, Gateway: end}},
		}}}
		for _, e := range ValidatePool(pool) {
			if e.Field == "" || e.Detail == "" {
				t.Fatalf("%+v has no field or no detail", e)
			}
		}
		plan, planErrs := PoolPlan(&pool.Spec)
		if (len(planErrs) == 0) != (len(plan.Validate()) == 0) {
			t.Fatalf("plan %+v has errors %v and problems %v", plan, planErrs, plan.Validate())
		}
		network, _ := PoolNetwork(&pool.Spec, func(string) []netip.Addr { return nil })
		if _, err := dhcp.NewSnapshot(network, nil); (err == nil) != (len(planErrs) == 0) {
			t.Fatalf("plan errors %v, but the responder says %v", planErrs, err)
		}
	})
}
