package api_test

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// agents is an Observer, a stand-in for the agents: it has heard 10.0.0.20 and
// 10.1.0.20; 10.1.0.9 was declined; one agent of green does not answer when
// silent is set.
type agents struct {
	silent bool
}

func (a agents) Observe(ctx context.Context, pool types.NamespacedName, nics []api.Watched) api.Observation {
	seen := api.Observation{Answered: 1, Since: epoch(), Seen: map[netip.Addr]v1.Observed{}, Messages: map[netip.Addr][]v1.HistoryItem{}}

	if deadline, set := ctx.Deadline(); !set || time.Until(deadline) > 5*time.Second {
		seen.Gaps = append(seen.Gaps, v1.Gap{Source: "test", Reason: "nobody bounds how long the agents are waited for"})
	}

	if len(nics) > api.MaxObserved {
		seen.Gaps = append(seen.Gaps, v1.Gap{Source: "test", Reason: "too many are asked for"})
	}

	for _, nic := range nics {
		if strings.HasSuffix(nic.Address.String(), ".0.20") {
			seen.Seen[nic.Address] = v1.Observed{
				Known: true, FirstSeen: epoch(), LastSeen: epoch().Add(time.Minute), LastMessage: "DHCPACK", Hostname: "Front-Desk", Agent: "agent-" + pool.Namespace,
				ExpiresAt: epoch().Add(time.Hour), Options: []v1.Option{{Code: 3, Name: "router", Value: "10.0.0.1"}},
			}
			seen.Messages[nic.Address] = []v1.HistoryItem{{
				At: epoch().Add(time.Minute), Source: v1.SourceWire, What: "DHCPACK", Direction: "out", Agent: "agent-" + pool.Namespace,
			}}
		}
	}

	if pool.Namespace == "green" {
		seen.Declined = []netip.Addr{netip.MustParseAddr("10.1.0.9")}

		if a.silent {
			seen.Gaps = append(seen.Gaps, v1.Gap{Source: "agent agent-green-2", Reason: "did not answer within 1 s"})
		}
	}

	return seen
}

// A detail tells what the caller may do, by the very rights that the change will
// ask for.
func TestAllowed(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for url, want := range map[string][]string{
		"/v1/pools/blue/net":            {v1.MayDelete, v1.MayEdit, v1.MayPause, v1.MayReserve},
		"/v1/leases/blue/net.10.0.0.20": {v1.MayFix, v1.MayRelease},
		"/v1/vms/blue-vms/web":          {v1.MayPause},
	} {
		for caller, may := range map[string]bool{"admin": true, "tenant": false} {
			allowed := read[struct{ Allowed v1.Allowed }](t, f, caller, url).Allowed

			var keys []string
			for key, value := range allowed {
				keys = append(keys, key)

				if value != may {
					t.Errorf("%s of %s: %s is %t", url, caller, key, value)
				}
			}

			slices.Sort(keys)

			if !slices.Equal(keys, want) {
				t.Errorf("%s: allowed has %q, want %q", url, keys, want)
			}
		}
	}

	for _, want := range []string{
		"update ippools.network.harvesterhci.io blue/net", "delete ippools.network.harvesterhci.io blue/net", "create ipleases.network.harvesterhci.io blue/",
		"delete ipleases.network.harvesterhci.io blue/net.10.0.0.20", "update virtualmachinenetworkconfigs.network.harvesterhci.io blue-vms/web",
	} {
		if !slices.Contains(f.rights.asked, want) {
			t.Errorf("nobody asked for %q", want)
		}
	}

	// There is nobody's request to write a reserved address into.
	if allowed := read[v1.Lease](t, f, "admin", "/v1/leases/blue/net.10.0.0.9").Allowed; allowed[v1.MayFix] || !allowed[v1.MayRelease] {
		t.Errorf("allowed is %v", allowed)
	}
}

