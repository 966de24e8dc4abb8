package certificate

import (
	"encoding/base64"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
)

const apiService = "v1.api.example.org"

// services are APIServices, of which one leads to that Service.
func services(name, namespace string) (APIServices, *fake.FakeDynamicClient) {
	resource := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{resource: "APIServiceList"},
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
			"metadata": map[string]any{"name": apiService},
			"spec":     map[string]any{"group": "api.example.org", "service": map[string]any{"name": name, "namespace": namespace}},
		}})

	return client.Resource(resource), client
}

func TestAPIService(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		name, service, namespace, of string
		want                         bool
	}{
		{"ours", "freehold", "system", apiService, true},
		{"of another installation", "freehold", "other", apiService, false},
		{"of another service", "other", "system", apiService, false},
		{"not there", "freehold", "system", "v2.api.example.org", false},
		{"none wanted", "freehold", "system", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			client, all := services(tc.service, tc.namespace)
			store := &secretStore{}
			k := keeper(store, configurations(), time.Now)
			k.APIService, k.APIServices = tc.of, client

			ensure(t, k)

			found, err := client.Get(t.Context(), apiService, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}

			bundle, _, _ := unstructured.NestedString(found.Object, "spec", "caBundle")
			want := base64.StdEncoding.EncodeToString(store.secrets[k.AuthoritySecret()].Data["tls.crt"])

			if tc.want && bundle != want || !tc.want && bundle != "" {
				t.Errorf("caBundle is %.40q", bundle)
			}

			all.ClearActions()
			ensure(t, k)

			for _, action := range all.Actions() {
				if action.GetVerb() != "get" {
					t.Errorf("an unchanged world was written: %s", action.GetVerb())
				}
			}
		})
	}
}
