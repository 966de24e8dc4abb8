package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// routes are the reading routes, each with an object that is there and one that
// is not; "" for none.
func routes() map[string]string {
	return map[string]string{
		"/v1/about": "", "/v1/pools": "", "/v1/leases": "", "/v1/networks": "", "/v1/agents": "", "/v1/vms": "",
		"/v1/pools/green/net":                       "/v1/pools/green/none",
		"/v1/pools/green/net/addresses":             "/v1/pools/green/none/addresses",
		"/v1/pools/green/net/leases":                "/v1/pools/green/none/leases",
		"/v1/leases/green/net.10.1.0.20":            "/v1/leases/green/net.10.1.0.21",
		"/v1/leases/green/net.10.1.0.20/history":    "/v1/leases/green/net.10.1.0.21/history",
		"/v1/vms/green-vms/web":                     "/v1/vms/green-vms/none",
		"/v1/vms/green-vms/web/explain":             "/v1/vms/green-vms/none/explain",
		"/v1/pools/green/net/addresses?detail=true": "/v1/pools/green/none/addresses?detail=true",
	}
}

func expect(t *testing.T, answer *httptest.ResponseRecorder, url string, status int) v1.Problem {
	t.Helper()

	if answer.Code != status {
		t.Errorf("GET %s: %d, want %d: %s", url, answer.Code, status, answer.Body)
	}

	var told v1.Problem

	if status >= http.StatusBadRequest {
		if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil || told.Status != status || told.Detail == "" {
			t.Errorf("GET %s: problem is %s (%v)", url, answer.Body, err)
		}
	}

	return told
}

// Every route answers every caller as it should: who is not known, who may not,
// what is not there, what nobody can tell.
func TestEveryRoute(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for there, missing := range routes() {
		expect(t, f.get(t, "admin", there), there, http.StatusOK)
		expect(t, f.get(t, "nobody-knows", there), there, http.StatusUnauthorized)
		expect(t, f.get(t, "down", there), there, http.StatusServiceUnavailable)
		expect(t, f.get(t, "unsure", there), there, http.StatusServiceUnavailable)

		joint := "?"
		if strings.Contains(there, "?") {
			joint = "&"
		}

		told := expect(t, f.get(t, "admin", there+joint+"wat=1"), there, http.StatusBadRequest)
		if len(told.Errors) != 1 || told.Errors[0].Field != "wat" || told.Errors[0].Remedy == "" {
			t.Errorf("GET %s?wat: %+v", there, told)
		}

		if there != "/v1/about" {
			expect(t, f.get(t, "stranger", there), there, http.StatusForbidden)
		}

		expect(t, f.get(t, "bug", there), there, http.StatusInternalServerError)

		if missing != "" {
			expect(t, f.get(t, "admin", missing), missing, http.StatusNotFound)

			// Whether it exists is not told to who may not read it.
			no := expect(t, f.get(t, "tenant", missing), missing, http.StatusForbidden)
			yes := expect(t, f.get(t, "tenant", there), there, http.StatusForbidden)

			if scrub(no, missing) != scrub(yes, there) {
				t.Errorf("the refusals tell what exists: %+v and %+v", no, yes)
			}
		}
	}

	f.get(t, "", "/v1/openapi.json")
}

// scrub takes the names out of a problem.
func scrub(told v1.Problem, url string) string {
	parts := strings.Split(strings.Split(url, "?")[0], "/")
	if len(parts) > 4 {
		return strings.ReplaceAll(told.Detail, `"`+parts[4]+`"`, "*")
	}

	return told.Detail
}

