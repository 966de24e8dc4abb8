package chart_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/freehold-net/freehold/crds"
)

type unstructuredObject = unstructured.Unstructured

// rights writes every role of objects as lines "Kind name: resource.group
// [names]: verbs", sorted.
func rights(t *testing.T, objects []unstructuredObject) []string {
	t.Helper()

	var lines []string

	for _, object := range objects {
		var rules []rbacv1.PolicyRule

		switch object.GetKind() {
		case "ClusterRole":
			rules = convert[rbacv1.ClusterRole](t, object).Rules
		case "Role":
			rules = convert[rbacv1.Role](t, object).Rules
		}

		for _, rule := range rules {
			for _, line := range ruleLines(rule) {
				lines = append(lines, fmt.Sprintf("%s %s: %s", object.GetKind(), object.GetName(), line))
			}
		}
	}

	slices.Sort(lines)

	return lines
}

func ruleLines(rule rbacv1.PolicyRule) []string {
	var lines []string

	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			name := strings.TrimSuffix(resource+"."+group, ".")
			if len(rule.ResourceNames) > 0 {
				name += " " + strings.Join(rule.ResourceNames, " ")
			}

			lines = append(lines, name+": "+strings.Join(rule.Verbs, " "))
		}
	}

	return lines
}

// A right more or less must be a decision: whoever changes the roles changes
// this list with them.
func TestRightsAreTheListedOnes(t *testing.T) {
	t.Parallel()

	data, err := os.ReadFile(filepath.Join("testdata", "rights.txt"))
	if err != nil {
		t.Fatal(err)
	}

	want := strings.Split(strings.TrimSpace(string(data)), "\n")
	if diff := cmp.Diff(want, rights(t, render(t, "freehold", ""))); diff != "" {
		t.Errorf("rights (-testdata/rights.txt +rendered):\n%s", diff)
	}
}

// No program of ours may write what belongs to KubeVirt, Multus or the nodes,
// nor read a secret outside its own namespace.
func TestRightsStayAtHome(t *testing.T) {
	t.Parallel()

	read := []string{"get", "list", "watch"}
	mayWrite := map[string]bool{
		"network.harvesterhci.io": true, "apiextensions.k8s.io": true, "admissionregistration.k8s.io": true, "apiregistration.k8s.io": true,
		// Questions, of which nothing stays.
		"authentication.k8s.io": true, "authorization.k8s.io": true,
	}

	for _, object := range render(t, "freehold", "") {
		// Theirs is a group without objects: TestAPIRoleGivesNothing.
		if object.GetKind() != "ClusterRole" || object.GetName() == "freehold-api" {
			continue
		}

		for _, rule := range convert[rbacv1.ClusterRole](t, object).Rules {
			all := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs)
			if slices.Contains(all, "*") || slices.Contains(rule.Resources, "secrets") {
				t.Errorf("%s: too wide: %v", object.GetName(), rule)
			}

			for _, group := range rule.APIGroups {
				writes := slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !slices.Contains(read, verb) })
				if writes && !mayWrite[group] && !slices.Equal(rule.Resources, []string{"events"}) {
					t.Errorf("%s: writes to %q: %v", object.GetName(), group, rule)
				}
			}
		}
	}
}

// Everybody has the role that lets callers through to the API, so it must be about
// nothing else: its group has no definition, and no object.
func TestAPIRoleGivesNothing(t *testing.T) {
	t.Parallel()

	role := find[rbacv1.ClusterRole](t, render(t, "freehold", ""), "ClusterRole", "freehold-api")
	if len(role.Rules) != 1 || !slices.Equal(role.Rules[0].APIGroups, []string{"api.freehold.net"}) || len(role.Rules[0].NonResourceURLs) > 0 {
		t.Errorf("rules %+v, want one for the group api.freehold.net", role.Rules)
	}
}

// Without aggregation there is no way in that it would take rights for.
func TestAggregationCanBeLeftOut(t *testing.T) {
	t.Parallel()

	for values, want := range map[string]map[string]bool{
		"":                                     {"APIService": true, "freehold-api": true, "apiservices": true},
		"api: {access: false}":                 {"APIService": true, "freehold-api": false, "apiservices": true},
		"api: {aggregation: {enabled: false}}": {"APIService": false, "freehold-api": false, "apiservices": false},
	} {
		objects := render(t, "freehold", values)
		got := map[string]bool{"APIService": false, "freehold-api": false, "apiservices": false}

		for _, object := range objects {
			got["APIService"] = got["APIService"] || object.GetKind() == "APIService"
			got["freehold-api"] = got["freehold-api"] || object.GetName() == "freehold-api"
		}

		for _, line := range rights(t, objects) {
			got["apiservices"] = got["apiservices"] || strings.Contains(line, "apiservices")
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("values %q (-want +got):\n%s", values, diff)
		}
	}
}

