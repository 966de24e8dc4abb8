package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

func notFound(name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "network-attachment-definitions"}, name)
}

type networks []string

func (n networks) Get(namespace, name string) (*nadv1.NetworkAttachmentDefinition, error) {
	if slices.Contains(n, namespace+"/"+name) {
		return &nadv1.NetworkAttachmentDefinition{}, nil
	}

	if name == "unreachable" {
		return nil, errors.New("the API server is away")
	}

	return nil, notFound(name)
}

type index[T any] map[string][]T

func (i index[T]) GetByIndex(_, key string) ([]T, error) { return i[key], nil }

type namespaces struct{}

func (namespaces) Terminating(context.Context, string) (bool, error) { return false, nil }

func handler(tb testing.TB) http.Handler {
	tb.Helper()

	inUse := &v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "test-vm"}}

	handler, err := New(Config{
		Networks:   networks{"default/net-48", "default/net-49"},
		Pools:      index[*v1alpha1.IPPool]{},
		Requests:   index[*v1alpha1.VirtualMachineNetworkConfig]{"default/net-49": {inUse}},
		Leases:     ledger.New(),
		Namespaces: namespaces{},
		Manager:    ServiceAccountUser("harvester-system", "freehold"),
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}

	return handler
}

// reviewOf is what the API server posts. An empty object is left out.
func reviewOf(resource string, operation admissionv1.Operation, user, object, old string) string {
	request := map[string]any{
		"uid":       "705ab4f5-6393-11e8-b7cc-42010a800002",
		"resource":  metav1.GroupVersionResource{Group: "network.harvesterhci.io", Version: "v1alpha1", Resource: resource},
		"name":      "net-48",
		"namespace": "default",
		"operation": operation,
		"userInfo":  map[string]any{"username": user},
	}

	for part, text := range map[string]string{"object": object, "oldObject": old} {
		if text != "" {
			request[part] = json.RawMessage(text)
		}
	}

	raw, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		panic(err)
	}

	return string(raw)
}

// post returns the answer of the endpoint.
func post(tb testing.TB, handler http.Handler, path, body string) *admissionv1.AdmissionResponse {
	tb.Helper()

	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")

	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)

	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		tb.Fatalf("answer %q: %v", recorder.Body, err)
	}

	if answer.Response == nil {
		tb.Fatalf("no response in %s", recorder.Body)
	}

	return answer.Response
}

const (
	emptyPool = `{"apiVersion":"network.harvesterhci.io/v1alpha1","kind":"IPPool","metadata":{"name":"net-48","namespace":"default"},` +
		`"spec":{"networkName":"net-48","ipv4Config":{"cidr":"192.168.48.0/24","router":"192.168.48.1","leaseTime":300},"unknown":{"kept":12345678901}}}`
	// The example of vm-dhcp-controller, with its field that does not exist.
	oldRequest = `{"apiVersion":"network.harvesterhci.io/v1alpha1","kind":"VirtualMachineNetworkConfig","metadata":{"name":"test-vm","namespace":"default"},` +
		`"spec":{"vmName":"test-vm","networkConfig":[{"macAddress":"FA:CF:8E:50:82:FC","networkName":"net-48"}]}}`
)

func TestMutating(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		path, resource, object, want string
		warnings                     []string
	}{
		"pool": {
			PathMutatePools, "ippools", emptyPool,
			`{"apiVersion":"network.harvesterhci.io/v1alpha1","kind":"IPPool","metadata":{"name":"net-48","namespace":"default"},
			"spec":{"networkName":"default/net-48","ipv4Config":{"cidr":"192.168.48.0/24","router":"192.168.48.1","leaseTime":300,
			"serverIP":"192.168.48.2","pool":{"start":"192.168.48.1","end":"192.168.48.254"}},"unknown":{"kept":12345678901}}}`,
			[]string{"192.168.48.2 was filled in", "from 192.168.48.1 to 192.168.48.254"},
		},
		"request": {
			PathMutateRequests, "virtualmachinenetworkconfigs", oldRequest,
			`{"apiVersion":"network.harvesterhci.io/v1alpha1","kind":"VirtualMachineNetworkConfig","metadata":{"name":"test-vm","namespace":"default"},
			"spec":{"vmName":"test-vm","networkConfigs":[{"macAddress":"fa:cf:8e:50:82:fc","networkName":"default/net-48"}]}}`,
			[]string{"write networkConfigs"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := post(t, handler(t), test.path, reviewOf(test.resource, admissionv1.Create, "admin", test.object, ""))
			if !answer.Allowed || answer.UID == "" {
				t.Fatalf("answer: %+v", answer)
			}

			patch, err := jsonpatch.DecodePatch(answer.Patch)
			if err != nil {
				t.Fatalf("patch %s: %v", answer.Patch, err)
			}

			patched, err := patch.Apply([]byte(test.object))
			if err != nil {
				t.Fatalf("apply %s: %v", answer.Patch, err)
			}

			if !jsonpatch.Equal(patched, []byte(test.want)) {
				t.Errorf("got  %s\nwant %s", patched, test.want)
			}

			if len(answer.Warnings) != len(test.warnings) {
				t.Fatalf("warnings: %q", answer.Warnings)
			}

			for i, want := range test.warnings {
				if !strings.Contains(answer.Warnings[i], want) {
					t.Errorf("warning %q lacks %q", answer.Warnings[i], want)
				}
			}

			// A second pass has nothing left to do.
			again := post(t, handler(t), test.path, reviewOf(test.resource, admissionv1.Create, "admin", string(patched), ""))
			if !again.Allowed || len(again.Patch) > 0 || len(again.Warnings) > 0 {
				t.Errorf("second pass: patch %s, warnings %q", again.Patch, again.Warnings)
			}
		})
	}
}