// An answer has a tag; who has it is told so and sent nothing. A change of what
// is in the answer changes the tag, a change of anything else does not.
func TestETags(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for url := range routes() {
		first := f.get(t, "admin", url)

		tag := first.Header().Get("ETag")
		if tag == "" {
			continue // the contract says which have one
		}

		if same := f.get(t, "admin", url, "If-None-Match", `"other", `+tag); same.Code != http.StatusNotModified || same.Body.Len() > 0 {
			t.Errorf("GET %s again: %d %s", url, same.Code, same.Body)
		}

		if other := f.get(t, "admin", url, "If-None-Match", `"other"`); other.Code != http.StatusOK {
			t.Errorf("GET %s with another tag: %d", url, other.Code)
		}
	}

	before := f.get(t, "tenant", "/v1/leases").Header().Get("ETag")
	pool := f.pool("red", "net", "10.7.0.0/24")
	f.lease(pool, "10.7.0.5", "", nil)

	if same := f.get(t, "tenant", "/v1/leases", "If-None-Match", before); same.Code != http.StatusNotModified {
		t.Errorf("a lease that the caller may not read changed the tag: %d", same.Code)
	}

	pool.Namespace = "blue"
	f.lease(pool, "10.0.0.5", "", nil)

	if other := f.get(t, "tenant", "/v1/leases", "If-None-Match", before); other.Code != http.StatusOK {
		t.Errorf("a new lease did not change the tag: %d", other.Code)
	}
}

// Large answers are compressed for who can read that, and are the same then.
func TestGzip(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for accept, packed := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "*": true, "gzip;q=0": false, "identity": false, "": false} {
		answer := f.get(t, "admin", "/v1/leases", "Accept-Encoding", accept)
		if got := answer.Header().Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("%q: compressed is %t", accept, got)
		}

		if plain := f.get(t, "admin", "/v1/leases"); plain.Body.String() != answer.Body.String() || plain.Header().Get("ETag") != answer.Header().Get("ETag") {
			t.Errorf("%q: another answer", accept)
		}
	}

	if small := f.get(t, "admin", "/v1/agents?pool=none", "Accept-Encoding", "gzip"); small.Header().Get("Content-Encoding") != "" {
		t.Error("a few bytes are compressed")
	}
}

// Lists are cut to what the caller may read, and nobody takes "may not" for
// "there is none".
func TestListsAreCut(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for url, want := range map[string][2]int{
		"/v1/pools": {3, 1}, "/v1/leases": {6, 3}, "/v1/networks": {3, 1}, "/v1/agents": {2, 1}, "/v1/vms": {2, 1},
	} {
		all, some := read[v1.List[any]](t, f, "admin", url), read[v1.List[any]](t, f, "tenant", url)
		if len(all.Items) != want[0] || all.Total != want[0] || len(some.Items) != want[1] || some.Total != want[1] {
			t.Errorf("GET %s: %d of %d, and %d of %d, want %v", url, len(all.Items), all.Total, len(some.Items), some.Total, want)
		}

		told := expect(t, f.get(t, "stranger", url), url, http.StatusForbidden)
		if !strings.Contains(told.Detail, `"stranger" may not list `) {
			t.Errorf("GET %s: %s", url, told.Detail)
		}
	}

	for _, url := range []string{"/v1/pools?namespace=green", "/v1/vms?namespace=green-vms", "/v1/networks?namespace=green", "/v1/agents?namespace=green"} {
		expect(t, f.get(t, "tenant", url), url, http.StatusForbidden)
	}

	if about := read[v1.About](t, f, "tenant", "/v1/about"); about.Namespaces == nil || !slices.Equal(*about.Namespaces, []string{"blue"}) || about.Allowed["listPools"] {
		t.Errorf("about is %+v", about)
	}

	if about := read[v1.About](t, f, "admin", "/v1/about"); about.Namespaces != nil || !about.Allowed["createPools"] || about.User.Name != "admin" || about.Version != "v1.2.3" {
		t.Errorf("about is %+v", about)
	}
}

