package ippool

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

func unchanged(t *testing.T, before, after *v1alpha1.IPPool) {
	t.Helper()

	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the object was changed (-before +after):\n%s", diff)
	}
}

// judgement is what a test wants: for each problem "field: words in it".
type judgement struct {
	refused []string
	warned  []string
}

func (j judgement) check(t *testing.T, got review.Verdict) {
	t.Helper()

	problems := make([]string, 0, len(got.Problems))
	for _, problem := range got.Problems {
		problems = append(problems, problem.Error())

		if problem.Field != "" && !strings.ContainsAny(problem.Detail, ";,") {
			t.Errorf("no way out in %q", problem.Error())
		}
	}

	apitest.Says(t, "problem", j.refused, problems)
	apitest.Says(t, "warning", j.warned, got.Warnings)
}

// addressTable is the table of vm-dhcp-controller's validator tests, for CREATE
// and UPDATE alike.
func addressTable() map[string]struct {
	change func(*v1alpha1.IPv4Config)
	want   judgement
} {
	type entry = struct {
		change func(*v1alpha1.IPv4Config)
		want   judgement
	}

	table := map[string]entry{
		"valid server ip":            {func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.78" }, judgement{}},
		"server ip within the range": {func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.85" }, judgement{}},
		"server ip is the router": {
			func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.1" },
			judgement{refused: []string{"spec.ipv4Config.serverIP|192.168.48.1|router"}},
		},
	}

	for name, set := range map[string]func(*v1alpha1.IPv4Config, string){
		"serverIP":   func(c *v1alpha1.IPv4Config, s string) { c.ServerIP = s },
		"router":     func(c *v1alpha1.IPv4Config, s string) { c.Router = s },
		"pool.start": func(c *v1alpha1.IPv4Config, s string) { c.Pool.Start = s },
		"pool.end":   func(c *v1alpha1.IPv4Config, s string) { c.Pool.End = s },
	} {
		for what, value := range map[string]string{
			"malformed": "192.168.48.1000", "out of the network": "192.168.49.100", "is IPv6": "fd00::1",
		} {
			table[name+" "+what] = entry{
				func(c *v1alpha1.IPv4Config) { set(c, value) },
				judgement{refused: []string{"spec.ipv4Config." + name + ":|" + value}},
			}
		}

		for what, value := range map[string]string{
			"is the network address": "192.168.48.0", "is the broadcast address": "192.168.48.255",
		} {
			want := judgement{refused: []string{"spec.ipv4Config." + name + ":|" + value + "|" + strings.TrimPrefix(what, "is ")}}

			// A range that is also the wrong way round says so besides.
			if name == "pool.end" && value == "192.168.48.0" || name == "pool.start" && value == "192.168.48.255" {
				want.refused = append(want.refused, "spec.ipv4Config.pool.start|comes after the end")
			}

			table[name+" "+what] = entry{func(c *v1alpha1.IPv4Config) { set(c, value) }, want}
		}
	}

	return table
}

func TestAddresses(t *testing.T) {
	t.Parallel()

	for name, test := range addressTable() {
		t.Run("create/"+name, func(t *testing.T) {
			t.Parallel()
			test.want.check(t, validate(t, world(), pool(edit(test.change)), nil))
		})
		t.Run("update/"+name, func(t *testing.T) {
			t.Parallel()
			test.want.check(t, validate(t, world(), pool(edit(test.change)), pool()))
		})
	}
}

func on(network string) func(*v1alpha1.IPPool) {
	return func(pool *v1alpha1.IPPool) { pool.Spec.NetworkName = network }
}

func TestCreate(t *testing.T) {
	t.Parallel()

	type test struct {
		world func(*World)
		pool  *v1alpha1.IPPool
		want  judgement
	}

	for name, test := range map[string]test{
		"the example of vm-dhcp-controller": {pool: pool()},
		"no namespace means the pool's":     {pool: pool(on("net-48"))},
		"network does not exist": {
			pool: pool(on("default/nonexist")),
			want: judgement{refused: []string{"spec.networkName: Not found|default/nonexist|create the VM network first"}},
		},
		"network of another namespace": {
			pool: pool(on("other/net-48")),
			want: judgement{refused: []string{"no NetworkAttachmentDefinition other/net-48"}},
		},
		"network name cannot be read": {
			pool: pool(on("a/b/c")),
			want: judgement{refused: []string{"spec.networkName: Invalid value|a/b/c"}},
		},
		"overlay": {
			pool: pool(on("default/overlay")),
			want: judgement{refused: []string{"spec.networkName|overlay network|Kube-OVN Subnet"}},
		},
		"trunk": {
			pool: pool(on("default/trunk")),
			want: judgement{refused: []string{"spec.networkName|VLAN trunk|use a VM network for the one VLAN"}},
		},
		"network with an IPAM plugin": {
			pool: pool(on("default/ipam")),
			want: judgement{warned: []string{"network default/ipam cannot be served as it is|whereabouts"}},
		},
		"macvlan":                   {pool: pool(on("default/macvlan"))},
		"network that says nothing": {pool: pool(on("default/not-configured"))},
		"another pool's network": {
			world: func(w *World) {
				w.Pools = apitest.Pools(pool(on("net-48"), func(p *v1alpha1.IPPool) { p.Name = "older" }))
			},
			pool: pool(),
			want: judgement{refused: []string{"spec.networkName|served by IPPool default/older already|edit that pool"}},
		},
		"another pool that is being deleted": {
			world: func(w *World) {
				w.Pools = apitest.Pools(pool(func(p *v1alpha1.IPPool) {
					p.Name, p.DeletionTimestamp = "older", &metav1.Time{Time: time.Unix(1, 0)}
				}))
			},
			pool: pool(),
		},
		"a pool of the same addresses on another network": {
			world: func(w *World) { w.Pools = apitest.Pools(pool(on("default/macvlan"))) },
			pool:  pool(func(p *v1alpha1.IPPool) { p.Name = "second" }),
		},
		"cidr overlaps the services": {
			world: func(w *World) { w.ServiceCIDRs = prefixes("10.53.0.0/16", "192.168.0.0/16") },
			pool:  pool(),
			want:  judgement{refused: []string{"spec.ipv4Config.cidr|192.168.48.0/24|overlaps 192.168.0.0/16|--service-cidr"}},
		},
		"cidr contains the services": {
			world: func(w *World) { w.ServiceCIDRs = prefixes("192.168.48.128/26") },
			pool:  pool(),
			want:  judgement{refused: []string{"overlaps 192.168.48.128/26"}},
		},
		"cidr beside the services": {
			world: func(w *World) { w.ServiceCIDRs = prefixes("10.53.0.0/16", "fd00::/108") },
			pool:  pool(),
		},
		"server is excluded": {
			pool: pool(edit(func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.90" })),
			want: judgement{warned: []string{"spec.ipv4Config.pool.exclude[1] contains the server address 192.168.48.90"}},
		},
		"nothing can be given out": {
			pool: pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.Exclude = []string{"192.168.48.80-192.168.48.90"} })),
			want: judgement{warned: []string{"can give out no address"}},
		},
		"everything wrong at once": {
			world: func(w *World) { w.ServiceCIDRs = prefixes("192.168.0.0/16") },
			pool: pool(on("default/nonexist"), edit(func(c *v1alpha1.IPv4Config) {
				c.ServerIP, c.Router, c.DNS = "192.168.48.0", "nonsense", []string{"127.0.0.1"}
			})),
			want: judgement{refused: []string{
				"spec.ipv4Config.router", "spec.ipv4Config.serverIP", "spec.ipv4Config.dns[0]", "spec.networkName",
			}},
		},
		"reservations beside the range and excluded from it": {
			world: func(w *World) {
				kept := lease("192.168.48.99", "c")
				kept.Spec.Reservation = &v1alpha1.LeaseReservation{MACAddress: "52:54:00:00:00:99"}
				w.Leases = holding(lease("192.168.48.10", ""), lease("192.168.48.90", ""), kept)
			},
			pool: pool(),
		},
		"reservations where none can be": {
			world: func(w *World) { w.Leases = holding(lease("192.168.48.77", ""), lease("192.168.49.10", "")) },
			pool:  pool(),
			want: judgement{refused: []string{
				"spec.ipv4Config.serverIP|192.168.48.77|IPLease default/net-48.192.168.48.77, which is reserved for nobody",
				"spec.ipv4Config.pool|1 held address: 192.168.49.10 of IPLease|would be out of the network",
			}},
		},
		"leases of an earlier pool of the name": {
			world: func(w *World) {
				w.Leases = holding(lease("192.168.48.77", "a"), lease("192.168.48.85", "b"), lease("192.168.48.99", "c"))
			},
			pool: pool(),
			want: judgement{refused: []string{
				"spec.ipv4Config.serverIP|192.168.48.77|already occupied by VirtualMachine default/a",
				"spec.ipv4Config.pool|1 held address: 192.168.48.99 of VirtualMachine default/c (interface nic-1) would be out of the range",
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := world()
			if test.world != nil {
				test.world(&w)
			}

			test.want.check(t, validate(t, w, test.pool, nil))
		})
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()

	held := func(w *World) {
		w.Leases = holding(lease("192.168.48.82", "vm-1"), lease("192.168.48.85", "vm-2"), lease("192.168.48.86", ""))
	}
	deleting := func(p *v1alpha1.IPPool) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	paused := true

	type test struct {
		world    func(*World)
		old, new *v1alpha1.IPPool
		want     judgement
	}

	for name, test := range map[string]test{
		"options, with leases": {held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.DNS = []string{"1.1.1.1"} })), judgement{}},
		"range grown":          {held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.200" })), judgement{}},
		"excludes added":       {held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.Exclude = []string{"192.168.48.88"} })), judgement{}},
		"range shrunk over leases": {
			held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.84" })),
			judgement{refused: []string{
				"spec.ipv4Config.pool|192.168.48.81-192.168.48.84|2 held addresses|" +
					"192.168.48.85 of VirtualMachine default/vm-2 (interface nic-1) would be out of the range|" +
					"192.168.48.86 of IPLease default/net-48.192.168.48.86|keep these addresses",
			}},
		},
		"lease excluded": {
			held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.Exclude = []string{"192.168.48.80/30"} })),
			judgement{refused: []string{"1 held address|192.168.48.82 of VirtualMachine default/vm-1|would be excluded by 192.168.48.80-192.168.48.83"}},
		},
		"server ip is held": {
			held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.85" })),
			judgement{refused: []string{"spec.ipv4Config.serverIP|server ip 192.168.48.85 is already occupied by VirtualMachine default/vm-2"}},
		},
		"router is held": {
			held, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.Router = "192.168.48.82" })),
			judgement{refused: []string{"spec.ipv4Config.router|already occupied by VirtualMachine default/vm-1"}},
		},
		"server ip is excluded": {
			nil, pool(), pool(edit(func(c *v1alpha1.IPv4Config) { c.ServerIP = "192.168.48.90" })),
			judgement{refused: []string{"spec.ipv4Config.serverIP|server ip 192.168.48.90 is already occupied|spec.ipv4Config.pool.exclude[1]"}},
		},
		"network is gone": {
			func(w *World) { w.Networks = networks() }, pool(),
			pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.200" })),
			judgement{refused: []string{"spec.networkName: Not found"}},
		},
		"network is gone, the pool is paused": {
			func(w *World) { w.Networks = networks() }, pool(), pool(func(p *v1alpha1.IPPool) { p.Spec.Paused = &paused }), judgement{},
		},
		"a label on a pool full of mistakes": {
			nil, pool(on("x y"), edit(func(c *v1alpha1.IPv4Config) { c.CIDR = "nonsense" })),
			pool(on("x y"), edit(func(c *v1alpha1.IPv4Config) { c.CIDR = "nonsense" }), func(p *v1alpha1.IPPool) { p.Labels = map[string]string{"a": "b"} }),
			judgement{},
		},
		"the finalizer of a pool that is being deleted": {
			held, pool(), pool(deleting, edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.82" })), judgement{},
		},
		"an old mistake beside a new edit": {
			nil, pool(edit(func(c *v1alpha1.IPv4Config) { c.DNS = []string{"127.0.0.1"} })),
			pool(edit(func(c *v1alpha1.IPv4Config) { c.DNS, c.Pool.End = []string{"127.0.0.1"}, "192.168.48.200" })),
			judgement{warned: []string{"spec.ipv4Config.dns[0]|loopback"}},
		},
		"a lease that is out of the range already": {
			func(w *World) { w.Leases = holding(lease("192.168.48.10", "stray")) }, pool(),
			pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.88" })),
			judgement{},
		},
		"two pools from before the rule": {
			func(w *World) { w.Pools = apitest.Pools(pool(func(p *v1alpha1.IPPool) { p.Name = "other" })) }, pool(),
			pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.88" })),
			judgement{warned: []string{"IPPool default/other is on network default/net-48 too"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := world()
			if test.world != nil {
				test.world(&w)
			}

			test.want.check(t, validate(t, w, test.new, test.old))
		})
	}
}

