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

// All returns the definitions in the order of their file names. It fails only
// when a file was damaged after it was generated.
func All() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list embedded CRDs: %w", err)
	}

	definitions := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(names))

	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read embedded CRD %s: %w", name, err)
		}

		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, definition); err != nil {
			return nil, fmt.Errorf("parse embedded CRD %s: %w", name, err)
		}

		definitions = append(definitions, definition)
	}

	return definitions, nil
}
