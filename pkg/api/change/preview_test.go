package change

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/ledger"
)

func blue(change func(*v1alpha1.IPPoolSpec)) *v1alpha1.IPPoolSpec {
	spec := &v1alpha1.IPPoolSpec{NetworkName: "dev/blue", IPv4Config: v1alpha1.IPv4Config{
		CIDR: "10.1.0.0/24", ServerIP: "10.1.0.2", Router: "10.1.0.1", DNS: []string{"10.1.0.3"},
		Pool: v1alpha1.Pool{Start: "10.1.0.10", End: "10.1.0.20"},
	}}
	if change != nil {
		change(spec)
	}

	return spec
}

func held(address, mac string) *v1alpha1.IPLease {
	return &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "blue." + address},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "blue", Address: address, MACAddress: mac},
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()

	const mac = "52:54:00:00:00:01"

	yes, day := true, 3600

	for _, tc := range []struct {
		name          string
		before, after *v1alpha1.IPPoolSpec
		lease         *v1alpha1.IPLease
		// says are all in the effect; none means that there is no effect.
		says []string
	}{
		{"nothing", blue(nil), blue(nil), held("10.1.0.10", mac), nil},
		{"agents", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.Agent = &v1alpha1.AgentSpec{} }), held("10.1.0.10", mac), nil},
		{"name servers", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.DNS = []string{"10.1.0.4"} }), held("10.1.0.10", mac), []string{"next renewal", "name servers 10.1.0.4"}},
		{"no name servers", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.DNS = nil }), held("10.1.0.10", mac), []string{"no name servers any more"}},
		{"the lease time", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.LeaseTime = &day }), held("10.1.0.10", mac), []string{"lease time 1h"}},
		{"options, for nobody", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.DNS = nil }), held("10.1.0.10", ""), nil},
		{"a pause", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.Paused = &yes }), held("10.1.0.10", mac), []string{"not answered"}},
		{"the end of a pause", blue(func(s *v1alpha1.IPPoolSpec) { s.Paused = &yes }), blue(nil), held("10.1.0.10", mac), []string{"answered again"}},
		{"a new server", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.ServerIP = "10.1.0.5" }), held("10.1.0.10", mac), []string{"10.1.0.5", "10.1.0.2", "server identifier"}},
		{"an exclusion", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.Pool.Exclude = []string{"10.1.0.10"} }), held("10.1.0.10", ""), []string{"excluded"}},
		{"an exclusion of another", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.Pool.Exclude = []string{"10.1.0.11"} }), held("10.1.0.10", ""), nil},
		{"a narrower range", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.Pool.Start = "10.1.0.12" }), held("10.1.0.10", ""), []string{"out of the range"}},
		{"a wider range", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.Pool.End = "10.1.0.99" }), held("10.1.0.50", ""), []string{"given out again"}},
		{"a pool for what was left", nil, blue(nil), held("10.1.0.10", mac), []string{"new pool"}},
		{"a router where somebody is", blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.Router = "10.1.0.10" }), held("10.1.0.10", ""), []string{"router"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			effects, left := effectsOn([]*v1alpha1.IPLease{tc.lease}, tc.before, tc.after)
			if left != 0 || len(effects) > 1 || (len(effects) == 1) != (len(tc.says) > 0) {
				t.Fatalf("%d effects and %d left, want %q", len(effects), left, tc.says)
			}

			for _, want := range tc.says {
				if !strings.Contains(effects[0].effect, want) {
					t.Errorf("%q does not say %q", effects[0].effect, want)
				}
			}
		})
	}
}

