// Package chart_test renders the chart with the real Helm and checks what comes
// out: names, rights, webhooks, which values are refused, and what an upgrade
// keeps.
package chart_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	testNamespace = "freehold-system"
	// kubeVersion is given to Helm because it is not asked of a cluster.
	kubeVersion = "1.36.0"
)

// helmPath returns the Helm to use: $HELM, else the one in PATH. Without one the
// test is skipped, or fails where FREEHOLD_REQUIRE_TOOLS is 1.
func helmPath(t *testing.T) string {
	t.Helper()

	name := os.Getenv("HELM")
	if name == "" {
		name = "helm"
	}

	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}

	if os.Getenv("FREEHOLD_REQUIRE_TOOLS") == "1" {
		t.Fatalf("helm: %v; set HELM to its path", err)
	}

	t.Skipf("helm: %v; set HELM to its path, or use `make test`, which builds it", err)

	return ""
}

// helm runs Helm in the chart's directory and returns what it printed.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()

	var out, complaints bytes.Buffer

	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), helmPath(t), args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "XDG_CONFIG_HOME="+home,
		"XDG_DATA_HOME="+home, "HELM_NAMESPACE=", "KUBECONFIG="+filepath.Join(home, "none"))
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()

	return out.String(), complaints.String(), err
}

// valuesFile writes values to a file and returns its path.
func valuesFile(t *testing.T, values string) string {
	t.Helper()

	path := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}

	return path
}

// render returns the objects that the chart makes with the values, which are
// YAML.
func render(t *testing.T, release, values string) []unstructured.Unstructured {
	t.Helper()

	out, complaints, err := helm(t, "template", release, ".", "--namespace", testNamespace,
		"--kube-version", kubeVersion, "--values", valuesFile(t, values))
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, complaints)
	}

	var objects []unstructured.Unstructured

	decoder := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(out)))

	for {
		document, err := decoder.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}

		if err != nil {
			t.Fatal(err)
		}

		object := map[string]any{}
		if err := yaml.UnmarshalStrict(document, &object); err != nil {
			t.Fatalf("not YAML: %v\n%s", err, document)
		}

		if len(object) > 0 {
			objects = append(objects, unstructured.Unstructured{Object: object})
		}
	}
}

// find returns the only object of that kind and name, as T.
func find[T any](t *testing.T, objects []unstructured.Unstructured, kind, name string) T {
	t.Helper()

	var found []T

	for i := range objects {
		if objects[i].GetKind() == kind && objects[i].GetName() == name {
			found = append(found, convert[T](t, objects[i]))
		}
	}

	if len(found) != 1 {
		t.Fatalf("%d objects %s %s, want one", len(found), kind, name)
	}

	return found[0]
}

// convert reads an object as T; a field that T does not have fails the test.
func convert[T any](t *testing.T, object unstructured.Unstructured) T {
	t.Helper()

	data, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}

	var typed T

	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(&typed); err != nil {
		t.Fatalf("%s %s is not a valid %T: %v", object.GetKind(), object.GetName(), typed, err)
	}

	return typed
}
