package crds_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freehold-net/freehold/crds"
)

func TestAllThreeKindsAreEmbedded(t *testing.T) {
	t.Parallel()

	definitions, err := crds.All()
	if err != nil {
		t.Fatal(err)
	}

	var names []string

	for _, definition := range definitions {
		names = append(names, definition.Name)

		if len(definition.YAML) == 0 {
			t.Errorf("%s is empty", definition.Name)
		}
	}

	want := []string{
		"ipleases.network.harvesterhci.io",
		"ippools.network.harvesterhci.io",
		"virtualmachinenetworkconfigs.network.harvesterhci.io",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
