package main

import (
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseWith reads a command line on top of one that is complete.
func parseWith(args ...string) (options, error) {
	complete := []string{"--namespace=system", "--agent-image=freehold:1", "--identity=pod-1"}

	return parseOptions(append(complete, args...), func(string) string { return "" }, io.Discard)
}

// TestRefusedOptions: every refusal names the flag, the value and what to write.
func TestRefusedOptions(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct{ arg, flag, value, remedy string }{
		{"--managed-dhcp=yes", "--managed-dhcp", `"yes"`, "write enabled or disabled"},
		{"--service-cidr=10.53.0.1/16", "--service-cidr", `"10.53.0.1/16"`, "such as 10.53.0.0/16"},
		{"--service-cidr=ten", "--service-cidr", `"ten"`, "such as 10.53.0.0/16"},
		{"--agent-pod-template={", "--agent-pod-template", `"{"`, "write a JSON object"},
		{`--agent-pod-template={"toleration":[]}`, "--agent-pod-template", "toleration", "unknown field"},
		{"--agent-pod-template={} {}", "--agent-pod-template", `"{} {}"`, "something follows"},
		{`--agent-pod-template={"logLevel":"loud"}`, "--agent-pod-template", `"loud"`, "none of debug, info, warn and error"},
		{"--log-level=loud", "--log-level", `"loud"`, "write debug, info, warn or error"},
		{"--agent-image-pull-policy=Sometimes", "--agent-image-pull-policy", `"Sometimes"`, "write Always, IfNotPresent or Never"},
		{"--http-port=0", "--http-port", "0", "from 1 to 65535"},
		{"--webhook-port=65536", "--webhook-port", "65536", "from 1 to 65535"},
		{"--webhook-port=8080", "--webhook-port", "8080", "write another one"},
		{"--api-port=0", "--api-port", "0", "from 1 to 65535"},
		{"--api-port=8443", "--api-port", "8443", "it is --webhook-port too"},
		{"--workers=0", "--workers", "0", "write 1 or more"},
		{"--namespace=", "--namespace", "empty", "POD_NAMESPACE"},
		{"--agent-image=", "--agent-image", "empty", "give the image"},
		{"--identity=", "--identity", "empty", "POD_NAME"},
		{"--name=", "--name", "empty", "such as freehold"},
		{"stray", "argument", `"stray"`, "--name=value"},
		{"--workers=many", "-workers", `"many"`, ""},
	} {
		_, err := parseWith(tc.arg)
		if err == nil {
			t.Errorf("%s was accepted", tc.arg)

			continue
		}

		for _, want := range []string{tc.flag, tc.value, tc.remedy} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", tc.arg, err, want)
			}
		}
	}
}

// TestAllRefusalsAtOnce: nobody starts a program five times to learn five mistakes.
func TestAllRefusalsAtOnce(t *testing.T) {
	t.Parallel()

	_, err := parseOptions([]string{"--workers=0", "--log-level=loud", "--managed-dhcp=yes"}, func(string) string { return "" }, io.Discard)
	if err == nil || len(strings.Split(err.Error(), "\n")) != 6 {
		t.Errorf("error is %v", err)
	}
}

func TestAcceptedOptions(t *testing.T) {
	t.Parallel()

	o, err := parseWith("--managed-dhcp=disabled", "--service-cidr=10.53.0.0/16", "--service-cidr=fd00::/108", "--log-level=debug",
		"--agent-image-pull-secrets=a,b", `--agent-pod-template={"resources":{"limits":{"memory":"64Mi"}},"tolerations":[{"key":"x"}],"priorityClassName":"p","logLevel":"warn"}`)
	if err != nil {
		t.Fatal(err)
	}

	want := []netip.Prefix{netip.MustParsePrefix("10.53.0.0/16"), netip.MustParsePrefix("fd00::/108")}
	if diff := cmp.Diff(want, o.serviceCIDRs, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}

	template := o.agents.Template
	if o.managedByDefault || o.logLevel != slog.LevelDebug || o.serviceAccount != "freehold" || o.agents.ServiceAccount != "freehold-agent" ||
		o.agents.Namespace != "system" || len(o.agents.ImagePullSecrets) != 2 || template.LogLevel != "warn" || template.Tolerations[0].Key != "x" ||
		template.PriorityClassName != "p" || template.Resources.Limits.Memory().String() != "64Mi" {
		t.Errorf("options are %+v", o)
	}
}

// TestOptionsFromTheEnvironment: what the downward API gives needs no flag.
func TestOptionsFromTheEnvironment(t *testing.T) {
	t.Parallel()

	env := map[string]string{"POD_NAMESPACE": "system", "POD_NAME": "pod-1", "AGENT_IMAGE": "freehold:1", "KUBECONFIG": "file"}

	o, err := parseOptions(nil, func(name string) string { return env[name] }, io.Discard)
	if err != nil || o.namespace != "system" || o.identity != "pod-1" || o.agents.Image != "freehold:1" || o.kubeconfig != "file" || !o.managedByDefault {
		t.Errorf("options are %+v, %v", o, err)
	}
}
