package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/api/contracttest"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// desk is the API as an administrator of a world uses it.
type desk struct {
	*world
	in  way
	who caller
}

func newDesk(t *testing.T, identity string) *desk {
	t.Helper()

	s := apiServer(t)
	manager := s.run(t, identity).leads()

	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}

	w := s.newWorld(t)
	who := s.serviceAccount(t, w.namespace, "desk")
	s.bind(t, "", "cluster-admin", accountOf(w.namespace, "desk"))

	return &desk{world: w, in: manager.direct(t, contract), who: who}
}

// ask calls with a body, or none, and wants a status. The path is below the
// world's namespace, such as "pools/{}/blue" with {} for it.
func (d *desk) ask(status int, method, path, body string) reply {
	d.t.Helper()

	made := call{method: method, path: "/v1/" + strings.ReplaceAll(path, "{}", d.namespace), body: body}
	got := d.in.do(d.t, d.who, made)

	if got.status != status {
		d.t.Fatalf("%s %s %s: %s, want %d", method, made.path, body, got, status)
	}

	return got
}

// refused wants a problem with the status that says all of these.
func (d *desk) refused(status int, method, path, body string, says ...string) {
	d.t.Helper()

	got := d.ask(status, method, path, body)

	var problem v1.Problem

	got.into(d.t, &problem)

	text, err := json.Marshal(problem)
	d.must(err)

	for _, want := range says {
		if !strings.Contains(string(text), want) {
			d.t.Errorf("%s %s: %s does not say %q", method, path, text, want)
		}
	}
}

// seen waits until the API shows the leases of the pool, as "address state".
func (d *desk) seen(want ...string) {
	d.t.Helper()
	d.eventually(d.t, "the API shows the leases "+strings.Join(want, ", "), func() string {
		var list v1.LeaseList

		d.ask(http.StatusOK, "GET", "pools/{}/blue/leases", "").into(d.t, &list)

		var got []string
		for _, lease := range list.Items {
			got = append(got, lease.Address+" "+string(lease.State))
		}

		if strings.Join(got, ",") != strings.Join(want, ",") {
			return strings.Join(got, ", ")
		}

		return ""
	})
}

