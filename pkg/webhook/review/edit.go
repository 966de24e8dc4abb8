package review

import (
	"encoding/json"
	"fmt"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// apply returns the object with the edits made in turn. Everything else stays
// as it was written, also what our types do not know.
func apply(raw []byte, edits []Edit) ([]byte, error) {
	var root map[string]any
	if err := utiljson.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf("request.object cannot be read: %w", err)
	}

	for _, edit := range edits {
		if err := put(root, edit); err != nil {
			return nil, err
		}
	}

	edited, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("write the completed object: %w", err)
	}

	return edited, nil
}

func put(node map[string]any, edit Edit) error {
	last := len(edit.Path) - 1

	for depth, name := range edit.Path[:last] {
		switch inner := node[name].(type) {
		case map[string]any:
			node = inner
		case nil:
			// Missing, or null, which means the same in an API object.
			if edit.Value == nil {
				return nil
			}

			made := map[string]any{}
			node[name], node = made, made
		default:
			return fmt.Errorf("%s must have fields, but is a single value; write the fields beneath it", strings.Join(edit.Path[:depth+1], "."))
		}
	}

	if edit.Value == nil {
		delete(node, edit.Path[last])

		return nil
	}

	node[edit.Path[last]] = edit.Value

	return nil
}
