package chart_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// readYAML reads a file into T and refuses fields that T does not have.
func readYAML[T any](t *testing.T, path string) T {
	t.Helper()

	var value T

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if err := yaml.Unmarshal(data, &value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}

	return value
}

type chartFile struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	AppVersion string `json:"appVersion"`
}

type addonFile struct {
	Metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Enabled       *bool  `json:"enabled"`
		Repo          string `json:"repo"`
		Chart         string `json:"chart"`
		Version       string `json:"version"`
		ValuesContent string `json:"valuesContent"`
	} `json:"spec"`
}

func TestLint(t *testing.T) {
	t.Parallel()

	out, complaints, err := helm(t, "lint", "--strict", "--kube-version", kubeVersion, ".")
	if err != nil {
		t.Fatalf("helm lint: %v\n%s%s", err, out, complaints)
	}
}

// The chart, its default image and the add-on are released together under one
// number.
func TestOneVersion(t *testing.T) {
	t.Parallel()

	chart := readYAML[chartFile](t, "Chart.yaml")
	addon := readYAML[addonFile](t, "../addon/freehold.yaml")

	if chart.AppVersion != chart.Version {
		t.Errorf("Chart.yaml: appVersion %q, want version %q", chart.AppVersion, chart.Version)
	}

	if addon.Spec.Version != chart.Version || addon.Spec.Chart != chart.Name {
		t.Errorf("add-on installs %s %s, want %s %s", addon.Spec.Chart, addon.Spec.Version, chart.Name, chart.Version)
	}

	if addon.Spec.Enabled == nil || *addon.Spec.Enabled {
		t.Error("add-on: spec.enabled must be false; the cluster's administrator enables it")
	}

	for name, values := range map[string]string{"defaults": "", "add-on": addon.Spec.ValuesContent} {
		manager := find[appsv1.Deployment](t, render(t, "freehold", values), "Deployment", "freehold")

		want := chart.Name + ":" + chart.Version
		if got := container(t, manager).Image; got != want {
			t.Errorf("%s: image %q, want %q", name, got, want)
		}
	}
}

func container(t *testing.T, manager appsv1.Deployment) corev1.Container {
	t.Helper()

	if n := len(manager.Spec.Template.Spec.Containers); n != 1 {
		t.Fatalf("%d containers, want one", n)
	}

	return manager.Spec.Template.Spec.Containers[0]
}