func TestReservingAndReleasing(t *testing.T) {
	d := newDesk(t, "reserving")
	d.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.13")

	// As if.
	var lease v1.Lease

	d.ask(http.StatusOK, "POST", "pools/{}/blue/leases?dryRun=true", `{}`).into(t, &lease)

	if lease.Address != "10.1.0.10" || len(d.leases()) > 0 {
		t.Errorf("the dry run chose %s and made %d leases", lease.Address, len(d.leases()))
	}

	// For a NIC, in another spelling; for a machine; for nobody, and out of the range.
	made := d.ask(http.StatusCreated, "POST", "pools/{}/blue/leases", `{"mac":"52-54-00-00-00-AA","comment":"the printer"}`)
	made.into(t, &lease)

	if lease.Address != "10.1.0.10" || lease.MAC != "52:54:00:00:00:aa" || lease.Comment != "the printer" || lease.State != v1.LeaseReserved ||
		made.header.Get("Location") != "/v1/leases/"+d.namespace+"/blue.10.1.0.10" {
		t.Errorf("reserved %+v, %s", lease, made.header.Get("Location"))
	}

	d.ask(http.StatusCreated, "POST", "pools/{}/blue/leases", `{"address":"10.1.0.13","vm":{"name":"web","interface":"eth0"}}`)
	d.ask(http.StatusCreated, "POST", "pools/{}/blue/leases", `{"address":"10.1.0.200"}`)
	d.seen("10.1.0.10 Reserved", "10.1.0.13 Reserved", "10.1.0.200 Reserved")

	for _, tc := range []struct {
		status int
		body   string
		says   []string
	}{
		{422, `{"address":"10.2.0.1"}`, []string{"address", "10.2.0.1", "choose one from"}},
		{422, `{"address":"10.1.0.1"}`, []string{"DHCP server"}},
		{422, `{"address":"10.1.0.255"}`, []string{"no host"}},
		{422, `{"address":"ten"}`, []string{"address", "ten", "192.168.48.10"}},
		{422, `{"mac":"52:54:00:00:00:99","vm":{"name":"x"}}`, []string{"vm", "leave one of the two out"}},
		{422, `{"mac":"nonsense"}`, []string{"mac", "nonsense", "six bytes"}},
		{422, `{"vm":{"name":"No Name"}}`, []string{"vm.name", "No Name"}},
		{422, `{"comment":"` + strings.Repeat("x", 257) + `"}`, []string{"comment", "257", "256"}},
		{400, `{"addresses":"10.1.0.11"}`, []string{"addresses"}},
		{400, `{"address":11}`, []string{"address"}},
		{400, `{`, []string{"body"}},
		{409, `{"address":"10.1.0.13"}`, []string{"10.1.0.13", "web", "release it first"}},
		{409, `{"mac":"52:54:00:00:00:aa"}`, []string{"10.1.0.10", "already"}},
		{409, `{"vm":{"name":"web","interface":"eth0"}}`, []string{"10.1.0.13", "already"}},
	} {
		d.refused(tc.status, "POST", "pools/{}/blue/leases", tc.body, tc.says...)
	}

	d.refused(http.StatusNotFound, "POST", "pools/{}/none/leases", `{}`, "none")

	if got := d.in.do(t, d.who, call{method: "POST", path: "/v1/pools/" + d.namespace + "/blue/leases", body: `{}`, media: "text/plain"}); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %s", got)
	}

	// Until there is none.
	d.ask(http.StatusCreated, "POST", "pools/{}/blue/leases", `{}`)
	d.ask(http.StatusCreated, "POST", "pools/{}/blue/leases", `{}`)
	d.refused(http.StatusConflict, "POST", "pools/{}/blue/leases", `{}`, "no address", "free")

	// What was reserved is taken up, and outlives its holder.
	d.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"})
	d.says("web", "eth0 10.1.0.13 Allocated Allocated")
	d.seen("10.1.0.10 Reserved", "10.1.0.11 Reserved", "10.1.0.12 Reserved", "10.1.0.13 Allocated", "10.1.0.200 Reserved")

	var told v1.Release

	const held = "leases/{}/blue.10.1.0.13"

	d.refused(http.StatusConflict, "DELETE", held+"?uid=another", "", "uid", "another")
	d.ask(http.StatusOK, "DELETE", held+"?dryRun=true", "").into(t, &told)

	if text := strings.Join(told.Warnings, " "); len(told.Warnings) != 2 || !strings.Contains(text, "/web holds the address") || !strings.Contains(text, "reservation") {
		t.Errorf("the warnings are %q", told.Warnings)
	}

	if _, there := d.leases()["blue.10.1.0.13"]; !there {
		t.Error("a dry run has released the address")
	}

	d.ask(http.StatusOK, "DELETE", "leases/{}/blue.10.1.0.11?uid="+string(d.leases()["blue.10.1.0.11"].UID), "")
	d.seen("10.1.0.10 Reserved", "10.1.0.12 Reserved", "10.1.0.13 Allocated", "10.1.0.200 Reserved")
	d.refused(http.StatusNotFound, "DELETE", "leases/{}/blue.10.1.0.11", "", "blue.10.1.0.11")
}

func TestFixingAndPausingMachines(t *testing.T) {
	d := newDesk(t, "fixing")
	d.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	d.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"}, device{"eth1", "blue", "52:54:00:00:00:02"})
	d.says("web", "eth0 10.1.0.10 Allocated Allocated", "eth1 10.1.0.11 Allocated Allocated")
	d.seen("10.1.0.10 Allocated", "10.1.0.11 Allocated")

	var lease v1.Lease

	for range 2 { // once more changes nothing
		d.ask(http.StatusOK, "POST", "leases/{}/blue.10.1.0.11/fix", "").into(t, &lease)

		if !lease.Fixed {
			t.Error("it is not fixed")
		}
	}

	var request v1alpha1.VirtualMachineNetworkConfig

	d.get(&request, "web")

	first, second := request.Spec.NetworkConfigs[0].IPAddress, request.Spec.NetworkConfigs[1].IPAddress
	if first != nil || second == nil || *second != "10.1.0.11" {
		t.Errorf("the NICs ask for %v and %v", first, second)
	}

	edit(d.world, &v1alpha1.VirtualMachineNetworkConfig{}, "web", func(request *v1alpha1.VirtualMachineNetworkConfig) {
		other := "10.1.0.15"
		request.Spec.NetworkConfigs[0].IPAddress = &other
		paused := true
		request.Spec.Paused = &paused
	})
	d.refused(http.StatusConflict, "POST", "leases/{}/blue.10.1.0.10/fix", "", "10.1.0.15", "already")
	d.ask(http.StatusCreated, "POST", "pools/{}/blue/leases", `{"address":"10.1.0.19"}`)
	d.seen("10.1.0.10 Allocated", "10.1.0.11 Allocated", "10.1.0.19 Reserved")
	d.refused(http.StatusConflict, "POST", "leases/{}/blue.10.1.0.19/fix", "", "reservation")
	d.refused(http.StatusNotFound, "POST", "leases/{}/blue.10.1.0.20/fix", "", "blue.10.1.0.20")

	for _, pause := range []string{"resume", "pause"} {
		var machine v1.VM

		d.ask(http.StatusOK, "POST", "vms/{}/web/"+pause, "").into(t, &machine)

		if machine.Paused != (pause == "pause") {
			t.Errorf("%s: %+v", pause, machine)
		}
	}

	d.vm("elsewhere")
	d.eventually(t, "the API knows the machine", func() string {
		if got := d.in.do(t, d.who, call{method: "GET", path: "/v1/vms/" + d.namespace + "/elsewhere"}); got.status != http.StatusOK {
			return got.String()
		}

		return ""
	})
	d.refused(http.StatusConflict, "POST", "vms/{}/elsewhere/pause", "", "nothing to pause")
	d.refused(http.StatusNotFound, "POST", "vms/{}/none/pause", "", "none")
}

