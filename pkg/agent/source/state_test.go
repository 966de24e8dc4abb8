package source

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

func pool() *v1alpha1.IPPool {
	return &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net", Generation: 4},
		Spec: v1alpha1.IPPoolSpec{NetworkName: "vms/net", IPv4Config: v1alpha1.IPv4Config{
			CIDR: "10.0.0.0/24", ServerIP: "10.0.0.1", Pool: v1alpha1.Pool{Start: "10.0.0.2", End: "10.0.0.99"},
		}},
	}
}

func lease(address, mac, owner string, born int64) *v1alpha1.IPLease {
	made := &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "net." + address, CreationTimestamp: metav1.Unix(born, 0)},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "net", Address: address, MACAddress: mac},
	}
	if owner != "" {
		made.Spec.Owner = &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "vms", Name: owner, UID: types.UID("uid-" + owner)}
	}

	return made
}

// reservation is a lease that a person keeps for a virtual machine.
func reservation(address, mac, vm string, born int64) *v1alpha1.IPLease {
	made := lease(address, mac, vm, born)
	made.Spec.Owner.UID = ""

	return made
}

const (
	macA = "52:54:00:00:00:0a"
	macB = "52:54:00:00:00:0b"
)

// TestServed: each row is a set of leases, and who is answered with what, as the
// responder itself decides it.
func TestServed(t *testing.T) {
	t.Parallel()

	type leases = []*v1alpha1.IPLease

	tests := []struct {
		name   string
		leases leases
		want   map[string]string
		// problem is part of the problems, "" for none.
		problem string
	}{
		{name: "no lease", want: map[string]string{}},
		{name: "one", leases: leases{lease("10.0.0.5", macA, "one", 1)}, want: map[string]string{macA: "10.0.0.5 one"}},
		{
			name: "every spelling", leases: leases{lease("10.0.0.5", "52-54-00-00-00-0A", "one", 1), lease("10.0.0.6", "5254.0000.000B", "two", 1)},
			want: map[string]string{macA: "10.0.0.5 one", macB: "10.0.0.6 two"},
		},
		{
			name: "of two owners the older lease", leases: leases{lease("10.0.0.6", macA, "new", 2), lease("10.0.0.5", macA, "old", 1)},
			want: map[string]string{macA: "10.0.0.5 old"},
		},
		{
			name: "of one NIC the newer one", leases: leases{lease("10.0.0.6", macA, "one", 2), lease("10.0.0.5", macA, "one", 1)},
			want: map[string]string{macA: "10.0.0.6 one"},
		},
		{
			name:   "a NIC on its way keeps its place before a newcomer",
			leases: leases{lease("10.0.0.5", macA, "one", 1), lease("10.0.0.7", macA, "rival", 2), lease("10.0.0.6", macA, "one", 3)},
			want:   map[string]string{macA: "10.0.0.6 one"},
		},
		{
			name: "a reservation", leases: leases{lease("10.0.0.5", macA, "", 1)}, want: map[string]string{macA: "10.0.0.5 "},
		},
		{
			name: "an elder reservation does not move a NIC", leases: leases{lease("10.0.0.5", macA, "", 1), lease("10.0.0.6", macA, "one", 2)},
			want: map[string]string{macA: "10.0.0.6 one"},
		},
		{
			name:   "nor does one for a machine",
			leases: leases{reservation("10.0.0.5", macA, "other", 1), lease("10.0.0.6", macA, "one", 2), reservation("10.0.0.4", macB, "two", 1)},
			want:   map[string]string{macA: "10.0.0.6 one", macB: "10.0.0.4 two"},
		},
		{
			name:   "of two reservations the older one",
			leases: leases{reservation("10.0.0.5", macA, "one", 2), reservation("10.0.0.6", macA, "one", 1)},
			want:   map[string]string{macA: "10.0.0.6 one"},
		},
		{
			name: "two NICs of one virtual machine", leases: leases{lease("10.0.0.5", macA, "one", 1), lease("10.0.0.6", macB, "one", 1)},
			want: map[string]string{macA: "10.0.0.5 one", macB: "10.0.0.6 one"},
		},
		{
			name: "held for nobody", leases: leases{lease("10.0.0.5", "", "one", 1)}, want: map[string]string{},
		},
		{
			name:   "a lease that cannot be read hides no other",
			leases: leases{lease("10.0.0.5", macA, "one", 1), lease("ten", macB, "two", 1), lease("10.0.0.6", "mac", "three", 1)},
			want:   map[string]string{macA: "10.0.0.5 one"}, problem: `spec.address: Invalid value: "ten"`,
		},
		{
			name:   "also not an elder of its own NIC",
			leases: leases{lease("10.0.0.5", macA, "one", 1), lease("ten", macA, "one", 2)},
			want:   map[string]string{macA: "10.0.0.5 one"}, problem: `"ten"`,
		},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			for range 2 { // in any order
				state, problems := stateOf(pool(), tc.leases, nil)

				snapshot, err := dhcp.NewSnapshot(state.Network, state.Entries)
				if err != nil {
					t.Fatal(err)
				}

				got := map[string]string{}

				for _, text := range []string{macA, macB} {
					mac, _ := dhcp.ParseMAC(text)
					if binding, known := snapshot.Lookup(mac); known {
						got[text] = binding.Address.String() + " " + binding.Hostname
					}
				}

				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}

				if said := strings.Join(problems, "; "); (said == "") != (tc.problem == "") || !strings.Contains(said, tc.problem) {
					t.Errorf("problems are %q, want %q", said, tc.problem)
				}

				for i, j := 0, len(tc.leases)-1; i < j; i, j = i+1, j-1 {
					tc.leases[i], tc.leases[j] = tc.leases[j], tc.leases[i]
				}
			}
		})
	}
}

