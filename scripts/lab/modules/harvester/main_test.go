package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The committed definitions are what the types give.
func TestNoDrift(t *testing.T) {
	t.Parallel()
	definitions, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if len(definitions) != len(wanted()) {
		t.Fatalf("%d definitions, want %d", len(definitions), len(wanted()))
	}
	for _, d := range definitions {
		want, err := render(d)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "internal", "harvester", "crds", d.Name+".yaml")
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the types give: go generate ./internal/harvester makes it anew", path)
		}
	}
}
