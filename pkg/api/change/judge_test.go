package change_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/change"
	"github.com/freehold-net/freehold/pkg/api/store"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

func web() *v1alpha1.VirtualMachineNetworkConfig {
	return &v1alpha1.VirtualMachineNetworkConfig{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "VirtualMachineNetworkConfig"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "web", UID: "1", ResourceVersion: "1"},
		Spec:       v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "web"},
	}
}

// recorder is a stand-in for an API server with one request in it. It notes what it
// is asked: what a webhook would never be asked about cannot be shown by a real one.
type recorder struct {
	mu    sync.Mutex
	asked []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.asked = append(r.asked, request.Method)

	w.Header().Set("Content-Type", "application/json")

	if err := json.NewEncoder(w).Encode(web()); err != nil {
		panic(err)
	}
}

// may is who calls and what they may do, a stand-in for Kubernetes.
type may bool

func (may) Authenticate(*http.Request) (user.Info, bool, error) {
	return &user.DefaultInfo{Name: "jane"}, true, nil
}

func (m may) May(context.Context, user.Info, string, access.Object) (bool, error) {
	return bool(m), nil
}

type noPools struct{}

func (noPools) Get(string, string) (*v1alpha1.IPPool, error) {
	return nil, errors.New("there are none")
}

type oneRequest struct{}

func (oneRequest) GetByIndex(string, string) ([]*v1alpha1.VirtualMachineNetworkConfig, error) {
	return []*v1alpha1.VirtualMachineNetworkConfig{web()}, nil
}

// TestNothingIsWrittenThatIsNotAllowed: neither without the right nor against the
// rules of the webhook, which does not judge what the manager writes.
func TestNothingIsWrittenThatIsNotAllowed(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		name   string
		may    may
		judge  change.Judge
		status int
		says   string
		asked  string
	}{
		{"without the right", false, nil, http.StatusForbidden, "jane", ""},
		{"against the rules", true, func(_ context.Context, who string, old, edited *v1alpha1.VirtualMachineNetworkConfig) (field.ErrorList, error) {
			if who != "jane" || old.Spec.Paused != nil || edited.Spec.Paused == nil {
				t.Errorf("judged was %s's edit of %v to %v", who, old.Spec, edited.Spec)
			}

			return field.ErrorList{field.Invalid(field.NewPath("spec", "paused"), true, "is not for you; ask somebody else")}, nil
		}, http.StatusUnprocessableEntity, "ask somebody else", "GET"},
		{"while the rules cannot be asked", true, func(context.Context, string, *v1alpha1.VirtualMachineNetworkConfig, *v1alpha1.VirtualMachineNetworkConfig) (field.ErrorList, error) {
			return nil, errors.New("no cache")
		}, http.StatusInternalServerError, "", "GET"},
		{"with the right and by the rules", true, func(context.Context, string, *v1alpha1.VirtualMachineNetworkConfig, *v1alpha1.VirtualMachineNetworkConfig) (field.ErrorList, error) {
			return nil, nil
		}, http.StatusOK, "", "GET PUT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			written := &recorder{}

			server := httptest.NewServer(written)
			defer server.Close()

			index := store.New(store.Config{Clock: time.Now})
			index.Load(web())

			changes, err := change.New(change.Config{
				Client: &rest.Config{Host: server.URL}, Ledger: ledger.New(), Store: index, Pools: noPools{}, Requests: oneRequest{}, Judge: tc.judge,
			})
			if err != nil {
				t.Fatal(err)
			}

			routes := api.New(api.Config{Store: index, Authenticator: tc.may, Reviewer: tc.may, Clock: time.Now})
			changes.Register(routes)

			answer := httptest.NewRecorder()
			routes.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/v1/vms/dev/web/pause", http.NoBody))

			if answer.Code != tc.status || !strings.Contains(answer.Body.String(), tc.says) {
				t.Errorf("%d %s, want %d", answer.Code, answer.Body, tc.status)
			}

			if asked := strings.Join(written.asked, " "); asked != tc.asked {
				t.Errorf("the API server was asked %q, want %q", asked, tc.asked)
			}
		})
	}
}
