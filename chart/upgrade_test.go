package chart_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startAPIServer starts a real kube-apiserver and etcd, those of
// $KUBEBUILDER_ASSETS, and returns a client and the path of a kubeconfig.
func startAPIServer(t *testing.T) (*kubernetes.Clientset, string) {
	t.Helper()

	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if os.Getenv("FREEHOLD_REQUIRE_TOOLS") == "1" {
			t.Fatal("KUBEBUILDER_ASSETS is not set; it is the directory of kube-apiserver and etcd")
		}

		t.Skip("KUBEBUILDER_ASSETS is not set; `make test` builds kube-apiserver and etcd")
	}

	environment := &envtest.Environment{}

	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver and etcd: %v", err)
	}

	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop kube-apiserver and etcd: %v", err)
		}
	})

	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}

	return client, path
}

// apiServices is a client for APIServices.
func apiServices(t *testing.T, kubeconfig string) dynamic.ResourceInterface {
	t.Helper()

	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}

	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}

	return client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
}

// The API server takes everything that the chart makes, and an upgrade keeps the
// certificate authority that the manager wrote into the webhooks: without it our
// kinds could not be written until the manager puts it back.
func TestUpgradeKeepsCertificateAuthority(t *testing.T) {
	t.Parallel()
	helmPath(t)

	client, kubeconfig := startAPIServer(t)
	mutating := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	validating := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	install := func(more ...string) {
		t.Helper()

		args := append([]string{
			"upgrade", "--install", "freehold", ".", "--kubeconfig", kubeconfig,
			"--namespace", testNamespace, "--create-namespace",
		}, more...)
		if out, complaints, err := helm(t, args...); err != nil {
			t.Fatalf("helm %v: %v\n%s%s", args, err, out, complaints)
		}
	}

	install()

	services := apiServices(t, kubeconfig)

	const authority = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"

	m, err := mutating.Get(t.Context(), "freehold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	v, err := validating.Get(t.Context(), "freehold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	for _, client := range clientConfigs(m, v) {
		client.CABundle = []byte(authority)
	}

	if _, err = mutating.Update(t.Context(), m, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	if _, err = validating.Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	s, err := services.Get(t.Context(), "v1.api.freehold.net", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	bundle := base64.StdEncoding.EncodeToString([]byte(authority))
	if err := unstructured.SetNestedField(s.Object, bundle, "spec", "caBundle"); err != nil {
		t.Fatal(err)
	}

	if _, err := services.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	// From the second on, the release before has the bundle in its own record.
	// With --force Helm replaces what is there and merges nothing.
	for _, more := range [][]string{{"--set", "logLevel=debug"}, {"--set", "replicas=3"}, {"--force"}} {
		install(more...)

		if m, err = mutating.Get(t.Context(), "freehold", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}

		if v, err = validating.Get(t.Context(), "freehold", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}

		for _, client := range clientConfigs(m, v) {
			if string(client.CABundle) != authority {
				t.Errorf("upgrade %v: %s has the bundle %q", more, *client.Service.Path, client.CABundle)
			}
		}

		if s, err = services.Get(t.Context(), "v1.api.freehold.net", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}

		if kept, _, _ := unstructured.NestedString(s.Object, "spec", "caBundle"); kept != bundle {
			t.Errorf("upgrade %v: the APIService has the bundle %q", more, kept)
		}
	}
}

// clientConfigs are those of every webhook, to read and to change.
func clientConfigs(m *admissionv1.MutatingWebhookConfiguration, v *admissionv1.ValidatingWebhookConfiguration) []*admissionv1.WebhookClientConfig {
	var configs []*admissionv1.WebhookClientConfig

	for i := range m.Webhooks {
		configs = append(configs, &m.Webhooks[i].ClientConfig)
	}

	for i := range v.Webhooks {
		configs = append(configs, &v.Webhooks[i].ClientConfig)
	}

	return configs
}