// TestTheWebhookIsNoLoophole: what the webhook refuses a caller it refuses them by
// way of the API, although it is the manager that writes.
func TestTheWebhookIsNoLoophole(t *testing.T) {
	d := newDesk(t, "loophole")
	d.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	d.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"})
	d.says("web", "eth0 10.1.0.10 Allocated Allocated")
	d.seen("10.1.0.10 Allocated")

	d.refused(http.StatusUnprocessableEntity, "PATCH", "pools/{}/blue", `{"spec":{"ipv4Config":{"pool":{"start":"10.1.0.15"}}}}`,
		"spec.ipv4Config.pool", "10.1.0.10", "keep these addresses")
	d.refused(http.StatusUnprocessableEntity, "PATCH", "pools/{}/blue", `{"spec":{"ipv4Config":{"cidr":"10.9.0.0/24"}}}`, "cidr cannot be changed")
	d.refused(http.StatusUnprocessableEntity, "POST", "pools", `{"namespace":"`+d.namespace+`","name":"two","spec":{"networkName":"blue","ipv4Config":{"cidr":"10.1.0.0/24"}}}`,
		"spec.networkName", "served by IPPool")
}

func TestMakingAndEditingPools(t *testing.T) {
	d := newDesk(t, "pools")
	d.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	d.network("green", "", "", "", nil)
	d.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"})
	d.says("web", "eth0 10.1.0.10 Allocated Allocated")
	d.seen("10.1.0.10 Allocated")

	green := `{"namespace":"` + d.namespace + `","name":"green","spec":{"networkName":"green","ipv4Config":{"cidr":"10.3.0.0/24","router":"10.3.0.1","dns":["10.3.0.2"]}}}`

	var preview v1.PoolPreview

	d.ask(http.StatusOK, "POST", "pools?dryRun=true", green).into(t, &preview)

	if said := optionsOf(preview); preview.Pool.Spec.IPv4Config.ServerIP != "10.3.0.2" || said["router"] != "10.3.0.1" || said["name servers"] != "10.3.0.2" ||
		said["subnet mask"] != "255.255.255.0" || len(preview.Changes) == 0 || len(preview.Affected) > 0 {
		t.Errorf("the preview is %+v", preview)
	}

	if found := (&v1alpha1.IPPool{}); d.get(found, "green") {
		t.Error("a dry run has made a pool")
	}

	var pool v1.Pool

	d.ask(http.StatusCreated, "POST", "pools", green).into(t, &pool)

	if !d.get(&v1alpha1.IPPool{}, "green") || pool.Name != "green" || pool.UID == "" {
		t.Errorf("made %+v", pool)
	}

	d.refused(http.StatusConflict, "POST", "pools", green, "green")
	d.refused(http.StatusUnprocessableEntity, "POST", "pools", `{"namespace":"nowhere-at-all","name":"x","spec":{"networkName":"a","ipv4Config":{"cidr":"10.3.0.0/24"}}}`, "namespace", "nowhere-at-all")
	d.refused(http.StatusUnprocessableEntity, "POST", "pools", `{"namespace":"`+d.namespace+`","spec":{"networkName":"a","ipv4Config":{"cidr":"10.3.0.0/24"}}}`, "name", "missing")
	d.refused(http.StatusBadRequest, "POST", "pools", `{"namespace":"a","name":"x","spec":{"network":"a"}}`, "network")

	// What an edit does to whom.
	const blue = "pools/{}/blue"

	d.ask(http.StatusOK, "PATCH", blue+"?dryRun=true", `{"spec":{"ipv4Config":{"dns":["10.1.0.3"],"mtu":1400}}}`).into(t, &preview)

	if len(preview.Affected) != 1 || preview.Affected[0].Lease.Address != "10.1.0.10" ||
		!strings.Contains(preview.Affected[0].Effect, "name servers 10.1.0.3") || !strings.Contains(preview.Affected[0].Effect, "MTU 1400") {
		t.Errorf("affected are %+v", preview.Affected)
	}

	if fields := fmt.Sprint(preview.Changes); len(preview.Changes) != 2 || !strings.Contains(fields, "spec.ipv4Config.dns") || !strings.Contains(fields, "spec.ipv4Config.mtu") {
		t.Errorf("changes are %+v", preview.Changes)
	}

	var present v1alpha1.IPPool

	d.get(&present, "blue")

	if len(present.Spec.IPv4Config.DNS) > 0 {
		t.Error("a dry run has edited the pool")
	}

	d.ask(http.StatusOK, "PATCH", blue, `{"spec":{"ipv4Config":{"dns":["10.1.0.3"]}},"resourceVersion":"`+present.ResourceVersion+`"}`)
	d.refused(http.StatusConflict, "PATCH", blue, `{"spec":{"ipv4Config":{"dns":null}},"resourceVersion":"`+present.ResourceVersion+`"}`, "read it again")
	pool = v1.Pool{}
	d.ask(http.StatusOK, "PATCH", blue, `{"spec":{"ipv4Config":{"dns":null}}}`).into(t, &pool)

	if len(pool.Spec.IPv4Config.DNS) > 0 {
		t.Errorf("null left %v", pool.Spec.IPv4Config.DNS)
	}

	d.refused(http.StatusBadRequest, "PATCH", blue, `{"spec":{"ipv4Config":{"dsn":[]}}}`, "dsn")
	d.refused(http.StatusBadRequest, "PATCH", blue, `{"spec":{"paused":"yes"}}`, "paused")
	d.refused(http.StatusNotFound, "PATCH", "pools/{}/none", `{"spec":{}}`, "none")

	for _, pause := range []string{"pause", "resume"} {
		d.ask(http.StatusOK, "POST", blue+"/"+pause, "").into(t, &pool)

		if pool.Spec.Paused == nil || *pool.Spec.Paused != (pause == "pause") {
			t.Errorf("%s: %+v", pause, pool.Spec)
		}
	}
}

