package build

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestGoTagsKeepsTheLabsOwn(t *testing.T) {
	t.Parallel()
	own, _, _ := strings.Cut(GoTags(), ",")
	if !strings.HasPrefix(own, "-tags=") || own == "-tags=" {
		t.Fatalf("GoTags() = %q, want the tags of goflags", GoTags())
	}
	if got := GoTags("seccomp"); got != GoTags()+",seccomp" {
		t.Errorf("GoTags(seccomp) = %q, want %q and seccomp", got, GoTags())
	}
}

// Modules that require one thing in two versions cost a build of each: those
// that nearly everything imports are to be the same everywhere. Multus cannot do
// with a newer kubelet, of which it takes three packages.
func TestModulesAgreeOnWhatTheyShare(t *testing.T) {
	t.Parallel()
	shared := []string{
		"k8s.io/", "sigs.k8s.io/", "golang.org/x/", "google.golang.org/protobuf",
		"github.com/google/gnostic-models", "github.com/go-openapi/",
	}
	lab, err := FindSource(".")
	if err != nil {
		t.Fatal(err)
	}
	type first struct{ version, module string }
	seen := map[string]first{}
	for _, module := range []string{".", "modules/runtime", "modules/runc", "modules/controlplane", "modules/helm"} {
		for path, version := range requirements(t, filepath.Join(lab, module)) {
			was, ok := seen[path]
			if !ok {
				seen[path] = first{version, module}
				continue
			}
			for _, prefix := range shared {
				if path != "k8s.io/kubelet" && strings.HasPrefix(path, prefix) && was.version != version {
					t.Errorf("%s: %s in %s, %s in %s", path, was.version, was.module, version, module)
				}
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no module requires anything")
	}
}

// requirements returns the versions by module path that a go.mod asks for.
func requirements(t *testing.T, dir string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit -json in %s: %v", dir, err)
	}
	var file struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range file.Require {
		versions[r.Path] = r.Version
	}
	return versions
}