func TestManyStrandedLeasesAreCounted(t *testing.T) {
	t.Parallel()

	w := world()
	leases := make([]*v1alpha1.IPLease, 0, 25)

	for i := range 25 {
		leases = append(leases, lease(fmt.Sprintf("192.168.48.%d", 101+i), fmt.Sprintf("vm-%d", i)))
	}

	w.Leases = holding(leases...)
	wide := pool(edit(func(c *v1alpha1.IPv4Config) { c.Pool.End = "192.168.48.200" }))
	judgement{refused: []string{"would cut off 25 held addresses: 192.168.48.101 of|192.168.48.110 of| and 15 more;"}}.
		check(t, validate(t, w, pool(), wide))
}

type brokenNetworks struct{ err error }

func (b brokenNetworks) Get(_, _ string) (*nadv1.NetworkAttachmentDefinition, error) {
	return nil, b.err
}

func TestLookupFailureIsNoJudgement(t *testing.T) {
	t.Parallel()

	w := world()
	away := errors.New("the API server is away")
	w.Networks = brokenNetworks{away}

	_, err := w.Validate(t.Context(), review.Request[v1alpha1.IPPool]{Operation: admissionv1.Create, Object: pool()})
	if !errors.Is(err, away) {
		t.Errorf("got %v, want it to wrap %v", err, away)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()

	gone := metav1.Time{Time: time.Unix(1, 0)}
	going := request("default", "going", "net-48")
	going.DeletionTimestamp = &gone
	second := func(p *v1alpha1.IPPool) { p.Name = "second" }

	type test struct {
		world func(*World)
		pool  *v1alpha1.IPPool
		want  judgement
	}

	for name, test := range map[string]test{
		"unused": {nil, pool(), judgement{}},
		"used by network, not by name": {
			func(w *World) { w.Requests = requests(request("default", "vm-1", "net-48")) },
			pool(func(p *v1alpha1.IPPool) { p.Name = "another-name" }),
			judgement{refused: []string{"it's still used by VirtualMachineNetworkConfig(s) default/vm-1, which must be removed at first|default/net-48"}},
		},
		"used from another namespace": {
			func(w *World) {
				w.Requests = requests(request("dev", "b", "default/net-48"), request("dev", "a", "default/net-48"), request("dev", "c", "net-48"))
			},
			pool(),
			judgement{refused: []string{"VirtualMachineNetworkConfig(s) dev/a, dev/b, which must be removed at first"}},
		},
		"the old field networkConfig counts": {
			func(w *World) {
				old := request("default", "vm-1", "net-48")
				old.Spec.NetworkConfig, old.Spec.NetworkConfigs = old.Spec.NetworkConfigs, nil
				w.Requests = requests(old)
			},
			pool(),
			judgement{refused: []string{"default/vm-1, which must be removed at first"}},
		},
		"leases of a request are not named twice": {
			func(w *World) {
				w.Requests = requests(request("default", "vm-1", "net-48"))
				w.Leases = holding(lease("192.168.48.82", "vm-1"))
			},
			pool(),
			judgement{refused: []string{"default/vm-1, which must be removed at first"}},
		},
		"leases whose request is gone": {
			func(w *World) {
				w.Requests = requests(going)
				w.Leases = holding(lease("192.168.48.82", "going"), lease("192.168.48.83", "going"), lease("192.168.48.84", ""))
			},
			pool(),
			judgement{
				refused: []string{"holds the addresses of VirtualMachine default/going (192.168.48.82, 192.168.48.83), which must be removed at first"},
				warned:  []string{"1 IPLease that nobody holds"},
			},
		},
		"a request that goes and holds nothing": {func(w *World) { w.Requests = requests(going) }, pool(), judgement{}},
		"reservations": {
			func(w *World) {
				reserved := lease("192.168.48.86", "to-come")
				reserved.Spec.Owner.UID = ""
				w.Leases = holding(lease("192.168.48.84", ""), lease("192.168.48.85", ""), reserved)
			},
			pool(),
			judgement{warned: []string{"3 IPLeases that nobody holds will stay"}},
		},
		"a second pool that serves nobody": {
			func(w *World) {
				w.Pools = apitest.Pools(pool(), pool(second))
				w.Requests = requests(request("default", "vm-1", "net-48"))
				w.Leases = holding(lease("192.168.48.82", "vm-1"))
			},
			pool(second),
			judgement{},
		},
		"the pool that serves, beside a second one": {
			func(w *World) {
				w.Pools = apitest.Pools(pool(), pool(second))
				w.Requests = requests(request("default", "vm-1", "net-48"))
				w.Leases = holding(lease("192.168.48.82", "vm-1"))
			},
			pool(),
			judgement{refused: []string{"VirtualMachine default/vm-1 (192.168.48.82)"}},
		},
		"with its namespace": {
			func(w *World) {
				w.Namespaces = namespaces{terminating: true}
				w.Requests = requests(request("default", "vm-1", "net-48"))
				w.Leases = holding(lease("192.168.48.82", "vm-1"))
			},
			pool(),
			judgement{},
		},
		"with its namespace, used from another": {
			func(w *World) {
				w.Namespaces = namespaces{terminating: true}
				w.Requests = requests(request("default", "vm-1", "net-48"), request("dev", "vm-2", "default/net-48"))
			},
			pool(),
			judgement{refused: []string{"default/vm-1, dev/vm-2, which must be removed at first"}},
		},
		"whether the namespace goes is unknown": {
			func(w *World) {
				w.Namespaces = namespaces{err: errors.New("forbidden")}
				w.Requests = requests(request("default", "vm-1", "net-48"))
			},
			pool(),
			judgement{refused: []string{"still used"}, warned: []string{"whether namespace default is being deleted|forbidden"}},
		},
		"a pool that cannot be read": {
			func(w *World) { w.Requests = requests(request("default", "vm-1", "net-48")) },
			pool(on("///"), edit(func(c *v1alpha1.IPv4Config) { *c = v1alpha1.IPv4Config{CIDR: "?"} })),
			judgement{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := world()
			if test.world != nil {
				test.world(&w)
			}

			test.want.check(t, validate(t, w, nil, test.pool))
		})
	}
}