// TestEffectsAreBounded: every lease is listed or counted.
func TestEffectsAreBounded(t *testing.T) {
	t.Parallel()

	var leases []*v1alpha1.IPLease
	for i := range 2500 {
		leases = append(leases, held(fmt.Sprintf("10.1.%d.%d", i/250, i%250), "52:54:00:00:00:01"))
	}

	effects, left := effectsOn(leases, blue(nil), blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.DNS = nil }))
	if len(effects) != mostAffected || left != len(leases)-mostAffected {
		t.Errorf("%d listed and %d counted", len(effects), left)
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()

	before, after := blue(nil), blue(func(s *v1alpha1.IPPoolSpec) {
		s.IPv4Config.DNS, s.IPv4Config.Router, s.IPv4Config.Pool.End = []string{"10.1.0.3", "10.1.0.4"}, "", "10.1.0.30"
	})
	want := []v1.FieldChange{
		{Field: "spec.ipv4Config.dns", From: []any{"10.1.0.3"}, To: []any{"10.1.0.3", "10.1.0.4"}},
		{Field: "spec.ipv4Config.pool.end", From: "10.1.0.20", To: "10.1.0.30"},
		{Field: "spec.ipv4Config.router", From: "10.1.0.1"},
	}

	if diff := cmp.Diff(want, differences(before, after)); diff != "" {
		t.Error(diff)
	}

	if found := differences(before, blue(nil)); len(found) > 0 || found == nil {
		t.Errorf("between two that are the same: %v", found)
	}

	if found := differences(nil, before); !slices.ContainsFunc(found, func(c v1.FieldChange) bool { return c.Field == "spec.networkName" && c.From == nil }) {
		t.Errorf("of a new one: %v", found)
	}
}

// TestGuestOptions: what cannot be shown is said, whatever the plan is.
func TestGuestOptions(t *testing.T) {
	t.Parallel()

	options, notes := guestOptions(blue(nil))
	if len(options) == 0 || len(notes) > 0 {
		t.Errorf("%v, %q", options, notes)
	}

	for name, spec := range map[string]*v1alpha1.IPPoolSpec{
		"time.example.org": blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.NTP = []string{"time.example.org"} }),
		"cidr":             blue(func(s *v1alpha1.IPPoolSpec) { s.IPv4Config.CIDR = "nonsense" }),
		"free": blue(func(s *v1alpha1.IPPoolSpec) {
			s.IPv4Config.Pool.Exclude = []string{"10.1.0.0/24"}
			s.IPv4Config.Router = ""
		}),
	} {
		if options, notes := guestOptions(spec); options == nil || !strings.Contains(strings.Join(notes, " "), name) {
			t.Errorf("%s: %v, %q", name, options, notes)
		}
	}
}

func TestWarningsOfRelease(t *testing.T) {
	t.Parallel()

	free, holding, kept := held("10.1.0.10", ""), held("10.1.0.10", "52:54:00:00:00:01"), held("10.1.0.10", "52:54:00:00:00:01")
	holding.Spec.Owner = &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "dev", Name: "web", UID: "1"}

	taken := holding.DeepCopy()
	taken.Spec.Reservation = &v1alpha1.LeaseReservation{Owner: &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "dev", Name: "web"}}

	for want, lease := range map[int]*v1alpha1.IPLease{0: free, 1: holding, 2: taken} {
		if told := warningsOfRelease(lease); told == nil || len(told) != want {
			t.Errorf("%d warnings %q, want %d", len(told), told, want)
		}
	}

	if told := warningsOfRelease(kept); len(told) != 1 || !strings.Contains(told[0], "52:54:00:00:00:01") {
		t.Errorf("of a reservation: %q", told)
	}
}

// TestWhatMayBeKept goes through every address of a network and beyond: nobody's may
// be kept, and only that.
func TestWhatMayBeKept(t *testing.T) {
	t.Parallel()

	plan, errs := convert.PoolPlan(blue(func(s *v1alpha1.IPPoolSpec) {
		s.IPv4Config.CIDR = "10.1.0.0/28"
		s.IPv4Config.Pool = v1alpha1.Pool{Start: "10.1.0.5", End: "10.1.0.8"}
	}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}

	c := &Changes{Config: Config{Ledger: ledger.New()}}
	address := netip.MustParseAddr("10.0.255.250")

	for range 32 {
		role := plan.Role(address)
		nobodys := role == ipam.RoleFree || role == ipam.RoleExcluded || role == ipam.RoleOutOfRange

		if err := c.mayKeep(ledger.Key{Namespace: "dev", Name: "blue"}, plan, address); (err == nil) != nobodys {
			t.Errorf("%s, %s: %v", address, role, err)
		}

		address = address.Next()
	}
}
