package access_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/api/access"
)

// reviews is a stand-in for the API server that can be made to fail, which the
// real one of cmd/manager's tests cannot.
type reviews struct {
	status int // when not 0, what everything is answered with
	tokens atomic.Int32
	rights atomic.Int32
}

func (s *reviews) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "application/json")

	if s.status != 0 {
		w.WriteHeader(s.status)
		answer(w, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": s.status, "message": "out of order"})

		return
	}

	switch {
	case strings.HasSuffix(request.URL.Path, "/tokenreviews"):
		s.tokens.Add(1)

		var review authenticationv1.TokenReview

		if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
			panic(err)
		}

		if review.Spec.Token == "good" {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: "jane", Groups: []string{"dev"}}}
		} else {
			review.Status = authenticationv1.TokenReviewStatus{Error: "it has ended"}
		}

		w.WriteHeader(http.StatusCreated)
		answer(w, review)
	case strings.HasSuffix(request.URL.Path, "/subjectaccessreviews"):
		s.rights.Add(1)

		var review authorizationv1.SubjectAccessReview

		if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
			panic(err)
		}

		asked := review.Spec.ResourceAttributes
		review.Status.Allowed = review.Spec.User == "jane" && asked.Namespace == "dev" && asked.Verb == "list"

		w.WriteHeader(http.StatusCreated)
		answer(w, review)
	default:
		http.NotFound(w, request)
	}
}

func answer(w http.ResponseWriter, body any) {
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}

func newAccess(t *testing.T, host string) *access.Kubernetes {
	t.Helper()

	made, err := access.New(&rest.Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}

	return made
}

func withToken(t *testing.T, token string) *http.Request {
	t.Helper()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/pools", http.NoBody)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}

	return request
}

func TestTokens(t *testing.T) {
	t.Parallel()

	stand := &reviews{}

	server := httptest.NewServer(stand)
	defer server.Close()

	asking := newAccess(t, server.URL)

	for range 3 {
		request := withToken(t, "good")

		who, known, err := asking.Authenticate(request)
		if err != nil || !known || who.GetName() != "jane" {
			t.Fatalf("a good token: %v %v %v", who, known, err)
		}

		if request.Header.Get("Authorization") == "" {
			t.Error("the caller's request was changed")
		}
	}

	if asked := stand.tokens.Load(); asked != 1 {
		t.Errorf("the same token was asked about %d times", asked)
	}

	for _, token := range []string{"", "bad"} {
		if who, known, err := asking.Authenticate(withToken(t, token)); known || err != nil {
			t.Errorf("token %q: %v %v %v, want unknown without an error", token, who, known, err)
		}
	}

	// Headers of a front proxy mean nothing from somebody who is none.
	forged := withToken(t, "")
	forged.Header.Set("X-Remote-User", "admin")
	forged.Header.Set("X-Remote-Group", "system:masters")

	if who, known, err := asking.Authenticate(forged); known || err != nil {
		t.Errorf("forged headers: %v %v %v", who, known, err)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()

	stand := &reviews{}

	server := httptest.NewServer(stand)
	defer server.Close()

	asking := newAccess(t, server.URL)
	jane := &user.DefaultInfo{Name: "jane"}

	for range 3 {
		for _, one := range []struct {
			namespace string
			want      bool
		}{{"dev", true}, {"prod", false}} {
			may, err := asking.May(t.Context(), jane, "list", access.Object{Group: access.GroupFreehold, Resource: "ippools", Namespace: one.namespace})
			if err != nil || may != one.want {
				t.Errorf("namespace %s: %v %v", one.namespace, may, err)
			}
		}
	}

	if asked := stand.rights.Load(); asked != 2 {
		t.Errorf("asked %d times about two rights", asked)
	}
}

// TestNoAnswer: when Kubernetes cannot be asked the answer is no, with an error.
func TestNoAnswer(t *testing.T) {
	t.Parallel()

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	for name, stand := range map[string]*reviews{"it may not ask": {status: http.StatusForbidden}, "broken": {status: http.StatusInternalServerError}, "gone": nil} {
		host := gone.URL

		if stand != nil {
			server := httptest.NewServer(stand)
			defer server.Close()

			host = server.URL
		}

		asking := newAccess(t, host)

		if _, known, err := asking.Authenticate(withToken(t, "good")); known || err == nil {
			t.Errorf("%s: known %v, error %v", name, known, err)
		}

		if may, err := asking.May(t.Context(), &user.DefaultInfo{Name: "jane"}, "list", access.Object{Resource: "pods"}); may || err == nil || !strings.Contains(err.Error(), "jane may list pods") {
			t.Errorf("%s: may %v, error %v", name, may, err)
		}
	}
}

func TestObjectInWords(t *testing.T) {
	t.Parallel()

	for want, object := range map[string]access.Object{
		"pods":                       {Resource: "pods"},
		"ippools.g in namespace dev": {Group: "g", Resource: "ippools", Namespace: "dev"},
		"ippools/status.g dev/blue":  {Group: "g", Resource: "ippools", Subresource: "status", Namespace: "dev", Name: "blue"},
		"nodes node-1":               {Resource: "nodes", Name: "node-1"},
	} {
		if got := object.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