// Each role is bound to the account that it is named after, and to no other; what
// Kubernetes publishes about callers the manager reads by a role of Kubernetes.
func TestBindings(t *testing.T) {
	t.Parallel()

	got := map[string]bool{}

	for _, object := range render(t, "freehold", "") {
		if !strings.HasSuffix(object.GetKind(), "RoleBinding") {
			continue
		}

		binding := convert[rbacv1.ClusterRoleBinding](t, object)
		for _, subject := range binding.Subjects {
			got[fmt.Sprintf("%s %s to %s %s/%s", binding.RoleRef.Kind, binding.RoleRef.Name,
				subject.Kind, subject.Namespace, subject.Name)] = true
		}
	}

	want := map[string]bool{
		"ClusterRole freehold to ServiceAccount freehold-system/freehold":                           true,
		"Role freehold to ServiceAccount freehold-system/freehold":                                  true,
		"ClusterRole freehold-agent to ServiceAccount freehold-system/freehold-agent":               true,
		"Role freehold-agent to ServiceAccount freehold-system/freehold-agent":                      true,
		"Role extension-apiserver-authentication-reader to ServiceAccount freehold-system/freehold": true,
		"ClusterRole freehold-api to Group /system:authenticated":                                   true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

// An upgrade of a definition is refused when the role does not name it.
func TestRightsNameEveryDefinition(t *testing.T) {
	t.Parallel()

	definitions, err := crds.All()
	if err != nil {
		t.Fatal(err)
	}

	want := make([]string, 0, len(definitions))
	for _, definition := range definitions {
		want = append(want, definition.Name)
	}

	role := find[rbacv1.ClusterRole](t, render(t, "freehold", ""), "ClusterRole", "freehold")

	var got []string

	for _, rule := range role.Rules {
		if slices.Contains(rule.APIGroups, "apiextensions.k8s.io") {
			got = append(got, rule.ResourceNames...)
		}
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-crds +role):\n%s", diff)
	}
}

type hook struct {
	Path       string
	Operations []admissionv1.OperationType
	Groups     []string
	Resources  []string
}

// Whatever happens to the managers, no virtual machine waits for them: our
// webhooks are called for our own kinds only.
func TestWebhooksAreOnOurKindsOnly(t *testing.T) {
	t.Parallel()

	objects := render(t, "freehold", "")
	got := map[string]hook{}

	add := func(name string, client admissionv1.WebhookClientConfig, rules []admissionv1.RuleWithOperations) {
		if len(rules) != 1 || client.Service == nil || client.Service.Name != "freehold" || len(client.CABundle) > 0 {
			t.Fatalf("%s: want one rule, our service and no certificate yet: %+v %+v", name, client, rules)
		}

		got[name] = hook{
			Path: *client.Service.Path, Operations: rules[0].Operations,
			Groups: rules[0].APIGroups, Resources: rules[0].Resources,
		}
	}

	for _, w := range find[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration", "freehold").Webhooks {
		add(w.Name, w.ClientConfig, w.Rules)

		if *w.FailurePolicy != admissionv1.Fail || *w.SideEffects != admissionv1.SideEffectClassNone || *w.TimeoutSeconds != 5 {
			t.Errorf("%s: policy %v, side effects %v, timeout %v", w.Name, *w.FailurePolicy, *w.SideEffects, *w.TimeoutSeconds)
		}
	}

	for _, w := range find[admissionv1.ValidatingWebhookConfiguration](t, objects, "ValidatingWebhookConfiguration", "freehold").Webhooks {
		add(w.Name, w.ClientConfig, w.Rules)

		if *w.FailurePolicy != admissionv1.Fail || *w.SideEffects != admissionv1.SideEffectClassNone || *w.TimeoutSeconds != 5 {
			t.Errorf("%s: policy %v, side effects %v, timeout %v", w.Name, *w.FailurePolicy, *w.SideEffects, *w.TimeoutSeconds)
		}
	}

	const group = "network.harvesterhci.io"

	written := []admissionv1.OperationType{"CREATE", "UPDATE"}
	want := map[string]hook{
		"mutate.ippools." + group:                        {"/mutate/ippools", written, []string{group}, []string{"ippools"}},
		"mutate.virtualmachinenetworkconfigs." + group:   {"/mutate/virtualmachinenetworkconfigs", written, []string{group}, []string{"virtualmachinenetworkconfigs"}},
		"validate.ippools." + group:                      {"/validate/ippools", append(slices.Clone(written), "DELETE"), []string{group}, []string{"ippools"}},
		"validate.virtualmachinenetworkconfigs." + group: {"/validate/virtualmachinenetworkconfigs", written, []string{group}, []string{"virtualmachinenetworkconfigs"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}

	for _, object := range objects {
		if strings.HasSuffix(object.GetKind(), "WebhookConfiguration") && object.GetName() != "freehold" {
			t.Errorf("unexpected %s %s", object.GetKind(), object.GetName())
		}
	}
}

// The chart installs exactly the definitions that the manager upgrades.
func TestDefinitionsAreTheGeneratedOnes(t *testing.T) {
	t.Parallel()

	definitions, err := crds.All()
	if err != nil {
		t.Fatal(err)
	}

	want := map[string]string{}
	for _, definition := range definitions {
		want[definition.Name] = string(definition.YAML)
	}

	files, err := filepath.Glob("crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}

	got := map[string]string{}

	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		object := readYAML[unstructuredObject](t, file)
		got[object.GetName()] = string(data)
	}

	if !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))) || !maps.Equal(want, got) {
		t.Error("chart/crds differs from crds: run `make generate`")
	}
}