func TestManagerDefaults(t *testing.T) {
	t.Parallel()

	objects := render(t, "freehold", "")
	manager := find[appsv1.Deployment](t, objects, "Deployment", "freehold")
	program := container(t, manager)

	if diff := cmp.Diff([]string{"/manager"}, program.Command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}

	wantArgs := []string{
		"--namespace=$(POD_NAMESPACE)",
		"--name=freehold",
		"--agent-image=freehold:0.1.0",
		"--agent-image-pull-policy=IfNotPresent",
		"--agent-service-account=freehold-agent",
		`--agent-pod-template={"logLevel":"info","priorityClassName":"system-cluster-critical",` +
			`"resources":{"limits":{"memory":"256Mi"},"requests":{"cpu":"10m","memory":"32Mi"}},"tolerations":[]}`,
		"--managed-dhcp=enabled",
		"--log-level=info",
		"--http-port=8080",
		"--webhook-port=8443",
		"--api-port=9443",
		"--api-service=v1.api.freehold.net",
	}
	if diff := cmp.Diff(wantArgs, program.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}

	if got := *manager.Spec.Replicas; got != 2 {
		t.Errorf("%d replicas, want 2", got)
	}

	budget := find[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget", "freehold")
	if diff := cmp.Diff(manager.Spec.Selector, budget.Spec.Selector); diff != "" {
		t.Errorf("the disruption budget selects others than the managers (-want +got):\n%s", diff)
	}
}

// The manager needs no right on its node.
func TestManagerIsConfined(t *testing.T) {
	t.Parallel()

	manager := find[appsv1.Deployment](t, render(t, "freehold", ""), "Deployment", "freehold")
	pod, program := manager.Spec.Template.Spec.SecurityContext, container(t, manager).SecurityContext

	switch {
	case pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || *pod.RunAsUser != 65532:
		t.Errorf("runs as root: %+v", pod)
	case pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Errorf("seccomp profile %+v, want RuntimeDefault", pod.SeccompProfile)
	case *program.AllowPrivilegeEscalation || !*program.ReadOnlyRootFilesystem:
		t.Errorf("escalation or a writable root: %+v", program)
	case !slices.Equal(program.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(program.Capabilities.Add) > 0:
		t.Errorf("capabilities %+v, want none", program.Capabilities)
	}

	if spec := manager.Spec.Template.Spec; spec.HostNetwork || spec.HostPID || len(spec.Volumes) > 0 {
		t.Errorf("shares parts of the node: %+v", spec)
	}
}

func TestServiceReachesManager(t *testing.T) {
	t.Parallel()

	objects := render(t, "freehold", "")
	manager := find[appsv1.Deployment](t, objects, "Deployment", "freehold")
	service := find[corev1.Service](t, objects, "Service", "freehold")

	if diff := cmp.Diff(manager.Spec.Selector.MatchLabels, service.Spec.Selector); diff != "" {
		t.Errorf("selector (-Deployment +Service):\n%s", diff)
	}

	targets := map[string]int32{}
	for _, port := range container(t, manager).Ports {
		targets[port.Name] = port.ContainerPort
	}

	got := map[int32]int32{}
	for _, port := range service.Spec.Ports {
		got[port.Port] = targets[port.TargetPort.StrVal]
	}

	if diff := cmp.Diff(map[int32]int32{443: 8443, 9443: 9443, 8080: 8080}, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestVariations(t *testing.T) {
	t.Parallel()

	objects := render(t, "prod", `
image: {repository: registry.example:5000/net/freehold, tag: v9, pullPolicy: Never}
imagePullSecrets: [{name: one}, {name: two}]
replicas: 1
managedDHCP: disabled
serviceCIDRs: [10.53.0.0/16, "fd00::/108"]
agent:
  tolerations: [{key: "it's <odd>", operator: Exists}]
nodeSelector: {kubernetes.io/os: linux}
metrics: {serviceMonitor: {enabled: true, labels: {release: monitoring}}}
rbac: {aggregate: false}
`)
	manager := find[appsv1.Deployment](t, objects, "Deployment", "prod-freehold")
	args := container(t, manager).Args

	for _, want := range []string{
		"--name=prod-freehold", "--agent-image=registry.example:5000/net/freehold:v9", "--agent-image-pull-policy=Never",
		"--agent-image-pull-secrets=one,two", "--agent-service-account=prod-freehold-agent", "--managed-dhcp=disabled",
		"--service-cidr=10.53.0.0/16", "--service-cidr=fd00::/108",
	} {
		if !slices.Contains(args, want) {
			t.Errorf("argument %s is missing of %q", want, args)
		}
	}

	if got := agentTemplate(t, args).Tolerations[0].Key; got != "it's <odd>" {
		t.Errorf("agents' toleration arrives as %q", got)
	}

	for i := range objects {
		kind, name := objects[i].GetKind(), objects[i].GetName()

		switch {
		case kind == "APIService" && name == "v1.api.freehold.net": // named after its group
		case !strings.HasPrefix(name, "prod-freehold"):
			t.Errorf("%s %s does not carry the release's name", kind, name)
		case kind == "PodDisruptionBudget":
			t.Errorf("%s %s keeps the node of a single manager from being drained", kind, name)
		case strings.HasSuffix(name, "-view"), strings.HasSuffix(name, "-operate"), strings.HasSuffix(name, "-admin"):
			t.Errorf("%s %s although rbac.aggregate is false", kind, name)
		}
	}

	if !slices.ContainsFunc(objects, func(o unstructuredObject) bool { return o.GetKind() == "ServiceMonitor" }) {
		t.Error("no ServiceMonitor although metrics.serviceMonitor.enabled is true")
	}
}

type podTemplate struct {
	LogLevel          string                      `json:"logLevel"`
	PriorityClassName string                      `json:"priorityClassName"`
	Resources         corev1.ResourceRequirements `json:"resources"`
	Tolerations       []corev1.Toleration         `json:"tolerations"`
}

// agentTemplate reads what the manager is told of the agents' pods.
func agentTemplate(t *testing.T, args []string) podTemplate {
	t.Helper()

	var template podTemplate

	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--agent-pod-template="); ok {
			if err := json.Unmarshal([]byte(value), &template); err != nil {
				t.Fatalf("--agent-pod-template: %v\n%s", err, value)
			}

			return template
		}
	}

	t.Fatalf("no --agent-pod-template in %q", args)

	return template
}

func TestRancherRegistry(t *testing.T) {
	t.Parallel()

	objects := render(t, "freehold", "global: {cattle: {systemDefaultRegistry: mirror.example, clusterId: local}}")

	got := container(t, find[appsv1.Deployment](t, objects, "Deployment", "freehold")).Image
	if want := "mirror.example/freehold:0.1.0"; got != want {
		t.Errorf("image %q, want %q", got, want)
	}
}
