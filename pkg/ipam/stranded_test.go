package ipam

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStranded(t *testing.T) {
	t.Parallel()
	base := draft{cidr: "10.0.0.0/24", server: "10.0.0.2", router: "10.0.0.1", start: "10.0.0.10", end: "10.0.0.99", exclude: []string{"10.0.0.90"}}
	edit := func(change func(*draft)) draft {
		d := base
		d.exclude = slices.Clone(base.exclude)
		change(&d)
		return d
	}
	held := addrs("10.0.0.50", "10.0.0.10", "10.0.0.90", "10.0.0.7", "10.0.0.50", "::ffff:10.0.0.10")
	tests := []struct {
		name  string
		after draft
		want  []string
	}{
		{"no edit", base, nil},
		{"a larger range", edit(func(d *draft) { d.start, d.end = "10.0.0.3", "10.0.0.200" }), nil},
		{"an exclusion of something free", edit(func(d *draft) { d.exclude = append(d.exclude, "10.0.0.60") }), nil},
		{"a smaller range", edit(func(d *draft) { d.start = "10.0.0.11" }), []string{"10.0.0.10 outOfRange would be out of the range 10.0.0.11-10.0.0.99"}},
		{"an exclusion", edit(func(d *draft) { d.exclude = append(d.exclude, "10.0.0.40-10.0.0.59") }), []string{"10.0.0.50 excluded would be excluded by 10.0.0.40-10.0.0.59"}},
		{"the server", edit(func(d *draft) { d.server = "10.0.0.50" }), []string{"10.0.0.50 server would be the address of the DHCP server"}},
		{"the router", edit(func(d *draft) { d.router = "10.0.0.10" }), []string{"10.0.0.10 router would be the address of the router"}},
		{"an excluded one pushed out of the range", edit(func(d *draft) { d.end = "10.0.0.89" }), []string{"10.0.0.90 outOfRange would be out of the range 10.0.0.10-10.0.0.89"}},
		{"another network", draft{cidr: "10.0.1.0/24", start: "10.0.1.10", end: "10.0.1.99"}, []string{
			"10.0.0.7 outside would be out of the network 10.0.1.0/24",
			"10.0.0.10 outside would be out of the network 10.0.1.0/24",
			"10.0.0.50 outside would be out of the network 10.0.1.0/24",
			"10.0.0.90 outside would be out of the network 10.0.1.0/24",
		}},
		{"a smaller network", draft{cidr: "10.0.0.48/30", start: "10.0.0.49", end: "10.0.0.49"}, []string{
			"10.0.0.7 outside would be out of the network 10.0.0.48/30",
			"10.0.0.10 outside would be out of the network 10.0.0.48/30",
			"10.0.0.50 outOfRange would be out of the range 10.0.0.49",
			"10.0.0.90 outside would be out of the network 10.0.0.48/30",
		}},
		{"a network whose broadcast address is held", draft{cidr: "10.0.0.0/28", start: "10.0.0.1", end: "10.0.0.14"}, []string{
			"10.0.0.50 outside would be out of the network 10.0.0.0/28",
			"10.0.0.90 outside would be out of the network 10.0.0.0/28",
		}},
		{"a network whose network address is held", draft{cidr: "10.0.0.90/31", start: "10.0.0.90", end: "10.0.0.90"}, []string{
			"10.0.0.7 outside would be out of the network 10.0.0.90/31",
			"10.0.0.10 outside would be out of the network 10.0.0.90/31",
			"10.0.0.50 outside would be out of the network 10.0.0.90/31",
			"10.0.0.90 outOfRange would be out of the range, which would be empty",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range Stranded(base.plan(t), tc.after.plan(t), held) {
				got = append(got, s.Addr.String()+" "+string(s.Role)+" "+s.Reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("stranded (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("without a plan before", func(t *testing.T) {
		t.Parallel()
		got := Stranded(Plan{}, base.plan(t), held)
		if len(got) != 2 || got[0].Addr != addr("10.0.0.7") || got[1].Addr != addr("10.0.0.90") {
			t.Errorf("Stranded = %v", got)
		}
	})
	t.Run("network and broadcast address", func(t *testing.T) {
		t.Parallel()
		p := draft{cidr: "10.0.0.0/24", start: "10.0.0.1", end: "10.0.0.9"}.plan(t)
		got := Stranded(Plan{}, p, addrs("10.0.0.255", "10.0.0.0"))
		want := []Strand{
			{addr("10.0.0.0"), RoleNetwork, "would be the network address of 10.0.0.0/24"},
			{addr("10.0.0.255"), RoleBroadcast, "would be the broadcast address of 10.0.0.0/24"},
		}
		if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
			t.Error(diff)
		}
	})
}

// TestStrandedMatchesAllocation: from scratch, an address is stranded exactly
// when Allocate would refuse it to the first who wants it.
func TestStrandedMatchesAllocation(t *testing.T) {
	t.Parallel()
	eachSeed(t, 60, func(t *testing.T, rng *rand.Rand) {
		p := completePlan(rng)
		for range 50 {
			a := anyOf(rng, netip.PrefixFrom(p.Prefix.Addr(), p.Prefix.Bits()-1))
			_, err := Allocate(p, nil, Request{Wanted: a})
			stranded := len(Stranded(Plan{}, p, []netip.Addr{a})) == 1
			if stranded != (err != nil) {
				t.Fatalf("%s: stranded %v, Allocate %v", a, stranded, err)
			}
			if len(Stranded(p, p, []netip.Addr{a})) != 0 {
				t.Fatalf("%s is stranded by no edit", a)
			}
		}
	})
}
