package ippool

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

func someConfig() AgentConfig {
	return AgentConfig{Namespace: "system", Image: "new", ServiceAccount: "agent", ImagePullSecrets: []string{"registry"}}
}

// TestDeployment pins what an agent may do, where it runs and how it is watched.
func TestDeployment(t *testing.T) {
	t.Parallel()

	made, err := deployment(somePool(), someNetwork(), someConfig(), "image:1", 2)
	if err != nil {
		t.Fatal(err)
	}

	pod := made.Spec.Template.Spec
	agent := pod.Containers[0]
	rights := agent.SecurityContext

	if diff := cmp.Diff(&corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_RAW"}}, rights.Capabilities); diff != "" {
		t.Errorf("capabilities:\n%s", diff)
	}

	if *rights.AllowPrivilegeEscalation || !*rights.ReadOnlyRootFilesystem || rights.Privileged != nil || pod.HostNetwork || pod.HostPID ||
		len(pod.InitContainers) > 0 || len(pod.Containers) != 1 || rights.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the agent may do more than open a packet socket: %+v", pod)
	}

	term := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0]
	if term.Key != "network.harvesterhci.io/provider" || term.Operator != corev1.NodeSelectorOpIn || !cmp.Equal(term.Values, []string{"true"}) {
		t.Errorf("affinity is %+v", term)
	}

	spread := pod.TopologySpreadConstraints[0]
	if spread.TopologyKey != "kubernetes.io/hostname" || spread.WhenUnsatisfiable != corev1.DoNotSchedule || spread.MaxSkew != 1 ||
		!cmp.Equal(spread.MatchLabelKeys, []string{"pod-template-hash"}) || !cmp.Equal(spread.LabelSelector.MatchLabels, kube.AgentLabels(somePool())) {
		t.Errorf("spread is %+v", spread)
	}

	if agent.ReadinessProbe.HTTPGet.Path != "/readyz" || agent.LivenessProbe.HTTPGet.Path != "/healthz" ||
		agent.ReadinessProbe.HTTPGet.Port.StrVal != agent.Ports[0].Name {
		t.Errorf("probes are %+v and %+v", agent.ReadinessProbe, agent.LivenessProbe)
	}

	var selected []nadv1.NetworkSelectionElement
	if err := json.Unmarshal([]byte(made.Spec.Template.Annotations["k8s.v1.cni.cncf.io/networks"]), &selected); err != nil {
		t.Fatal(err)
	}

	if len(selected) != 1 || selected[0].Namespace != "vms" || selected[0].Name != "net" || selected[0].InterfaceRequest != "eth1" {
		t.Errorf("Multus is asked for %+v", selected)
	}

	rolling := made.Spec.Strategy.RollingUpdate
	if rolling.MaxSurge.IntVal != 1 || rolling.MaxUnavailable.IntVal != 0 || *made.Spec.Replicas != 2 {
		t.Errorf("an upgrade would stop an agent before the next one is ready: %+v", rolling)
	}

	for _, want := range []string{"--ippool-ref=vms/net", "--nic=eth1", "--lease-name=" + made.Name, "--log-level=info", "--http-port=8080"} {
		if !strings.Contains(strings.Join(agent.Args, " ")+" ", want+" ") {
			t.Errorf("%s is missing in %v", want, agent.Args)
		}
	}

	if pod.ServiceAccountName != "agent" || pod.ImagePullSecrets[0].Name != "registry" || agent.Image != "image:1" || made.Namespace != "system" {
		t.Errorf("pod is %+v", pod)
	}

	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if !leavesSoon(pod.Tolerations, key) {
			t.Errorf("an agent would stay on a dead node, %s, for five minutes", key)
		}
	}
}

func leavesSoon(tolerations []corev1.Toleration, key string) bool {
	for _, one := range tolerations {
		if one.Key == key && one.TolerationSeconds != nil && *one.TolerationSeconds <= 60 {
			return true
		}
	}

	return false
}

func TestDeploymentOfANetworkOnEveryNode(t *testing.T) {
	t.Parallel()

	network := someNetwork()
	network.Labels = nil

	made, err := deployment(somePool(), network, someConfig(), "image:1", 2)
	if err != nil || made.Spec.Template.Spec.Affinity != nil {
		t.Errorf("affinity is %+v, %v", made.Spec.Template.Spec.Affinity, err)
	}
}

// TestTemplateHash: it changes with everything that the manager decides, and
// with nothing else.
func TestTemplateHash(t *testing.T) {
	t.Parallel()

	hash := func(config AgentConfig, image string, replicas int32) string {
		made, err := deployment(somePool(), someNetwork(), config, image, replicas)
		if err != nil {
			t.Fatal(err)
		}

		return made.Annotations[annotationTemplate]
	}
	verbose := someConfig()
	verbose.Template.LogLevel = "debug"

	seen := map[string]bool{}
	for _, one := range []string{
		hash(someConfig(), "a", 2), hash(someConfig(), "b", 2), hash(someConfig(), "a", 1), hash(verbose, "a", 2),
	} {
		if seen[one] {
			t.Errorf("two templates have the hash %s", one)
		}

		seen[one] = true
	}

	if first, again := hash(someConfig(), "a", 2), hash(someConfig(), "a", 2); first != again {
		t.Errorf("one template has two hashes, %s and %s", first, again)
	}
}

// TestAgentNames: valid, short enough for what Kubernetes adds, and never one
// for two pools (A6).
func TestAgentNames(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("n", 63)
	seen := map[string]string{}

	for _, key := range [][2]string{
		{"a-b", "c"},
		{"a", "b-c"},
		{"a", "b"},
		{"a", "b.c"},
		{long, strings.Repeat("p", 236) + "x"},
		{long, strings.Repeat("p", 236) + "y"},
		{long, "x"},
		{long, "y"},
		{long[:28], "a-" + strings.Repeat("b", 60)},
	} {
		pool := &v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: key[0], Name: key[1]}}
		name := agentName(pool)

		if other, twice := seen[name]; twice {
			t.Errorf("%s is the name for %v and for %s", name, key, other)
		}

		seen[name] = key[0] + "/" + key[1]

		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 || len(name) > 53 {
			t.Errorf("%s (%d): %v", name, len(name), problems)
		}

		for label, value := range kube.AgentLabels(pool) {
			if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
				t.Errorf("label %s=%s: %v", label, value, problems)
			}
		}
	}
}
