// Package openapi holds the description of the REST API. What it says is the
// contract; tests hold every answer against it.
package openapi

import (
	_ "embed" // the description
	"encoding/json"
	"fmt"
	"sync"

	"sigs.k8s.io/yaml"
)

//go:embed openapi.yaml
var document []byte

//nolint:gochecknoglobals // converted once
var converted = sync.OnceValues(func() (json.RawMessage, error) {
	body, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}

	return body, nil
})

// JSON returns the description as JSON. It must not be changed.
func JSON() (json.RawMessage, error) { return converted() }
