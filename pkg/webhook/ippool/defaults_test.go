package ippool

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// complete returns what is filled in, by path.
func complete(t *testing.T, w World, object, old *v1alpha1.IPPool) (map[string]string, []string) {
	t.Helper()

	question := review.Request[v1alpha1.IPPool]{Operation: admissionv1.Create, Object: object.DeepCopy(), Old: old}
	if old != nil {
		question.Operation = admissionv1.Update
	}

	changes, err := w.Complete(t.Context(), question)
	if err != nil {
		t.Fatalf("Complete: %v", err)
	}

	unchanged(t, object, question.Object)

	filled := map[string]string{}
	for _, edit := range changes.Edits {
		filled[strings.Join(edit.Path, ".")] = edit.Value.(string)
	}

	return filled, changes.Warnings
}

// bare is a pool of which only the network and some of the plan is given.
func bare(config v1alpha1.IPv4Config) *v1alpha1.IPPool {
	return pool(edit(func(c *v1alpha1.IPv4Config) { *c = config }))
}

// TestComplete holds the cases of vm-dhcp-controller's mutator tests, and more.
func TestComplete(t *testing.T) {
	t.Parallel()

	filled := func(server, start, end string) map[string]string {
		want := map[string]string{}
		for path, value := range map[string]string{
			"spec.ipv4Config.serverIP": server, "spec.ipv4Config.pool.start": start, "spec.ipv4Config.pool.end": end,
		} {
			if value != "" {
				want[path] = value
			}
		}

		return want
	}

	for name, test := range map[string]struct {
		config v1alpha1.IPv4Config
		want   map[string]string
	}{
		"all undefined without router": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/24"}, filled("192.168.0.1", "192.168.0.1", "192.168.0.254"),
		},
		"all undefined": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/24", Router: "192.168.0.1"}, filled("192.168.0.2", "192.168.0.1", "192.168.0.254"),
		},
		"all defined": {
			v1alpha1.IPv4Config{
				CIDR: "192.168.0.0/24", ServerIP: "192.168.0.9", Router: "192.168.0.1",
				Pool: v1alpha1.Pool{Start: "192.168.0.10", End: "192.168.0.20"},
			}, filled("", "", ""),
		},
		"/30 with router": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/30", Router: "192.168.0.1"}, filled("192.168.0.2", "192.168.0.1", "192.168.0.2"),
		},
		"/30 without router": {v1alpha1.IPv4Config{CIDR: "192.168.0.0/30"}, filled("192.168.0.1", "192.168.0.1", "192.168.0.2")},
		"/30 with start": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/30", Pool: v1alpha1.Pool{Start: "192.168.0.2"}}, filled("192.168.0.1", "", "192.168.0.2"),
		},
		"with excludes": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/24", Pool: v1alpha1.Pool{Exclude: []string{"192.168.0.1", "192.168.0.2-192.168.0.3"}}},
			filled("192.168.0.4", "192.168.0.1", "192.168.0.254"),
		},
		"server and router in the middle": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/24", ServerIP: "192.168.0.100", Router: "192.168.0.101"},
			filled("", "192.168.0.1", "192.168.0.254"),
		},
		"nothing left for the server": {
			v1alpha1.IPv4Config{CIDR: "192.168.0.0/30", Pool: v1alpha1.Pool{Exclude: []string{"192.168.0.1", "192.168.0.2"}}}, filled("", "", ""),
		},
		"/31":      {v1alpha1.IPv4Config{CIDR: "192.168.0.0/31"}, filled("", "", "")},
		"/32":      {v1alpha1.IPv4Config{CIDR: "192.168.0.0/32"}, filled("", "", "")},
		"no cidr":  {v1alpha1.IPv4Config{}, filled("", "", "")},
		"nonsense": {v1alpha1.IPv4Config{CIDR: "192.168.0.0/24", Router: "x"}, filled("", "", "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, warnings := complete(t, world(), bare(test.config), nil)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("filled in (-want +got):\n%s", diff)
			}

			if said := strings.Join(warnings, "\n"); !strings.Contains(said, test.want["spec.ipv4Config.serverIP"]) {
				t.Errorf("warnings do not tell the server address: %s", said)
			}
		})
	}
}

