package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/freehold-net/freehold/pkg/api/contracttest"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// right is how much a caller may do in a namespace.
type right int

const (
	nothing right = iota
	viewer
	operator
	administrator
)

// route is a call, and what it takes.
type route struct {
	call
	// needs is what the caller must be in the namespace in.
	needs right
	in    string
	// anywhere says that being it in any namespace is enough: a list is cut.
	anywhere bool
	// known says that to be known is enough, open that not even that is needed.
	known, open bool
	want        int
}

// routes are all of the API, for a namespace with pool blue, machine web and the
// lease of its NIC.
func routes(namespace string) []route {
	pool := "/v1/pools/" + namespace + "/blue"
	lease := "/v1/leases/" + namespace + "/blue.10.1.0.10"
	vm := "/v1/vms/" + namespace + "/web"
	view := func(path string) route {
		return route{call: call{method: http.MethodGet, path: path}, needs: viewer, in: namespace, want: http.StatusOK}
	}
	list := func(path string) route {
		all := view(path)
		all.anywhere = true

		return all
	}
	change := func(method, path, body string, needs right) route {
		return route{call: call{method: method, path: path, body: body}, needs: needs, in: namespace, want: http.StatusOK}
	}

	return []route{
		{call: call{method: http.MethodGet, path: "/v1/openapi.json"}, open: true, want: http.StatusOK},
		{call: call{method: http.MethodGet, path: "/v1/about"}, known: true, want: http.StatusOK},
		list("/v1/pools"), list("/v1/leases"), list("/v1/networks"), list("/v1/agents"), list("/v1/vms"), list("/v1/events"),
		list("/v1/leases?format=csv"),
		view("/v1/pools?namespace=" + namespace), view("/v1/networks?namespace=" + namespace), view("/v1/agents?namespace=" + namespace),
		view("/v1/vms?namespace=" + namespace), view("/v1/events?namespace=" + namespace),
		view(pool), view(pool + "/addresses"), view(pool + "/leases"),
		view(lease), view(lease + "/history"), view(vm), view(vm + "/explain"),
		change(http.MethodPost, "/v1/pools?dryRun=true", `{"namespace":"`+namespace+`","name":"green","spec":{"networkName":"green","ipv4Config":{"cidr":"10.3.0.0/24"}}}`, operator),
		change(http.MethodPatch, pool+"?dryRun=true", `{"spec":{"ipv4Config":{"dns":["10.1.0.3"]}}}`, operator),
		change(http.MethodPost, pool+"/pause", "", operator),
		change(http.MethodPost, pool+"/resume", "", operator),
		change(http.MethodPost, pool+"/leases?dryRun=true", `{"mac":"52-54-00-00-00-99"}`, operator),
		change(http.MethodPost, lease+"/fix", "", operator),
		change(http.MethodPost, vm+"/pause", "", operator),
		change(http.MethodPost, vm+"/resume", "", operator),
		change(http.MethodDelete, lease+"?dryRun=true", "", administrator),
	}
}

// guest is a caller, and what they are.
type guest struct {
	caller
	rights map[string]right
	// unknown callers are nobody to Kubernetes.
	unknown bool
}

// allows tells what a guest must be answered.
func (g guest) expect(r route, anonymous int) int {
	switch {
	case r.open:
		return r.want
	case g.unknown:
		return anonymous
	case r.known:
		return r.want
	case g.rights[r.in] >= r.needs, g.rights[""] >= r.needs:
		return r.want
	case r.anywhere && slices.ContainsFunc(sortedRights(g.rights), func(has right) bool { return has >= r.needs }):
		return r.want
	default:
		return http.StatusForbidden
	}
}

func sortedRights(rights map[string]right) []right {
	var all []right
	for _, one := range rights {
		all = append(all, one)
	}

	return all
}

