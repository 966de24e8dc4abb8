package kube

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/freehold-net/freehold/crds"
)

// TestUpToDate: what the server has filled in is no difference, and everything
// else is, also what an older version said and ours does not.
func TestUpToDate(t *testing.T) {
	t.Parallel()

	definitions, err := crds.All()
	if err != nil {
		t.Fatal(err)
	}

	one := int64(1)

	for name, tc := range map[string]struct {
		change func(*apiextensionsv1.CustomResourceDefinition)
		want   bool
	}{
		"the same": {func(*apiextensionsv1.CustomResourceDefinition) {}, true},
		"with the server's defaults": {func(present *apiextensionsv1.CustomResourceDefinition) {
			present.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
		}, true},
		"a status": {func(present *apiextensionsv1.CustomResourceDefinition) {
			present.Status.AcceptedNames.Kind = "IPLease"
		}, true},
		"a column fewer": {func(present *apiextensionsv1.CustomResourceDefinition) {
			columns := &present.Spec.Versions[0].AdditionalPrinterColumns
			*columns = (*columns)[1:]
		}, false},
		"a field that was demanded": {func(present *apiextensionsv1.CustomResourceDefinition) {
			schema := present.Spec.Versions[0].Schema.OpenAPIV3Schema
			schema.Required = append(schema.Required, "metadata")
		}, false},
		"a limit that there is no more": {func(present *apiextensionsv1.CustomResourceDefinition) {
			present.Spec.Versions[0].Schema.OpenAPIV3Schema.MaxProperties = &one
		}, false},
		"none": {func(present *apiextensionsv1.CustomResourceDefinition) {
			*present = apiextensionsv1.CustomResourceDefinition{}
		}, false},
	} {
		for _, definition := range definitions {
			var present apiextensionsv1.CustomResourceDefinition
			if err := yaml.Unmarshal(definition.YAML, &present); err != nil {
				t.Fatal(err)
			}

			apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&present.Spec)
			tc.change(&present)

			if got, err := upToDate(&present, definition); err != nil || got != tc.want {
				t.Errorf("%s, %s: %t, %v, want %t", definition.Name, name, got, err, tc.want)
			}
		}
	}
}
