// Package crds embeds the CustomResourceDefinitions that `make generate` writes
// from the API types, so that the manager can apply them: Helm installs the
// files of chart/crds once and never upgrades them.
package crds

import (
	"embed"
	"fmt"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

//go:embed *.yaml
var files embed.FS

// Definition is one CustomResourceDefinition as it was generated.
type Definition struct {
	// Name is the definition's metadata.name.
	Name string
	// YAML is the whole object.
	YAML []byte
}

// All returns the definitions in the order of their file names. It fails only
// when a file was damaged after it was generated.
func All() ([]Definition, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list embedded CRDs: %w", err)
	}

	definitions := make([]Definition, 0, len(names))

	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read embedded CRD %s: %w", name, err)
		}

		var parsed apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &parsed); err != nil {
			return nil, fmt.Errorf("parse embedded CRD %s: %w", name, err)
		}

		definitions = append(definitions, Definition{Name: parsed.Name, YAML: data})
	}

	return definitions, nil
}
