// Package chart_test renders the extension's chart with the real Helm and checks
// what Rancher needs of it.
package chart_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

type chartFile struct {
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	AppVersion  string            `json:"appVersion"`
	Annotations map[string]string `json:"annotations"`
}

type packageFile struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Rancher struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"rancher"`
}

func read(t *testing.T, path string, into any) {
	t.Helper()

	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// helm runs $HELM, or the one in PATH, in the chart's directory. Without one the
// test is skipped, or fails where FREEHOLD_REQUIRE_TOOLS is 1.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()

	name := os.Getenv("HELM")
	if name == "" {
		name = "helm"
	}

	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("FREEHOLD_REQUIRE_TOOLS") == "1" {
			t.Fatalf("helm: %v; set HELM to its path", err)
		}

		t.Skipf("helm: %v; set HELM to its path, or use `make test`, which builds it", err)
	}

	var out, complaints bytes.Buffer

	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()

	return out.String(), complaints.String(), err
}

// render returns what one template of the chart gives.
func render(t *testing.T, template string, into any, args ...string) {
	t.Helper()

	out, complaints, err := helm(t, append([]string{
		"template", "vm-dhcp-ui", ".",
		"--namespace", "cattle-ui-plugin-system", "--show-only", "templates/" + template,
	}, args...)...)
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, complaints)
	}

	if err := yaml.UnmarshalStrict([]byte(out), into); err != nil {
		t.Fatalf("%s: %v\n%s", template, err, out)
	}
}

func TestLint(t *testing.T) {
	if out, complaints, err := helm(t, "lint", "--strict", "--namespace", "cattle-ui-plugin-system", "."); err != nil {
		t.Errorf("%v\n%s%s", err, out, complaints)
	}
}

// Rancher takes the files only when they are of the version that it was told.
func TestTheChartTheExtensionAndFreeholdAreOfOneVersion(t *testing.T) {
	var (
		own, freehold chartFile
		extension     packageFile
	)

	read(t, "Chart.yaml", &own)
	read(t, "../../chart/Chart.yaml", &freehold)
	read(t, "../src/plugin/package.json", &extension)

	if diff := cmp.Diff([]string{extension.Name, extension.Version}, []string{own.Name, own.Version}); diff != "" {
		t.Errorf("extension and chart (-extension +chart):\n%s", diff)
	}

	if own.Version != freehold.Version || own.AppVersion != freehold.AppVersion {
		t.Errorf("chart %s of %s, Freehold %s of %s", own.Version, own.AppVersion, freehold.Version, freehold.AppVersion)
	}

	for name, value := range extension.Rancher.Annotations {
		if own.Annotations[name] != value {
			t.Errorf("%s is %q in Chart.yaml and %q in the extension", name, own.Annotations[name], value)
		}
	}
}

func TestWhatRancherIsTold(t *testing.T) {
	var (
		extension packageFile
		plugin    struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       struct {
				Plugin map[string]any `json:"plugin"`
			} `json:"spec"`
		}
	)

	read(t, "../src/plugin/package.json", &extension)
	render(t, "uiplugin.yaml", &plugin)

	metadata := map[string]any{}
	for name, value := range extension.Rancher.Annotations {
		metadata[name] = value
	}

	want := map[string]any{
		"name": extension.Name, "version": extension.Version, "noCache": false, "noAuth": false,
		"endpoint": "http://vm-dhcp-ui.cattle-ui-plugin-system.svc:8080", "metadata": metadata,
	}
	if diff := cmp.Diff(want, plugin.Spec.Plugin); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestElsewhereItIsRefused(t *testing.T) {
	_, complaints, err := helm(t, "template", "x", ".", "--namespace", "default")
	if err == nil || !strings.Contains(complaints, "namespace default: Rancher looks for extensions in cattle-ui-plugin-system only") {
		t.Errorf("got %v\n%s", err, complaints)
	}
}

func TestThePodMayDoNothing(t *testing.T) {
	var deployment appsv1.Deployment

	render(t, "deployment.yaml", &deployment, "--set", "global.cattle.systemDefaultRegistry=registry.example", "--set", "image.tag=1.2.3")

	pod := deployment.Spec.Template.Spec
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("it has a token")
	}

	container := pod.Containers[0]
	if container.Image != "registry.example/freehold:1.2.3" || container.Command[0] != "/extension" {
		t.Errorf("it runs %q of %q", container.Command, container.Image)
	}

	security, err := json.Marshal(container.SecurityContext)
	if err != nil {
		t.Fatal(err)
	}

	const want = `{"capabilities":{"drop":["ALL"]},"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false}`
	if string(security) != want || !*pod.SecurityContext.RunAsNonRoot {
		t.Errorf("its security context is %s", security)
	}
}