func TestValidating(t *testing.T) {
	t.Parallel()

	inUse := strings.ReplaceAll(emptyPool, `"networkName":"net-48"`, `"networkName":"default/net-49"`)
	wrong := strings.ReplaceAll(emptyPool, `"router":"192.168.48.1"`, `"router":"192.168.48.0","serverIP":"x"`)
	request := strings.ReplaceAll(oldRequest, "net-48", "net-50")

	for name, test := range map[string]struct {
		path, body string
		code       int32
		message    string
		fields     []string
	}{
		"good pool": {PathValidatePools, reviewOf("ippools", admissionv1.Create, "admin", emptyPool, ""), 200, "", nil},
		"bad pool": {
			PathValidatePools, reviewOf("ippools", admissionv1.Create, "admin", wrong, ""), 403,
			"cannot create IPPool default/net-48 because of 2 problems:\n- spec.ipv4Config.",
			[]string{"spec.ipv4Config.serverIP", "spec.ipv4Config.router"},
		},
		"bad update": {
			PathValidatePools, reviewOf("ippools", admissionv1.Update, "admin", wrong, emptyPool), 403, "cannot update IPPool default/net-48 because of 2", nil,
		},
		"pool in use": {
			PathValidatePools, reviewOf("ippools", admissionv1.Delete, "admin", "", inUse), 403,
			"cannot delete IPPool default/net-48 because it's still used by VirtualMachineNetworkConfig(s) default/test-vm, which must be removed at first",
			[]string{""},
		},
		"pool not in use": {PathValidatePools, reviewOf("ippools", admissionv1.Delete, "admin", "", emptyPool), 200, "", nil},
		"a person's request": {
			PathValidateRequests, reviewOf("virtualmachinenetworkconfigs", admissionv1.Create, "admin", request, ""), 403,
			"cannot create VirtualMachineNetworkConfig default/net-48 because spec.networkConfigs[0].networkName: Not found", nil,
		},
		"the manager's request": {
			PathValidateRequests,
			reviewOf("virtualmachinenetworkconfigs", admissionv1.Create, "system:serviceaccount:harvester-system:freehold", request, ""), 200, "", nil,
		},
		"world out of reach": {
			PathValidatePools, reviewOf("ippools", admissionv1.Create, "admin", strings.ReplaceAll(emptyPool, `"networkName":"net-48"`, `"networkName":"unreachable"`), ""), 500,
			"cannot create IPPool default/net-48 because it could not be checked", nil,
		},
		"pools at the requests' path": {
			PathValidateRequests, reviewOf("ippools", admissionv1.Create, "admin", emptyPool, ""), 400, "the question is about ippools.network.harvesterhci.io, but only", nil,
		},
		"no object":         {PathValidatePools, reviewOf("ippools", admissionv1.Create, "admin", "", ""), 400, "request.object is empty", nil},
		"no old object":     {PathValidatePools, reviewOf("ippools", admissionv1.Update, "admin", emptyPool, ""), 400, "request.oldObject is empty", nil},
		"wrong type":        {PathValidatePools, reviewOf("ippools", admissionv1.Create, "admin", `{"spec":{"ipv4Config":7}}`, ""), 400, "request.object cannot be read", nil},
		"unknown operation": {PathValidatePools, reviewOf("ippools", admissionv1.Connect, "admin", emptyPool, ""), 400, `the operation "CONNECT" is not judged`, nil},
		"no request":        {PathValidatePools, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}`, 400, "", nil},
		"no review":         {PathValidatePools, `{"apiVersion":"v1","kind":"Pod"}`, 400, "", nil},
		"no JSON":           {PathValidatePools, `nonsense`, 400, "", nil},
		"nothing":           {PathValidatePools, ``, 400, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := post(t, handler(t), test.path, test.body)
			if answer.Allowed != (test.code == http.StatusOK) || answer.Result.Code != test.code || !strings.Contains(answer.Result.Message, test.message) {
				t.Fatalf("got allowed %t, %d %q, want %d %q", answer.Allowed, answer.Result.Code, answer.Result.Message, test.code, test.message)
			}

			if test.fields == nil {
				return
			}

			var fields []string
			for _, cause := range answer.Result.Details.Causes {
				fields = append(fields, cause.Field)
			}

			slices.Sort(fields)
			slices.Sort(test.fields)

			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGeneratedNames(t *testing.T) {
	t.Parallel()

	body := strings.NewReplacer(`"name":"net-48",`, ``).Replace(
		reviewOf("ippools", admissionv1.Create, "admin", `{"metadata":{"generateName":"pool-"},"spec":{}}`, ""))

	answer := post(t, handler(t), PathValidatePools, body)
	if want := "cannot create IPPool default/pool-* because"; !strings.HasPrefix(answer.Result.Message, want) {
		t.Errorf("got %q, want it to begin with %q", answer.Result.Message, want)
	}
}

func TestOtherPaths(t *testing.T) {
	t.Parallel()

	recorder := httptest.NewRecorder()
	handler(t).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/mutate/virtualmachines", bytes.NewReader(nil)))

	if recorder.Code != http.StatusNotFound {
		t.Errorf("got %d, want 404", recorder.Code)
	}
}

// FuzzObjects posts any object to every endpoint: each answers, none panics, and
// a patch can be applied.
func FuzzObjects(f *testing.F) {
	for _, seed := range []string{
		emptyPool, oldRequest, `{}`, `null`, `[]`, `7`, `{"spec":null}`, `{"spec":{"ipv4Config":null}}`, `{"spec":[]}`,
		`{"spec":{"networkName":"a","ipv4Config":{"cidr":"10.0.0.0/8","pool":null}}}`,
		`{"spec":{"networkName":"a","ipv4Config":{"cidr":"0.0.0.0/0"}}}`,
		`{"spec":{"ipv4Config":{"cidr":"10.0.0.0/30","pool":{"exclude":["10.0.0.1-10.0.0.2","/","-","::/0"]}}}}`,
		`{"metadata":{"deletionTimestamp":"2020-01-01T00:00:00Z"}}`, `{"metadata":{"deletionTimestamp":1}}`,
		`{"spec":{"vmName":"a","networkConfigs":[{"networkName":"/","macAddress":"-","ipAddress":null}],"networkConfig":[{}]}}`,
	} {
		f.Add(seed, emptyPool)
		f.Add(emptyPool, seed)
	}

	endpoints := handler(f)

	f.Fuzz(func(t *testing.T, object, old string) {
		for path, resource := range map[string]string{
			PathMutatePools: "ippools", PathValidatePools: "ippools",
			PathMutateRequests: "virtualmachinenetworkconfigs", PathValidateRequests: "virtualmachinenetworkconfigs",
		} {
			for _, operation := range []admissionv1.Operation{admissionv1.Create, admissionv1.Update, admissionv1.Delete} {
				if !json.Valid([]byte(object)) || !json.Valid([]byte(old)) {
					return // The API server sends JSON; a review around rubbish cannot be written.
				}

				answer := post(t, endpoints, path, reviewOf(resource, operation, "admin", object, old))
				if answer.Result != nil && answer.Result.Code == http.StatusInternalServerError {
					t.Fatalf("%s %s: %s", operation, path, answer.Result.Message)
				}

				if len(answer.Patch) == 0 {
					continue
				}

				patch, err := jsonpatch.DecodePatch(answer.Patch)
				if err != nil {
					t.Fatalf("patch %s: %v", answer.Patch, err)
				}

				if _, err := patch.Apply([]byte(object)); err != nil {
					t.Fatalf("apply %s to %s: %v", answer.Patch, object, err)
				}
			}
		}
	})
}

type cachedNetworks struct {
	networks
	asked int
}

func (c *cachedNetworks) Get(namespace, name string, _ metav1.GetOptions) (*nadv1.NetworkAttachmentDefinition, error) {
	c.asked++

	return c.networks.Get(namespace, name)
}

// TestNewNetworkIsAskedFor checks that a network that the cache has not seen is
// looked up, and only then.
func TestNewNetworkIsAskedFor(t *testing.T) {
	t.Parallel()

	client := &cachedNetworks{networks: networks{"default/new", "default/old"}}
	both := liveNetworks{cache: networks{"default/old"}, client: client}

	for name, want := range map[string]bool{"old": true, "new": true, "none": false} {
		_, err := both.Get("default", name)
		if (err == nil) != want || (err != nil && !apierrors.IsNotFound(err)) {
			t.Errorf("%s: %v", name, err)
		}
	}

	if client.asked != 2 {
		t.Errorf("the API server was asked %d times, want 2", client.asked)
	}
}

var _ kube.PoolFinder = index[*v1alpha1.IPPool]{}