// guests are callers of every kind, with rights in the two namespaces.
func guests(t *testing.T, s *server, one, other string) []guest {
	t.Helper()
	s.aggregatedRoles(t)

	bound := func(name string, rights map[string]right) guest {
		account := s.serviceAccount(t, one, name)

		for namespace, has := range rights {
			role := map[right]string{viewer: "view", operator: "edit", administrator: "admin"}[has]
			s.bind(t, namespace, role, accountOf(one, name))
		}

		return guest{caller: account, rights: rights}
	}

	viewers := s.certified(t, "vera", "viewers")
	s.bind(t, "", "view", userOf("vera"))

	pair, err := s.proxyCA.pair(proxyName)
	ada := proxied(t, "ada", pair, err)
	s.bind(t, one, "admin", userOf("ada"))

	// Forgers: each claims to be ada.
	bare := caller{name: "headers without a certificate", header: ada.header}

	stranger := s.certified(t, "stranger")
	stranger.header = ada.header

	pair, err = s.proxyCA.pair("somebody-else")
	misnamed := proxied(t, "ada", pair, err)
	misnamed.name = "a certificate of the proxies' CA for another name"

	madeUp, err := newAuthority("front-proxy-ca")
	if err != nil {
		t.Fatal(err)
	}

	pair, err = madeUp.pair(proxyName)
	forged := proxied(t, "ada", pair, err)
	forged.name = "a certificate of a made-up CA"

	return []guest{
		{caller: caller{name: "anonymous"}, unknown: true},
		{caller: caller{name: "a token of nobody", token: "nonsense"}, unknown: true},
		{caller: bare, unknown: true},
		{caller: misnamed, unknown: true},
		{caller: forged, unknown: true},
		{caller: stranger, rights: nil}, // known, as themselves
		bound("nobody", nil),
		bound("views-one", map[string]right{one: viewer}),
		{caller: viewers, rights: map[string]right{"": viewer}},
		bound("operates-one", map[string]right{one: operator}),
		bound("administers-one-views-other", map[string]right{one: administrator, other: viewer}),
		{caller: ada, rights: map[string]right{one: administrator}},
		bound("administers-all", map[string]right{"": administrator}),
	}
}

// TestWhoMayDoWhat calls every route as everybody, on both ways in.
func TestWhoMayDoWhat(t *testing.T) {
	s := apiServer(t)
	manager := s.run(t, "access").leads()

	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}

	one, other := s.newWorld(t), s.newWorld(t)
	for i, w := range []*world{one, other} {
		w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
		w.network("green", "", "", "", nil)
		w.vm("web", device{"eth0", "blue", fmt.Sprintf("52:54:00:00:00:0%d", i+1)})
		w.holds(fmt.Sprintf("blue.10.1.0.10 52:54:00:00:00:0%d web/eth0", i+1))
	}

	callers := guests(t, s, one.namespace, other.namespace)

	for name, in := range map[string]way{"direct": manager.direct(t, contract), "aggregated": s.aggregated(t, contract)} {
		t.Run(name, func(t *testing.T) {
			s.eventually(t, "the API answers an administrator", func() string {
				response := in.open(t.Context(), t, callers[len(callers)-1].caller, call{method: http.MethodGet, path: "/v1/pools"})
				defer response.Body.Close()

				if response.StatusCode != http.StatusOK {
					text, err := io.ReadAll(response.Body)

					return fmt.Sprintf("%s: %s: %s %v", response.Request.URL, response.Status, text, err)
				}

				return ""
			})

			for _, who := range callers {
				if name == "aggregated" && (who.header != nil || who.certificate != nil && who.unknown) {
					continue // kube-apiserver is the proxy here; its own words are not ours to test
				}

				t.Run(who.name, func(t *testing.T) { everyRoute(t, in, who, name == "aggregated", one.namespace, other.namespace) })
			}
		})
	}

	for _, missing := range contract.Routes() {
		if !slices.ContainsFunc(routes("x"), func(r route) bool { return isRoute(missing, r.call) }) {
			t.Errorf("%s is not in the table", missing)
		}
	}
}

// isRoute tells whether the call is one of a described route such as "GET
// /v1/pools/{namespace}/{name}".
func isRoute(described string, made call) bool {
	method, pattern, _ := strings.Cut(described, " ")
	path, _, _ := strings.Cut(made.path, "?")
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")

	if method != made.method || len(want) != len(got) {
		return false
	}

	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}

	return true
}

func everyRoute(t *testing.T, in way, who guest, aggregated bool, one, other string) {
	t.Helper()

	// Kube-apiserver knows the anonymous as somebody who may nothing, and those
	// with bad credentials not at all.
	anonymous := http.StatusUnauthorized
	if aggregated && who.token == "" {
		anonymous = http.StatusForbidden
	}

	for _, namespace := range []string{one, other} {
		for _, r := range routes(namespace) {
			want := who.expect(r, anonymous)
			if aggregated && who.unknown {
				want = anonymous // also what we would tell everybody
			}

			got := in.do(t, who.caller, r.call)
			if got.status != want {
				t.Errorf("%s %s: %s, want %d", r.method, r.path, got, want)
			}

			if got.status == http.StatusOK && r.anywhere {
				onlyVisible(t, who, r, got, one, other)
			}
		}
	}
}

// onlyVisible checks that a list has nothing of a namespace that the caller may not
// read, and something of one that they may.
func onlyVisible(t *testing.T, who guest, r route, got reply, one, other string) {
	t.Helper()

	if !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") || r.path == "/v1/agents" {
		for _, namespace := range []string{one, other} {
			if who.rights[namespace] < viewer && who.rights[""] < viewer && strings.Contains(string(got.body), namespace) {
				t.Errorf("%s tells of %s", r.path, namespace)
			}
		}

		return
	}

	var list struct {
		Items []struct {
			Namespace string `json:"namespace"`
		} `json:"items"`
	}

	got.into(t, &list)

	seen := sets.New[string]()
	for _, item := range list.Items {
		seen.Insert(item.Namespace)
	}

	for _, namespace := range []string{one, other} {
		may := who.rights[namespace] >= viewer || who.rights[""] >= viewer
		if seen.Has(namespace) != may {
			t.Errorf("%s has objects of %s: %v, want %v", r.path, namespace, seen.Has(namespace), may)
		}
	}
}

