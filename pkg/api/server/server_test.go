package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/freehold-net/freehold/pkg/api/server"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// echo answers with the path that it is asked for.
func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" "+r.URL.Path) })
}

func ask(handler http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}

	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)

	return answer
}

// TestPaths: every path of the aggregated API is one of the API, and no other is.
func TestPaths(t *testing.T) {
	t.Parallel()

	handler := server.New(echo("page"))
	handler.Fill(echo("api"))

	const aggregated = "/apis/api.freehold.net/v1"

	for path, want := range map[string]string{
		"/":                                    "page /",
		"/assets/a.js":                         "page /assets/a.js",
		"/v1/pools":                            "api /v1/pools",
		"/v1/pools/a/b/leases":                 "api /v1/pools/a/b/leases",
		aggregated + "/pools":                  "api /v1/pools",
		aggregated + "/pools/a/b/leases":       "api /v1/pools/a/b/leases",
		aggregated + "/openapi.json":           "api /v1/openapi.json",
		aggregated + "/ui/":                    "page /",
		aggregated + "/ui/assets/a.js":         "page /assets/a.js",
		"/healthz":                             "ok\n",
		"/apis/api.freehold.net/v2/pools":      "",
		"/apis/network.harvesterhci.io/v1/x":   "",
		"/apis/api.freehold.net/v1beta1/pools": "",
		"/openapi/v2":                          "",
	} {
		answer := ask(handler, http.MethodGet, path)

		if want == "" && answer.Code != http.StatusNotFound || want != "" && answer.Body.String() != want {
			t.Errorf("%s: %d %s, want %q", path, answer.Code, answer.Body, want)
		}
	}
}

// TestBeforeTheCachesAreFilled: nobody is told of a world with nothing in it.
func TestBeforeTheCachesAreFilled(t *testing.T) {
	t.Parallel()

	handler := server.New(echo("page"))

	for _, path := range []string{"/v1/leases", "/apis/api.freehold.net/v1/leases"} {
		answer := ask(handler, http.MethodGet, path)

		var problem v1.Problem
		if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || answer.Code != http.StatusServiceUnavailable ||
			answer.Header().Get("Content-Type") != "application/problem+json" || answer.Header().Get("Retry-After") == "" || !strings.Contains(problem.Detail, "try again") {
			t.Errorf("%s: %d %s %v", path, answer.Code, answer.Body, answer.Header())
		}
	}

	if answer := ask(handler, http.MethodGet, "/"); answer.Code != http.StatusOK {
		t.Errorf("the page: %d", answer.Code)
	}
}

// TestOtherSites: what a browser sends for another page does not get through, with
// whatever cookie a proxy in front of us takes for a log-in.
func TestOtherSites(t *testing.T) {
	t.Parallel()

	handler := server.New(echo("page"))
	handler.Fill(echo("api"))

	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodGet} {
		for site, want := range map[string]bool{"cross-site": false, "same-site": false, "same-origin": true, "none": true, "": true} {
			header := []string{}
			if site != "" {
				header = []string{"Sec-Fetch-Site", site}
			}

			answer := ask(handler, method, "/v1/pools/a/b/pause", header...)
			if ok := answer.Code == http.StatusOK; ok != (want || method == http.MethodGet) {
				t.Errorf("%s from %q: %d", method, site, answer.Code)
			}
		}
	}
}

// TestNobodyActsForOthers: who asks to be taken for somebody else is told that it
// is not done here, and not answered as themselves.
func TestNobodyActsForOthers(t *testing.T) {
	t.Parallel()

	handler := server.New(echo("page"))
	handler.Fill(echo("api"))

	for _, name := range []string{"Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-Scopes"} {
		if answer := ask(handler, http.MethodGet, "/v1/pools", name, "x"); answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), name) {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
}