// TestWhatCannotBeCompletedIsRefused pairs the defaults with the rules: what the
// former leave empty because there is no answer, the latter refuse.
func TestWhatCannotBeCompletedIsRefused(t *testing.T) {
	t.Parallel()

	for _, config := range []v1alpha1.IPv4Config{
		{CIDR: "192.168.0.0/30", Pool: v1alpha1.Pool{Exclude: []string{"192.168.0.1", "192.168.0.2"}}},
		{CIDR: "192.168.0.0/31"},
		{CIDR: "192.168.0.0/32"},
		{},
		{CIDR: "192.168.0.0/24", Pool: v1alpha1.Pool{Start: "192.168.0.255"}},
	} {
		if verdict := validate(t, world(), bare(config), nil); len(verdict.Problems) == 0 {
			t.Errorf("%+v was admitted", config)
		}
	}
}

func TestNetworkName(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		given, old, want string
	}{
		"create, no namespace":      {given: "net-48", want: "default/net-48"},
		"create, full":              {given: "default/net-48"},
		"create, other namespace":   {given: "dev/net-48"},
		"create, cannot be read":    {given: "a/b/c"},
		"update keeps the short":    {given: "default/net-48", old: "net-48", want: "net-48"},
		"update keeps the full":     {given: "net-48", old: "default/net-48", want: "default/net-48"},
		"update, same":              {given: "net-48", old: "net-48"},
		"update to another network": {given: "net-49", old: "net-48"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var old *v1alpha1.IPPool
			if test.old != "" {
				old = pool(on(test.old))
			}

			filled, _ := complete(t, world(), pool(on(test.given)), old)
			if filled["spec.networkName"] != test.want {
				t.Errorf("got %q, want %q", filled["spec.networkName"], test.want)
			}
		})
	}
}

func TestEmptiedServer(t *testing.T) {
	t.Parallel()

	empty := func(c *v1alpha1.IPv4Config) { c.ServerIP = "" }

	for name, test := range map[string]struct {
		old    *v1alpha1.IPPool
		change func(*v1alpha1.IPv4Config)
		held   []*v1alpha1.IPLease
		want   string
	}{
		"stays where it was": {pool(), nil, nil, "192.168.48.77"},
		"moves when the router took its place": {
			pool(), func(c *v1alpha1.IPv4Config) { c.Router = "192.168.48.77" }, nil, "192.168.48.1",
		},
		"does not move to a held address": {
			nil, func(c *v1alpha1.IPv4Config) { c.Pool = v1alpha1.Pool{} },
			[]*v1alpha1.IPLease{lease("192.168.48.2", "a"), lease("192.168.48.3", "b")},
			"192.168.48.4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := world()
			w.Leases = holding(test.held...)
			emptied := pool(edit(empty))

			if test.change != nil {
				test.change(&emptied.Spec.IPv4Config)
			}

			filled, _ := complete(t, w, emptied, test.old)
			if got := filled["spec.ipv4Config.serverIP"]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestCompletedPoolsAreAdmitted checks for random plans that what the defaults
// have filled in is refused by no rule, and is not filled in again.
func TestCompletedPoolsAreAdmitted(t *testing.T) {
	t.Parallel()

	random := rand.New(rand.NewPCG(7, 42))
	address := func(size int) string {
		return netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(size))}).String()
	}
	completed := 0

	for range 3000 {
		size := 1 << (2 + random.IntN(6))
		config := v1alpha1.IPv4Config{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 32-log2(size)).String()}

		for _, optional := range []*string{&config.Router, &config.ServerIP, &config.Pool.Start, &config.Pool.End} {
			if random.IntN(3) == 0 {
				*optional = address(size)
			}
		}

		for range random.IntN(4) {
			config.Pool.Exclude = append(config.Pool.Exclude, address(size))
		}

		object := bare(config)
		if len(convert.ValidatePool(object)) > 0 {
			continue
		}

		completed++

		filled, _ := complete(t, world(), object, nil)
		for path, value := range filled {
			switch path {
			case "spec.ipv4Config.serverIP":
				object.Spec.IPv4Config.ServerIP = value
			case "spec.ipv4Config.pool.start":
				object.Spec.IPv4Config.Pool.Start = value
			case "spec.ipv4Config.pool.end":
				object.Spec.IPv4Config.Pool.End = value
			default:
				t.Fatalf("%s was filled in", path)
			}
		}

		if problems := validate(t, world(), object, nil).Problems; len(problems) > 0 {
			t.Fatalf("%+v became %+v, which is refused: %v", config, object.Spec.IPv4Config, problems)
		}

		if again, _ := complete(t, world(), object, nil); len(again) > 0 {
			t.Fatalf("%+v was filled in again: %v", object.Spec.IPv4Config, again)
		}
	}

	if completed < 500 {
		t.Errorf("only %d plans were tried", completed)
	}
}

func log2(size int) int {
	bits := 0
	for size > 1 {
		size, bits = size/2, bits+1
	}

	return bits
}
