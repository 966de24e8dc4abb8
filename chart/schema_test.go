package chart_test

import (
	"strings"
	"testing"
)

// Every bad value is refused before anything is installed, and the message
// names the value's place.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	helmPath(t) // without Helm one test is skipped, not each of its rows

	tests := map[string]struct{ values, want string }{
		"unknown value":         {"replica: 3", "additional properties 'replica' not allowed"},
		"unknown nested value":  {"image: {tagg: v1}", "at '/image': additional properties 'tagg' not allowed"},
		"no replicas":           {"replicas: 0", "at '/replicas': minimum: got 0, want 1"},
		"replicas as text":      {`replicas: "2"`, "at '/replicas': got string, want integer"},
		"pull policy":           {"image: {pullPolicy: Sometimes}", "at '/image/pullPolicy': value must be one of"},
		"image without name":    {`image: {repository: ""}`, "at '/image/repository': minLength"},
		"tag with a space":      {"image: {tag: 'a b'}", "at '/image/tag': 'a b' does not match"},
		"pull secret as text":   {"imagePullSecrets: [mine]", "at '/imagePullSecrets/0': got string, want object"},
		"managed DHCP":          {"managedDHCP: on", "at '/managedDHCP'"},
		"log level":             {"logLevel: loud", "at '/logLevel': value must be one of"},
		"agent's log level":     {"agent: {logLevel: loud}", "at '/agent/logLevel': value must be one of"},
		"agent's replicas":      {"agent: {replicas: 2}", "at '/agent': additional properties 'replicas' not allowed"},
		"service prefix":        {"serviceCIDRs: [10.53.0.0]", "at '/serviceCIDRs/0': '10.53.0.0' does not match"},
		"prefix length":         {"serviceCIDRs: [10.53.0.0/33]", "at '/serviceCIDRs/0'"},
		"three service CIDRs":   {"serviceCIDRs: [1.0.0.0/8, 2.0.0.0/8, 3.0.0.0/8]", "at '/serviceCIDRs': maxItems"},
		"memory":                {"resources: {limits: {memory: lots}}", "at '/resources/limits/memory'"},
		"unknown resource":      {"agent: {resources: {limits: {gpu: 1}}}", "additional properties 'gpu' not allowed"},
		"toleration's operator": {"tolerations: [{operator: Maybe}]", "at '/tolerations/0/operator': value must be one of"},
		"node selector":         {"nodeSelector: {a: [b]}", "at '/nodeSelector/a': got array, want string"},
		"affinity":              {"affinity: {nodes: {}}", "at '/affinity': additional properties 'nodes' not allowed"},
		"name too long":         {"fullnameOverride: " + strings.Repeat("x", 53), "at '/fullnameOverride': maxLength: got 53, want 52"},
		"name in capitals":      {"fullnameOverride: Freehold", "at '/fullnameOverride': 'Freehold' does not match"},
		"api":                   {"api: {aggregated: true}", "at '/api': additional properties 'aggregated' not allowed"},
		"aggregation":           {"api: {aggregation: true}", "at '/api/aggregation': got boolean, want object"},
		"scrape interval":       {"metrics: {serviceMonitor: {interval: often}}", "at '/metrics/serviceMonitor/interval'"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, complaints, err := helm(t, "template", "freehold", ".", "--kube-version", kubeVersion,
				"--values", valuesFile(t, test.values))
			if err == nil {
				t.Fatalf("accepted:\n%s", test.values)
			}

			if !strings.Contains(complaints, test.want) {
				t.Errorf("message lacks %q:\n%s", test.want, complaints)
			}
		})
	}
}

func TestOldKubernetesIsRefused(t *testing.T) {
	t.Parallel()

	_, complaints, err := helm(t, "template", "freehold", ".", "--kube-version", "1.30.9")
	if want := "needs Kubernetes 1.31 or newer; this cluster has v1.30.9"; err == nil || !strings.Contains(complaints, want) {
		t.Errorf("error %v, want %q:\n%s", err, want, complaints)
	}

	if _, complaints, err := helm(t, "template", "freehold", ".", "--kube-version", "1.31.0+rke2r1"); err != nil {
		t.Errorf("1.31.0 is refused: %s", complaints)
	}
}
