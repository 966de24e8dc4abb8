package ipam

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestComplete holds the defaults vm-dhcp-controller's admission fills in, which
// pools that are carried over rely on, and the cases it leaves open.
func TestComplete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		plan               draft
		server, start, end string
		err                string
	}{
		{
			name: "nothing given", plan: draft{cidr: "192.168.0.0/24"},
			server: "192.168.0.1", start: "192.168.0.1", end: "192.168.0.254",
		},
		{
			name: "router at the start", plan: draft{cidr: "172.19.64.128/29", router: "172.19.64.129"},
			server: "172.19.64.130", start: "172.19.64.129", end: "172.19.64.134",
		},
		{
			name:   "everything given",
			plan:   draft{cidr: "172.19.64.128/29", server: "172.19.64.130", router: "172.19.64.129", start: "172.19.64.131", end: "172.19.64.133"},
			server: "172.19.64.130", start: "172.19.64.131", end: "172.19.64.133",
		},
		{
			name: "/30 with router: nothing to hand out", plan: draft{cidr: "172.19.64.128/30", router: "172.19.64.129"},
			server: "172.19.64.130", start: "172.19.64.129", end: "172.19.64.130",
		},
		{
			name: "/30 without router: one to hand out", plan: draft{cidr: "172.19.64.128/30"},
			server: "172.19.64.129", start: "172.19.64.129", end: "172.19.64.130",
		},
		{
			name: "/30 with start", plan: draft{cidr: "172.19.64.128/30", start: "172.19.64.130"},
			server: "172.19.64.129", start: "172.19.64.130", end: "172.19.64.130",
		},
		{
			name:   "exclusions",
			plan:   draft{cidr: "172.19.64.128/29", exclude: []string{"172.19.64.129", "172.19.64.131"}},
			server: "172.19.64.130", start: "172.19.64.129", end: "172.19.64.134",
		},
		{
			name: "only the broadcast address left",
			plan: draft{cidr: "172.19.64.128/29", router: "172.19.64.130", exclude: []string{"172.19.64.129", "172.19.64.131", "172.19.64.132", "172.19.64.133", "172.19.64.134"}},
			err:  "serverIP: no address of 172.19.64.128/29 is left for the DHCP server: each one is the router or excluded; exclude fewer addresses or use a larger network",
		},
		{
			name: "/32", plan: draft{cidr: "172.19.64.128/32"},
			err: "cidr 172.19.64.128/32: has no address for a host beside its network and broadcast address; use a network of /30 or larger",
		},
		{
			name: "/31", plan: draft{cidr: "172.19.64.128/31"},
			err: "cidr 172.19.64.128/31: has no address for a host beside its network and broadcast address; use a network of /30 or larger",
		},
		{
			name: "server and router in the middle", plan: draft{cidr: "192.168.0.0/24", server: "192.168.0.50", router: "192.168.0.100"},
			server: "192.168.0.50", start: "192.168.0.1", end: "192.168.0.254",
		},
		{
			name: "server outside a given range", plan: draft{cidr: "10.0.0.0/24", router: "10.0.0.1", start: "10.0.0.1", end: "10.0.0.99"},
			server: "10.0.0.100", start: "10.0.0.1", end: "10.0.0.99",
		},
		{
			name: "server outside, over exclusions", plan: draft{cidr: "10.0.0.0/24", start: "10.0.0.10", end: "10.0.0.99", exclude: []string{"10.0.0.1-10.0.0.9", "10.0.0.100-10.0.0.109"}},
			server: "10.0.0.110", start: "10.0.0.10", end: "10.0.0.99",
		},
		{
			name: "server inside when nothing is left outside", plan: draft{cidr: "10.0.0.0/29", router: "10.0.0.1", start: "10.0.0.2", end: "10.0.0.6"},
			server: "10.0.0.2", start: "10.0.0.2", end: "10.0.0.6",
		},
		{
			name: "only the end given", plan: draft{cidr: "10.0.0.0/24", end: "10.0.0.99"},
			server: "10.0.0.100", start: "10.0.0.1", end: "10.0.0.99",
		},
		{
			name: "range of one", plan: draft{cidr: "10.0.0.0/24", start: "10.0.0.9", end: "10.0.0.9"},
			server: "10.0.0.1", start: "10.0.0.9", end: "10.0.0.9",
		},
		{
			name: "router that is the broadcast address", plan: draft{cidr: "10.0.0.0/24", router: "10.0.0.255"},
			err: "router 10.0.0.255: is the broadcast address of 10.0.0.0/24; write an address from 10.0.0.1-10.0.0.254",
		},
		{
			name: "start behind end", plan: draft{cidr: "10.0.0.0/24", start: "10.0.0.9", end: "10.0.0.5"},
			err: "pool.start 10.0.0.9: comes after the end of the range, 10.0.0.5; swap the two, or write the same address twice for a range of one",
		},
		{
			name: "a /8", plan: draft{cidr: "10.0.0.0/8", router: "10.0.0.1"},
			server: "10.0.0.2", start: "10.0.0.1", end: "10.255.255.254",
		},
		{
			name: "IPv6 has no broadcast address", plan: draft{cidr: "fd00::/126", router: "fd00::1"},
			server: "fd00::2", start: "fd00::1", end: "fd00::3",
		},
		{
			name: "an IPv6 /64", plan: draft{cidr: "fd00::/64"},
			server: "fd00::1", start: "fd00::1", end: "fd00::ffff:ffff:ffff:ffff",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in := tc.plan.plan(t)
			got, err := in.Complete()
			want := in
			if tc.err == "" {
				want.Server = addr(tc.server)
				want.Range = Range{First: addr(tc.start), Last: addr(tc.end)}
				if err != nil {
					t.Fatal(err)
				}
			} else {
				var invalid *InvalidError
				if !errors.As(err, &invalid) || err.Error() != tc.err {
					t.Fatalf("error is %v, want %s", err, tc.err)
				}
			}
			if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCompleteHolds: what was set stays, the result is valid, complete and final,
// and Complete fails exactly when no address is left for the server.
func TestCompleteHolds(t *testing.T) {
	t.Parallel()
	eachSeed(t, 300, func(t *testing.T, rng *rand.Rand) {
		in := randomPlan(rng)
		got, err := in.Complete()

		everything := in
		everything.Range = Range{First: in.Prefix.Masked().Addr(), Last: RangeOf(in.Prefix).Last}
		m := newModel(everything)
		candidate := slices.ContainsFunc(m.hosts, func(a netip.Addr) bool { return a != in.Router && !m.isExcluded(a) })
		if (err == nil) != (in.Server.IsValid() || candidate) {
			t.Fatalf("Complete(%+v) = %v; an address is left: %v", in, err, candidate)
		}
		if err != nil {
			return
		}
		if problems := got.Validate(); len(problems) > 0 {
			t.Fatalf("a completed plan has problems: %v", problems)
		}
		if !got.Server.IsValid() || !got.Range.IsValid() {
			t.Fatalf("a completed plan is not complete: %+v", got)
		}
		for what, kept := range map[string]bool{
			"server": !in.Server.IsValid() || got.Server == in.Server,
			"router": got.Router == in.Router,
			"start":  !in.Range.First.IsValid() || got.Range.First == in.Range.First,
			"end":    !in.Range.Last.IsValid() || got.Range.Last == in.Range.Last,
		} {
			if !kept {
				t.Errorf("%s was changed: %+v to %+v", what, in, got)
			}
		}
		if !in.Server.IsValid() && (m.isExcluded(got.Server) || got.Server == in.Router) {
			t.Errorf("server %s clashes in %+v", got.Server, got)
		}
		again, err := got.Complete()
		if diff := cmp.Diff(got, again, cmpAddrs); err != nil || diff != "" {
			t.Errorf("completing twice: %v\n%s", err, diff)
		}
	})
}

// TestTrimHandsOutTheSame: trimming changes no more than the ends of the range.
func TestTrimHandsOutTheSame(t *testing.T) {
	t.Parallel()
	eachSeed(t, 200, func(t *testing.T, rng *rand.Rand) {
		p := completePlan(rng)
		trimmed := p.Trim()
		if len(trimmed.Validate()) > 0 || !trimmed.Range.IsValid() {
			t.Fatalf("Trim(%+v) = %+v", p, trimmed)
		}
		if trimmed.Trim().Range != trimmed.Range {
			t.Errorf("%s can be trimmed twice", trimmed.Range)
		}
		if got, want := Count(trimmed, nil).Free, Count(p, nil).Free; got != want {
			t.Errorf("%d addresses before, %d after: %+v", want, got, trimmed)
		}
		for _, edge := range []netip.Addr{trimmed.Range.First, trimmed.Range.Last} {
			if role := trimmed.Role(edge); (role == RoleServer || role == RoleRouter) && trimmed.Range != p.Range {
				t.Errorf("%s is left as an edge of %s", role, trimmed.Range)
			}
		}
	})
}

func TestTrim(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		plan       draft
	}{
		{"server first", "192.168.0.2-192.168.0.254", draft{cidr: "192.168.0.0/24", server: "192.168.0.1", start: "192.168.0.1", end: "192.168.0.254"}},
		{"router and server first", "192.168.0.3-192.168.0.254", draft{cidr: "192.168.0.0/24", router: "192.168.0.1", server: "192.168.0.2", start: "192.168.0.1", end: "192.168.0.254"}},
		{"one at each end", "192.168.0.2-192.168.0.253", draft{cidr: "192.168.0.0/24", router: "192.168.0.254", server: "192.168.0.1", start: "192.168.0.1", end: "192.168.0.254"}},
		{"both in the middle", "192.168.0.1-192.168.0.254", draft{cidr: "192.168.0.0/24", router: "192.168.0.54", server: "192.168.0.71", start: "192.168.0.1", end: "192.168.0.254"}},
		{"nothing else", "192.168.0.1-192.168.0.2", draft{cidr: "192.168.0.0/30", router: "192.168.0.1", server: "192.168.0.2", start: "192.168.0.1", end: "192.168.0.2"}},
		{"no range", "", draft{cidr: "192.168.0.0/30", router: "192.168.0.1"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.plan.plan(t).Trim().Range.String(); got != tc.want {
				t.Errorf("Trim = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	const net24 = "192.168.48.0/24"
	tests := []struct {
		name string
		plan draft
		want []string // "field value" of each problem, in order
		says string   // in the first problem
	}{
		{name: "empty but for the network", plan: draft{cidr: net24}},
		{name: "full", plan: draft{cidr: net24, server: "192.168.48.2", router: "192.168.48.1", start: "192.168.48.10", end: "192.168.48.20", exclude: []string{"192.168.48.12"}}},
		{name: "start equals end", plan: draft{cidr: net24, start: "192.168.48.10", end: "192.168.48.10"}},
		{name: "server and router in the range", plan: draft{cidr: net24, server: "192.168.48.12", router: "192.168.48.13", start: "192.168.48.10", end: "192.168.48.20"}},
		{name: "server excluded", plan: draft{cidr: net24, server: "192.168.48.12", exclude: []string{"192.168.48.0/28"}}},
		{name: "everything excluded", plan: draft{cidr: net24, exclude: []string{net24}}},
		{name: "exclusions that overlap", plan: draft{cidr: net24, exclude: []string{"192.168.48.0/28", "192.168.48.3", "192.168.48.3"}}},
		{name: "IPv4 in IPv6 notation", plan: draft{cidr: net24, server: "::ffff:192.168.48.2"}},
		{name: "IPv6", plan: draft{cidr: "fd00::/64", server: "fd00::2", router: "fd00::1", start: "fd00::10", end: "fd00::ffff:ffff:ffff:ffff"}},
		{name: "host bits", plan: draft{cidr: "192.168.48.5/24", server: "192.168.48.2"}, want: []string{"cidr 192.168.48.5/24"}, says: "write 192.168.48.0/24"},
		{name: "mapped network", plan: draft{cidr: "::ffff:192.168.48.0/120"}, want: []string{"cidr ::ffff:192.168.48.0/120", "cidr ::ffff:192.168.48.0/120"}, says: "write it as IPv4"},
		{name: "/31", plan: draft{cidr: "10.0.0.0/31"}, want: []string{"cidr 10.0.0.0/31"}, says: "/30 or larger"},
		{name: "/32 with an address", plan: draft{cidr: "10.0.0.1/32", start: "10.0.0.1"}, want: []string{"cidr 10.0.0.1/32"}},
		{name: "/127", plan: draft{cidr: "fd00::/127"}, want: []string{"cidr fd00::/127"}, says: "/126 or larger"},
		{name: "loopback", plan: draft{cidr: "127.0.0.0/24"}, want: []string{"cidr 127.0.0.0/24"}, says: "loopback"},
		{name: "multicast", plan: draft{cidr: "239.1.0.0/16"}, want: []string{"cidr 239.1.0.0/16"}, says: "multicast"},
		{name: "IPv6 multicast", plan: draft{cidr: "ff02::/64"}, want: []string{"cidr ff02::/64"}, says: "multicast"},
		{name: "everything", plan: draft{cidr: "0.0.0.0/0"}, want: []string{"cidr 0.0.0.0/0", "cidr 0.0.0.0/0", "cidr 0.0.0.0/0"}},
		{name: "server out of the network", plan: draft{cidr: net24, server: "192.168.49.2"}, want: []string{"serverIP 192.168.49.2"}, says: "write an address of 192.168.48.0/24"},
		{name: "server is the network", plan: draft{cidr: net24, server: "192.168.48.0"}, want: []string{"serverIP 192.168.48.0"}, says: "network address"},
		{name: "server is the broadcast address", plan: draft{cidr: net24, server: "192.168.48.255"}, want: []string{"serverIP 192.168.48.255"}, says: "broadcast address"},
		{name: "server is the router", plan: draft{cidr: net24, server: "192.168.48.1", router: "192.168.48.1"}, want: []string{"serverIP 192.168.48.1"}, says: "router"},
		{name: "server is the router in another spelling", plan: draft{cidr: net24, server: "::ffff:192.168.48.1", router: "192.168.48.1"}, want: []string{"serverIP ::ffff:192.168.48.1"}},
		{name: "router out of the network", plan: draft{cidr: net24, router: "192.168.47.255"}, want: []string{"router 192.168.47.255"}},
		{name: "router is the network", plan: draft{cidr: net24, router: "192.168.48.0"}, want: []string{"router 192.168.48.0"}},
		{name: "router is the broadcast address", plan: draft{cidr: net24, router: "192.168.48.255"}, want: []string{"router 192.168.48.255"}},
		{name: "start out of the network", plan: draft{cidr: net24, start: "192.168.47.1"}, want: []string{"pool.start 192.168.47.1"}},
		{name: "start is the network", plan: draft{cidr: net24, start: "192.168.48.0"}, want: []string{"pool.start 192.168.48.0"}},
		{name: "end out of the network", plan: draft{cidr: net24, end: "192.168.49.1"}, want: []string{"pool.end 192.168.49.1"}},
		{name: "end is the broadcast address", plan: draft{cidr: net24, end: "192.168.48.255"}, want: []string{"pool.end 192.168.48.255"}},
		{name: "start behind end", plan: draft{cidr: net24, start: "192.168.48.20", end: "192.168.48.10"}, want: []string{"pool.start 192.168.48.20"}, says: "comes after the end of the range, 192.168.48.10"},
		{name: "exclusion out of the network", plan: draft{cidr: net24, exclude: []string{"192.168.48.1", "192.168.0.1"}}, want: []string{"pool.exclude[1] 192.168.0.1"}},
		{name: "exclusion half out of the network", plan: draft{cidr: net24, exclude: []string{"192.168.48.250-192.168.49.5"}}, want: []string{"pool.exclude[0] 192.168.49.5"}},
		{name: "IPv6 in an IPv4 pool", plan: draft{cidr: net24, server: "fd00::2", router: "fd00::1", start: "fd00::3", end: "fd00::9", exclude: []string{"fd00::5"}}, want: []string{
			"serverIP fd00::2", "router fd00::1", "pool.start fd00::3", "pool.end fd00::9", "pool.exclude[0] fd00::5",
		}, says: "is IPv6 while the network 192.168.48.0/24 is IPv4"},
		{name: "IPv4 in an IPv6 pool", plan: draft{cidr: "fd00::/64", server: "10.0.0.1"}, want: []string{"serverIP 10.0.0.1"}, says: "is IPv4 while"},
		{name: "zone", plan: draft{cidr: "fe80::/64", server: "fe80::2%eth0"}, want: []string{"serverIP fe80::2%eth0"}, says: "write fe80::2"},
		{name: "all at once", plan: draft{
			cidr: "192.168.48.5/24", server: "192.168.48.0", router: "10.0.0.1",
			start: "192.168.48.255", end: "192.168.48.9", exclude: []string{"192.168.48.7", "1.1.1.1"},
		}, want: []string{
			"cidr 192.168.48.5/24", "serverIP 192.168.48.0", "router 10.0.0.1", "pool.start 192.168.48.255",
			"pool.start 192.168.48.255", "pool.exclude[1] 1.1.1.1",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			problems := tc.plan.plan(t).Validate()
			var got []string
			for _, p := range problems {
				got = append(got, p.Field+" "+p.Value)
				if p.Detail == "" || p.Remedy == "" || p.Value == "" {
					t.Errorf("%+v does not name value, detail and remedy", p)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if tc.says != "" && !strings.Contains(problems[0].String(), tc.says) {
				t.Errorf("%q does not say %q", problems[0], tc.says)
			}
		})
	}
}

func TestValidateWithoutPrefix(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		plan Plan
		want []string
	}{
		{"nothing", Plan{}, []string{"cidr: no network is given; write the network of the pool, such as 192.168.48.0/24"}},
		{"range mixes families", Plan{Range: Range{First: addr("10.0.0.1"), Last: addr("fd00::1")}, Server: addr("10.0.0.1"), Router: addr("10.0.0.1")}, []string{
			"cidr: no network is given; write the network of the pool, such as 192.168.48.0/24",
			"serverIP 10.0.0.1: is also the address of the router; give the DHCP server an address of its own",
			"pool.start 10.0.0.1-fd00::1: mixes IPv4 and IPv6; write two addresses of one family",
		}},
		{"exclusion half written", Plan{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Excluded: []Range{{}, {First: addr("10.0.0.9")}, {First: addr("10.0.0.9"), Last: addr("10.0.0.1")}}}, []string{
			"pool.exclude[0]: is not an address or range; write one address, first-last, or a CIDR",
			"pool.exclude[1] 10.0.0.9-: is not an address or range; write one address, first-last, or a CIDR",
			"pool.exclude[2] 10.0.0.9: comes after the end of the range, 10.0.0.1; swap the two, or write the same address twice for a range of one",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range tc.plan.Validate() {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if _, err := tc.plan.Complete(); err == nil || err.Error() != strings.Join(tc.want, "; ") {
				t.Errorf("Complete: %v", err)
			}
		})
	}
}

func TestRole(t *testing.T) {
	t.Parallel()
	p := draft{cidr: "10.0.0.0/24", server: "10.0.0.20", router: "10.0.0.1", start: "10.0.0.10", end: "10.0.0.99", exclude: []string{"10.0.0.30-10.0.0.39", "10.0.0.200"}}.plan(t)
	for a, want := range map[string]Role{
		"10.0.0.0": RoleNetwork, "10.0.0.255": RoleBroadcast, "10.0.0.1": RoleRouter, "10.0.0.20": RoleServer,
		"::ffff:10.0.0.20": RoleServer, "10.0.0.10": RoleFree, "10.0.0.99": RoleFree, "10.0.0.35": RoleExcluded,
		"10.0.0.9": RoleOutOfRange, "10.0.0.100": RoleOutOfRange, "10.0.0.200": RoleOutOfRange,
		"10.0.1.0": RoleOutside, "fd00::1": RoleOutside, "": RoleOutside,
	} {
		if got := p.Role(addr(a)); got != want {
			t.Errorf("Role(%s) = %s, want %s", a, got, want)
		}
	}
	v6 := draft{cidr: "fd00::/120", start: "fd00::1", end: "fd00::ff"}.plan(t)
	if got := v6.Role(addr("fd00::")); got != RoleNetwork {
		t.Errorf("the subnet-router anycast address is %s", got)
	}
	if got := v6.Role(addr("fd00::ff")); got != RoleFree {
		t.Errorf("the last address of an IPv6 network is %s", got)
	}
	if got := (Plan{}).Role(addr("10.0.0.1")); got != RoleOutside {
		t.Errorf("Role in the zero plan is %s", got)
	}
}