// The pages of a list are the list. A continue value of another list, or of
// none, is refused.
func TestPagesOverHTTP(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for _, path := range []string{"/v1/pools", "/v1/leases", "/v1/networks", "/v1/agents", "/v1/vms", "/v1/pools/green/net/leases"} {
		whole := read[v1.List[map[string]any]](t, f, "admin", path)
		first := read[v1.List[map[string]any]](t, f, "admin", path+"?limit=1")
		got := first.Items
		next := first.Continue

		for next != "" {
			page := read[v1.List[map[string]any]](t, f, "admin", path+"?limit=1&continue="+next)
			got, next = append(got, page.Items...), page.Continue
		}

		if len(got) != len(whole.Items) || whole.Continue != "" {
			t.Errorf("GET %s: %d in pages, %d in all", path, len(got), len(whole.Items))
		}

		for i := range got {
			if got[i]["name"] != whole.Items[i]["name"] || got[i]["namespace"] != whole.Items[i]["namespace"] {
				t.Errorf("GET %s: %v is in place %d, want %v", path, got[i]["name"], i, whole.Items[i]["name"])
			}
		}

		if first.Continue == "" {
			t.Fatalf("GET %s: no second page", path)
		}

		filter := "&namespace=green"
		if strings.HasPrefix(path, "/v1/vms") {
			filter = "&q=web"
		}

		expect(t, f.get(t, "admin", path+"?limit=1&continue="+first.Continue+filter), path, http.StatusGone)

		for parameter, value := range map[string]string{"continue": "x*", "limit": "0"} {
			told := expect(t, f.get(t, "admin", path+"?"+parameter+"="+value), path, http.StatusBadRequest)
			if len(told.Errors) != 1 || told.Errors[0].Field != parameter || told.Errors[0].Value != value || told.Errors[0].Remedy == "" {
				t.Errorf("GET %s: %+v", path, told)
			}
		}
	}
}

// Every parameter that cannot be read is named with its value and a remedy.
func TestBadParameters(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for url, field := range map[string]string{
		"/v1/pools?sort=size": "sort", "/v1/pools?state=Fine": "state", "/v1/pools?q=a&q=b": "q", "/v1/vms?state=x": "state",
		"/v1/leases?sort=age": "sort", "/v1/leases?address=10.0.0.0/33": "address", "/v1/leases?mac=zz": "mac", "/v1/leases?state=Gone": "state",
		"/v1/leases?format=xml": "format", "/v1/leases?observed=maybe": "observed", "/v1/leases?observed=true&limit=500": "observed",
		"/v1/pools/green/net/addresses?from=10.2.0.0": "from", "/v1/pools/green/net/addresses?to=ten": "to",
		"/v1/pools/green/net/addresses?from=10.1.0.9&to=10.1.0.8": "to", "/v1/pools/green/net/addresses?detail=1.5": "detail",
		"/v1/leases?q=%zz": "query", "/v1/leases?format=csv&mac=zz": "mac",
	} {
		told := expect(t, f.get(t, "admin", url), url, http.StatusBadRequest)
		if len(told.Errors) != 1 || told.Errors[0].Field != field || told.Errors[0].Remedy == "" || told.Errors[0].Value == "" {
			t.Errorf("GET %s: %+v", url, told.Errors)
		}
	}

	f.pool("green", "wide", "10.64.0.0/16")
	told := expect(t, f.get(t, "admin", "/v1/pools/green/wide/addresses?detail=true"), "detail", http.StatusBadRequest)

	if !strings.Contains(told.Detail, "65536") {
		t.Errorf("problem is %s", told.Detail)
	}

	told = expect(t, f.get(t, "admin", "/v1/pools/green/broken/addresses"), "broken", http.StatusConflict)
	if len(told.Errors) == 0 || told.Errors[0].Field != "spec.ipv4Config.cidr" {
		t.Errorf("problem is %+v", told)
	}
}

// What is not there, and what means nothing there, is a problem, too.
func TestUnknownRoutes(t *testing.T) {
	t.Parallel()

	f := standard(nil)

	for request, status := range map[*http.Request]int{
		httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/nothing", nil):  http.StatusNotFound,
		httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v1/networks", nil): http.StatusMethodNotAllowed,
	} {
		recorder := httptest.NewRecorder()
		f.api.ServeHTTP(recorder, request)

		if recorder.Code != status || recorder.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", request.Method, request.URL, recorder.Code, recorder.Body)
		}
	}
}