func TestWithdrawn(t *testing.T) {
	t.Parallel()

	yes, no, now := true, false, metav1.Unix(9, 0)

	for _, tc := range []struct {
		name   string
		change func(*v1alpha1.IPPool)
		want   bool
	}{
		{"served", func(*v1alpha1.IPPool) {}, false},
		{"not paused", func(pool *v1alpha1.IPPool) { pool.Spec.Paused = &no }, false},
		{"paused", func(pool *v1alpha1.IPPool) { pool.Spec.Paused = &yes }, true},
		{"being deleted", func(pool *v1alpha1.IPPool) { pool.DeletionTimestamp = &now }, true},
	} {
		given := pool()
		tc.change(given)
		before := given.DeepCopy()

		state, problems := stateOf(given, []*v1alpha1.IPLease{lease("10.0.0.5", macA, "one", 1)}, nil)
		if state.Withdrawn != tc.want || state.Generation != 4 || len(problems) > 0 || (len(state.Entries) == 0) != tc.want {
			t.Errorf("%s: %+v, %v", tc.name, state, problems)
		}

		if diff := cmp.Diff(before, given); diff != "" {
			t.Errorf("the pool was changed:\n%s", diff)
		}
	}
}

// TestBrokenPool: a broken plan leaves nothing to serve, a broken option leaves
// the rest.
func TestBrokenPool(t *testing.T) {
	t.Parallel()

	plan := pool()
	plan.Spec.IPv4Config.CIDR = "ten"

	if state, problems := stateOf(plan, nil, nil); state.Network.Prefix.IsValid() || len(problems) == 0 {
		t.Errorf("%+v, %v", state, problems)
	}

	option := pool()
	option.Spec.IPv4Config.DNS = []string{"nonsense", "10.0.0.53"}
	option.Spec.IPv4Config.NTP = []string{"time.example.org"}

	state, problems := stateOf(option, nil, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.0.0.123")} })
	if diff := cmp.Diff([]netip.Addr{netip.MustParseAddr("10.0.0.53")}, state.Network.DNS, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}

	if len(problems) != 1 || !strings.Contains(problems[0], `dns[0]: Invalid value: "nonsense"`) || len(state.Network.NTP) != 1 {
		t.Errorf("%v, %v", problems, state.Network)
	}
}