// The bodies say what is so.
func TestBodies(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	pool := read[v1.Pool](t, f, "admin", "/v1/pools/green/net")
	if pool.State != v1.PoolReady || *pool.Counts.Used != 3 || *pool.Counts.Used+*pool.Counts.Available+*pool.Counts.Reserved+*pool.Counts.Excluded != *pool.Counts.Size ||
		pool.Agents.Ready != 1 || !pool.Network.Exists || pool.Network.VLAN != 48 || len(pool.Spec.IPv4Config.Routes) != 1 {
		t.Errorf("pool is %+v", pool)
	}

	broken := read[v1.Pool](t, f, "admin", "/v1/pools/green/broken")
	if broken.State != v1.PoolInvalid || broken.Counts.Size != nil || !strings.Contains(broken.Message, "spec.ipv4Config.cidr") || broken.Network.Exists {
		t.Errorf("pool is %+v", broken)
	}

	if first := read[v1.PoolList](t, f, "admin", "/v1/pools?sort=attention").Items[0]; first.Name != "broken" {
		t.Errorf("what needs attention first is %s", first.Name)
	}

	if found := read[v1.PoolList](t, f, "admin", "/v1/pools?state=Invalid&state=Unserved"); found.Total != 1 {
		t.Errorf("%d pools are in a bad state", found.Total)
	}

	for _, network := range read[v1.NetworkList](t, f, "admin", "/v1/networks").Items {
		if network.Managed == (network.Name == "auto") || network.Name == "auto" && !strings.Contains(network.Message, "mode auto") || !slices.Equal(network.Nodes, []string{"node-1"}) {
			t.Errorf("network is %+v", network)
		}
	}

	vm := read[v1.VM](t, f, "admin", "/v1/vms/green-vms/web")
	if vm.State != v1.VMAddressed || len(vm.NICs) != 1 || vm.NICs[0].Address != "10.1.0.20" || vm.NICs[0].Pool.Name != "net" || vm.Running == nil || *vm.Running {
		t.Errorf("machine is %+v", vm)
	}

	if found := read[v1.VMList](t, f, "admin", "/v1/vms?q=10.1.0.20&state=Addressed"); found.Total != 1 || found.Items[0].Namespace != "green-vms" {
		t.Errorf("machines are %+v", found)
	}

	leases := read[v1.LeaseList](t, f, "admin", "/v1/pools/green/net/leases").Items

	var order []string
	for _, lease := range leases {
		order = append(order, lease.Address+" "+string(lease.State))
	}

	if !slices.Equal(order, []string{"10.1.0.9 Reserved", "10.1.0.20 Allocated", "10.1.0.100 Reserved"}) {
		t.Errorf("leases are %q", order)
	}

	if lease := read[v1.Lease](t, f, "admin", "/v1/leases/green/net.10.1.0.20"); lease.Fixed || lease.Network != "green/net" || lease.Observed.Known || lease.Observed.Why == "" {
		t.Errorf("lease is %+v", lease)
	}

	f.request(f.vm("green-vms", "web", "green/net"), "10.1.0.20")

	// Another machine of that name: the lease is of the one before.
	if lease := read[v1.Lease](t, f, "admin", "/v1/leases/green/net.10.1.0.20"); !lease.Fixed || lease.State != v1.LeaseOrphaned || lease.Message == "" {
		t.Errorf("lease is %+v", lease)
	}
}

func TestAddressMap(t *testing.T) {
	t.Parallel()

	f := standard(agents{silent: true})

	body := read[v1.AddressMap](t, f, "admin", "/v1/pools/green/net/addresses")
	if body.From != "10.1.0.0" || body.To != "10.1.0.255" || body.Counts[v1.AddressLeased] != 1 || body.Counts[v1.AddressReserved] != 1 ||
		body.Counts[v1.AddressConflict] != 1 || body.Counts[v1.AddressServer] != 1 || len(body.Gaps) != 1 {
		t.Errorf("map is %+v", body)
	}

	body = read[v1.AddressMap](t, f, "admin", "/v1/pools/green/net/addresses?from=10.1.0.16&to=10.1.0.31&detail=true")
	if len(body.Runs) != 3 || body.Runs[1].Lease == nil || body.Runs[1].Lease.Address != "10.1.0.20" {
		t.Errorf("map is %+v", body)
	}
}

// A file has every lease that is filtered, whatever fits on a page, and no cell
// that a spreadsheet would run.
func TestExport(t *testing.T) {
	t.Parallel()

	f := standard(nil)
	pool := f.pool("green", "more", "10.5.0.0/16")

	for i := range 300 {
		lease := f.lease(pool, netip.AddrFrom4([4]byte{10, 5, byte(i / 200), byte(i % 200)}).String(), "", nil)
		lease.Annotations[v1alpha1.AnnotationComment] = []string{`=HYPERLINK("http://x")`, "+1", "-1", "@a", "say \"hi\",\nyou", "plain"}[i%6]
	}

	answer := f.get(t, "admin", "/v1/leases?format=csv&network=more&sort=-address", "Accept-Encoding", "gzip")

	rows, err := csv.NewReader(strings.NewReader(answer.Body.String())).ReadAll()
	if err != nil || len(rows) != 301 || rows[0][0] != "address" || rows[1][0] != "10.5.1.99" || rows[300][0] != "10.5.0.0" {
		t.Fatalf("%d rows (%v), from %q to %q", len(rows), err, rows[1], rows[len(rows)-1])
	}

	// 50 comments have a line break of their own.
	if strings.Count(answer.Body.String(), "\r\n") != 301+50 || !strings.Contains(answer.Header().Get("Content-Disposition"), "leases.csv") {
		t.Errorf("the lines do not end as RFC 4180 has it, or it is no file: %v", answer.Header())
	}

	quoted := 0

	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Fatalf("a spreadsheet takes %q for a formula", cell)
			}

			if strings.HasPrefix(cell, "'=HYPERLINK") || cell == "say \"hi\",\nyou" {
				quoted++
			}
		}
	}

	if quoted != 100 {
		t.Errorf("%d comments came through, want 100", quoted)
	}

	if same := f.get(t, "admin", "/v1/leases?format=csv&network=more&sort=-address", "If-None-Match", answer.Header().Get("ETag")); same.Code != http.StatusNotModified {
		t.Errorf("the same file again: %d", same.Code)
	}

	list := read[v1.LeaseList](t, f, "admin", "/v1/leases?format=json&network=more")
	if len(list.Items) != 300 || list.Total != 300 {
		t.Errorf("the file has %d of %d", len(list.Items), list.Total)
	}

	if none := read[v1.LeaseList](t, f, "tenant", "/v1/leases?format=json&network=more"); len(none.Items) != 0 {
		t.Errorf("the file has %d leases that the caller may not read", len(none.Items))
	}
}