// TestTheDoorstep is about what everybody may have, and what nobody gets.
func TestTheDoorstep(t *testing.T) {
	s := apiServer(t)
	manager := s.run(t, "doorstep").leads()

	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}

	in := manager.direct(t, contract)
	anonymous := caller{name: "anonymous"}
	w := s.newWorld(t)
	admin := s.serviceAccount(t, w.namespace, "admin")
	s.bind(t, "", "cluster-admin", accountOf(w.namespace, "admin"))

	for _, tc := range []struct {
		name string
		who  caller
		call
		status int
		says   string
	}{
		{"health", anonymous, call{method: "GET", path: "/healthz"}, 200, "ok"},
		{"the page", anonymous, call{method: "GET", path: "/"}, 200, "<html"},
		{"the page, aggregated", anonymous, call{method: "GET", path: "/apis/api.freehold.net/v1/ui/"}, 200, "<html"},
		{"the way to the page", anonymous, call{method: "GET", path: "/apis/api.freehold.net/v1/ui"}, 308, ""},
		{"discovery", anonymous, call{method: "GET", path: "/apis/api.freehold.net/v1"}, 200, `"APIResourceList"`},
		{"discovery of the group", anonymous, call{method: "GET", path: "/apis/api.freehold.net"}, 200, `"APIGroup"`},
		{"discovery of groups", anonymous, call{method: "GET", path: "/apis"}, 200, `"APIGroupList"`},
		{"discovery is read only", anonymous, call{method: "DELETE", path: "/apis"}, 405, "GET"},
		{"how to say who one is", anonymous, call{method: "GET", path: "/v1/pools"}, 401, "Authorization: Bearer"},
		{"by way of the Service proxy", anonymous, call{method: "GET", path: "/v1/pools", header: http.Header{
			"X-Forwarded-Uri": {"/api/v1/namespaces/freehold-system/services/https:freehold:9443/proxy/v1/pools"},
		}}, 401, "/apis/api.freehold.net/v1/"},
		{"impersonation", admin, call{method: "GET", path: "/v1/pools", header: http.Header{"Impersonate-User": {"jane"}}}, 403, "Impersonate-User"},
		{"another site", admin, call{method: "POST", path: "/v1/pools/x/y/pause", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}, 403, "another site"},
		{"the same site", admin, call{method: "POST", path: "/v1/pools/x/y/pause", header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}, 404, "x/y"},
		{"nowhere", admin, call{method: "GET", path: "/v1/nowhere"}, 404, "openapi.json"},
		{"no other group", anonymous, call{method: "GET", path: "/apis/example.org/v1/pools"}, 404, "nothing"},
		{"no OpenAPI of Kubernetes' kind", anonymous, call{method: "GET", path: "/openapi/v3"}, 404, "nothing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := t.Context()
			response := in.open(ctx, t, tc.who, tc.call)
			defer response.Body.Close()

			body := make([]byte, 1<<16)
			n, _ := response.Body.Read(body)

			if response.StatusCode != tc.status || !strings.Contains(string(body[:n]), tc.says) {
				t.Errorf("%d %s, want %d and %q", response.StatusCode, body[:n], tc.status, tc.says)
			}
		})
	}
}

// TestARightThatIsTakenAwayEnds: the answer of a review is believed for seconds only.
func TestARightThatIsTakenAwayEnds(t *testing.T) {
	s := apiServer(t)
	manager := s.run(t, "revoked").leads()

	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	s.aggregatedRoles(t)

	in := manager.direct(t, contract)
	who := s.serviceAccount(t, w.namespace, "views")
	binding := s.bind(t, w.namespace, "view", accountOf(w.namespace, "views"))
	read := call{method: "GET", path: "/v1/pools/" + w.namespace + "/blue"}

	is := func(status int) {
		t.Helper()
		s.eventually(t, fmt.Sprintf("%s is answered %d", read.path, status), func() string {
			if got := in.do(t, who, read); got.status != status {
				return got.String()
			}

			return ""
		})
	}

	is(http.StatusOK)
	w.must(s.client.Delete(t.Context(), binding))
	is(http.StatusForbidden)

	var about v1.About

	in.do(t, who, call{method: "GET", path: "/v1/about"}).into(t, &about)

	if about.User.Name != "system:serviceaccount:"+w.namespace+":views" || about.Allowed["listPools"] || about.Namespaces == nil || len(*about.Namespaces) > 0 {
		t.Errorf("about says %+v", about)
	}
}