func optionsOf(preview v1.PoolPreview) map[string]string {
	said := map[string]string{}
	for _, option := range preview.Guest {
		said[option.Name] = option.Value
	}

	return said
}

// TestEventsComeAsTheyHappen, at the manager's own port and through kube-apiserver,
// for which a stream must say that it is a watch.
func TestEventsComeAsTheyHappen(t *testing.T) {
	d := newDesk(t, "events")
	d.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")

	for name, in := range map[string]way{"direct": d.in, "aggregated": d.aggregated(t, d.in.contract)} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()

			var response *http.Response

			d.eventually(t, "a stream begins", func() string {
				response = in.open(ctx, t, d.who, call{method: "GET", path: "/v1/events?kind=lease&namespace=" + d.namespace + "&watch=true"}) //nolint:bodyclose // closed below, or when it is refused
				if response.StatusCode != http.StatusOK {
					response.Body.Close()

					return response.Status
				}

				return ""
			})
			defer response.Body.Close()

			lines := bufio.NewScanner(response.Body)

			// What comes first says that the stream has begun.
			lines.Scan()

			want := "blue.10.1.0.11"
			if name == "direct" {
				want = "blue.10.1.0.12"
			}

			d.must(d.tryCreate(&v1alpha1.IPLease{
				ObjectMeta: metav1.ObjectMeta{Name: want},
				Spec:       v1alpha1.IPLeaseSpec{PoolName: "blue", Address: strings.TrimPrefix(want, "blue.")},
			}))

			for lines.Scan() {
				data, ok := strings.CutPrefix(lines.Text(), "data: ")
				if !ok {
					continue
				}

				var change struct {
					v1.Change

					Object v1.Lease `json:"object"`
				}

				d.must(json.Unmarshal([]byte(data), &change))

				if change.Kind != v1.ChangeLease || change.Type != v1.ChangeAdded || change.Name != want || change.Object.Address == "" {
					t.Errorf("the event is %s", data)
				}

				return
			}

			t.Errorf("the stream ended: %v", lines.Err())
		})
	}
}