// What the agents saw is in details, in history, in explanations and, when asked
// for, in pages; who did not answer is a gap; and host names are found then.
func TestObserved(t *testing.T) {
	t.Parallel()

	f := standard(agents{})

	lease := read[v1.Lease](t, f, "admin", "/v1/leases/green/net.10.1.0.20")
	if !lease.Observed.Known || lease.Observed.Hostname != "Front-Desk" || len(lease.Observed.Options) != 1 {
		t.Errorf("observed is %+v", lease.Observed)
	}

	if unheard := read[v1.Lease](t, f, "admin", "/v1/leases/blue/net.10.0.0.9").Observed; !unheard.Known || !unheard.LastSeen.IsZero() || unheard.Why == "" {
		t.Errorf("observed is %+v", unheard)
	}

	if nobody := read[v1.Lease](t, f, "admin", "/v1/leases/blue/net.10.0.0.100").Observed; nobody.Known || !strings.Contains(nobody.Why, "nobody is answered") {
		t.Errorf("observed is %+v", nobody)
	}

	if declined := read[v1.Lease](t, f, "admin", "/v1/leases/green/net.10.1.0.9"); declined.State != v1.LeaseConflict || !strings.Contains(declined.Message, "declined") {
		t.Errorf("lease is %+v", declined)
	}

	if found := read[v1.LeaseList](t, f, "admin", "/v1/leases?hostname=front"); found.Total != 1 || found.Items[0].Observed != nil {
		t.Errorf("found %+v", found)
	}

	history := read[v1.History](t, f, "admin", "/v1/leases/green/net.10.1.0.20/history")
	if len(history.Items) != 2 || history.Items[0].What != "DHCPACK" || history.Items[1].What != "Created" || history.Note == "" {
		t.Errorf("history is %+v", history)
	}

	f = standard(agents{silent: true})

	page := read[v1.LeaseList](t, f, "admin", "/v1/leases?observed=true")
	if len(page.Gaps) != 1 || len(page.Items) != 6 {
		t.Fatalf("page is %+v", page)
	}

	for _, item := range page.Items {
		known := item.Address == "10.0.0.20" || item.Address == "10.1.0.20" || item.Address == "10.0.0.9"
		if item.Observed == nil || item.Observed.Known != known || !known && item.Observed.Why == "" {
			t.Errorf("%s: observed is %+v", item.Address, item.Observed)
		}
	}

	for _, item := range read[v1.LeaseList](t, standard(nil), "admin", "/v1/leases?observed=true").Items {
		if item.Observed == nil || item.Observed.Known || item.Observed.Why == "" {
			t.Errorf("without agents: %+v", item.Observed)
		}
	}
}

func TestExplainOverHTTP(t *testing.T) {
	t.Parallel()

	got := read[v1.Explanation](t, standard(agents{}), "admin", "/v1/vms/green-vms/web/explain")
	if got.Verdict != v1.VerdictOK || len(got.NICs) != 2 || len(got.NICs[0].Steps) != 8 {
		t.Errorf("explanation is %+v", got)
	}

	if got = read[v1.Explanation](t, standard(nil), "admin", "/v1/vms/green-vms/web/explain"); got.Verdict != v1.VerdictUnknown || !strings.Contains(got.Summary, "does not ask the agents") {
		t.Errorf("explanation is %+v", got)
	}
}

// A lease that is gone has a history as long as it is remembered.
func TestHistoryOfWhatIsGone(t *testing.T) {
	t.Parallel()

	f := newFixture(nil)
	pool := f.pool("blue", "net", "10.0.0.0/24")
	lease := f.lease(pool, "10.0.0.5", "", nil)
	f.Drop(lease)

	history := read[v1.History](t, f, "tenant", "/v1/leases/blue/net.10.0.0.5/history")
	if len(history.Items) != 2 || history.Items[0].What != "Deleted" || history.Items[1].What != "Created" {
		t.Errorf("history is %+v", history)
	}
}
