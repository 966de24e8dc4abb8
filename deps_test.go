// Package freehold_test holds the rules of which package may import which, and
// why. They are what keeps the core pure and the parts apart as the code grows.
package freehold_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/freehold-net/freehold"

// rule is what the packages below the directories of From may not import.
type rule struct {
	From []string
	// Bad tells whether a package of directory from may not import what, which
	// is a path as it is written in the source.
	Bad func(from, what string) bool
	// Why is what the person reads who broke the rule.
	Why string
	// Deep extends the rule to everything that is imported by way of other
	// packages of this module.
	Deep bool
}

func rules() []rule {
	shells := []string{"pkg/controller", "pkg/webhook", "pkg/agent", "pkg/api", "pkg/cni"}

	return []rule{
		{
			From: []string{"pkg/ipam", "pkg/macpool"}, Deep: true,
			Bad: func(_, what string) bool { return !standard(what) || impure(what) },
			Why: "the core maps values to values: no Kubernetes, network, clock, lock, log or context, so that all of it is tested by tables",
		},
		{
			From: []string{"pkg/dhcp"}, Deep: true,
			Bad: func(_, what string) bool {
				return what != module+"/pkg/macpool" && (!standard(what) || impure(what))
			},
			Why: "what a DHCP server says is a pure function; sockets are package agent's, and other libraries judge it in tests only",
		},
		{
			From: shells, Deep: true,
			Bad: func(from, what string) bool {
				other := shellOf(shells, what)

				return other != "" && other != shellOf(shells, from)
			},
			Why: "shells do not import each other: what two of them need moves down, else one process drags in the other's clients",
		},
		{
			From: []string{"pkg/controller"}, Deep: true,
			Bad: func(from, what string) bool {
				other, ok := strings.CutPrefix(what, module+"/pkg/controller/")
				own := strings.TrimPrefix(from, "pkg/controller/")

				return ok && from != "pkg/controller" && first(other) != first(own)
			},
			Why: "controllers meet in the API server, not in each other's code: what two of them need moves down",
		},
		{
			From: []string{"pkg/convert", "pkg/kube", "pkg/metrics", "pkg/ledger", "pkg/version", "pkg/netpool"}, Deep: true,
			Bad: func(_, what string) bool { return shellOf(shells, what) != "" },
			Why: "plumbing is below the shells and must not know them",
		},
		{
			From: []string{"pkg/netpool", "pkg/api/view"},
			Bad: func(_, what string) bool {
				return impure(what) || strings.HasPrefix(what, "k8s.io/client-go") || what == module+"/pkg/ledger" || what == module+"/pkg/api/store"
			},
			Why: "what is decided and shown is a function of what it is given: no cache, client, clock, lock or context, so that all of it is tested by tables",
		},
		{
			From: []string{"pkg/api/v1"}, Deep: true,
			Bad: func(_, what string) bool { return !standard(what) },
			Why: "the bodies of the REST API are what its clients would copy; they are plain values and bring nothing along",
		},
		{
			From: []string{"pkg/api/store", "pkg/api/view", "pkg/api/problem"}, Deep: true,
			Bad: func(_, what string) bool {
				return what == module+"/pkg/api" || what == module+"/pkg/api/change" || what == module+"/pkg/api/stream" || what == module+"/pkg/api/server"
			},
			Why: "the index and the views are below the router: they know bodies and no calls",
		},
		{
			From: []string{"pkg/apis", "crds"}, Deep: true,
			Bad: func(_, what string) bool {
				return strings.HasPrefix(what, module+"/") && !strings.HasPrefix(what, module+"/pkg/apis/")
			},
			Why: "the API types are what others import; they must bring nothing of ours along",
		},
		{
			From: []string{"pkg", "crds"},
			Bad: func(from, what string) bool {
				return what == "github.com/sirupsen/logrus" && from != "pkg/kube" && !strings.HasPrefix(from, "pkg/generated/")
			},
			Why: "we log with log/slog; the bridge from the frameworks' logger is in pkg/kube",
		},
		{
			From: []string{"pkg", "cmd", "crds"},
			Bad: func(from, what string) bool {
				helper := strings.HasPrefix(what, module) && strings.HasSuffix(what, "test")

				return !strings.HasSuffix(from, "test") && (what == "testing" || helper)
			},
			Why: "test helpers stay in tests",
		},
		{
			From: []string{"pkg", "crds"},
			Bad: func(_, what string) bool {
				return strings.HasPrefix(what, module+"/cmd") || what == module+"/pkg/codegen"
			},
			Why: "programs are not libraries",
		},
		{
			From: []string{"pkg", "cmd", "crds"},
			Bad:  func(_, what string) bool { return strings.HasPrefix(what, "github.com/harvester/harvester/") },
			Why:  "Harvester's own module needs dozens of replaced versions; the keys that we share are repeated in pkg/apis",
		},
	}
}

// standard tells whether a package is of Go's standard library.
func standard(what string) bool { return !strings.Contains(first(what), ".") }

// impure tells whether a package of the standard library is barred from the
// core.
func impure(what string) bool {
	return slices.Contains([]string{"net", "os", "log", "log/slog", "sync", "sync/atomic", "context", "syscall", "unsafe", "math/rand", "math/rand/v2"}, what) ||
		strings.HasPrefix(what, "net/http") || strings.HasPrefix(what, "os/")
}

// shellOf returns the shell that a package, given by directory or import path,
// belongs to, or "".
func shellOf(shells []string, pkg string) string {
	dir := strings.TrimPrefix(pkg, module+"/")
	for _, shell := range shells {
		if dir == shell || strings.HasPrefix(dir, shell+"/") {
			return shell
		}
	}

	return ""
}

func first(p string) string {
	head, _, _ := strings.Cut(p, "/")

	return head
}

// source is what the files of one directory say, tests aside.
type source struct {
	imports map[string]bool
	// comments are the files with a package comment; generated ones do not count.
	comments []string
}

// packages are those of the module, by directory.
type packages map[string]*source

// add reads one file.
func (p packages) add(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}

	dir := filepath.ToSlash(filepath.Dir(file))
	if p[dir] == nil {
		p[dir] = &source{imports: map[string]bool{}}
	}

	if parsed.Doc != nil && !ast.IsGenerated(parsed) {
		p[dir].comments = append(p[dir].comments, file)
	}

	for _, spec := range parsed.Imports {
		what, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}

		p[dir].imports[what] = true
	}

	return nil
}

// reach returns what dir imports, with the chain of our packages that leads
// there; without deep only its own imports.
func (p packages) reach(dir string, deep bool) map[string][]string {
	found := map[string][]string{}

	var visit func(dir string, chain []string)

	visit = func(dir string, chain []string) {
		pkg := p[dir]
		if pkg == nil {
			return
		}

		for _, what := range slices.Sorted(maps.Keys(pkg.imports)) {
			if _, seen := found[what]; seen {
				continue
			}

			found[what] = append(slices.Clone(chain), what)

			if inside, ok := strings.CutPrefix(what, module+"/"); ok && deep {
				visit(inside, found[what])
			}
		}
	}
	visit(dir, []string{path.Join(module, dir)})

	return found
}

// readTree reads every package of the module, tests aside.
func readTree(t *testing.T) packages {
	t.Helper()

	tree := packages{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && file != "."
			if hidden || entry.Name() == "testdata" || entry.Name() == "node_modules" || file == "scripts/lab" {
				return filepath.SkipDir
			}

			return nil
		}

		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}

		return tree.add(file)
	})
	if err != nil {
		t.Fatal(err)
	}

	return tree
}

func TestImports(t *testing.T) {
	t.Parallel()

	tree := readTree(t)
	if len(tree) < 5 {
		t.Fatalf("found %d packages only", len(tree))
	}

	for _, broken := range violations(tree) {
		t.Error(broken)
	}
}

// violations lists every broken rule in words.
func violations(tree packages) []string {
	var broken []string

	for _, rule := range rules() {
		for _, dir := range slices.Sorted(maps.Keys(tree)) {
			if shellOf(rule.From, dir) == "" {
				continue
			}

			for what, chain := range tree.reach(dir, rule.Deep) {
				if rule.Bad(dir, what) {
					broken = append(broken, strings.Join(chain, " imports ")+": "+rule.Why)
				}
			}
		}
	}

	slices.Sort(broken)

	return broken
}

// The rules must catch what they are for; a rule that cannot fail is none.
func TestImportRulesCatch(t *testing.T) {
	t.Parallel()

	tests := map[string]map[string][]string{
		"core imports Kubernetes":   {"pkg/ipam": {"k8s.io/apimachinery/pkg/types"}},
		"core imports net":          {"pkg/ipam": {"net"}},
		"core imports our plumbing": {"pkg/ipam": {module + "/pkg/convert"}},
		"wire imports a library":    {"pkg/dhcp": {"github.com/insomniacslk/dhcp/dhcpv4"}},
		"wire imports a clock":      {"pkg/dhcp": {module + "/pkg/kube"}},
		"shell imports shell":       {"pkg/agent": {module + "/pkg/webhook"}},
		"shell by way of plumbing": {
			"pkg/agent": {module + "/pkg/convert"}, "pkg/convert": {module + "/pkg/controller/ippool"},
		},
		"controller imports controller": {"pkg/controller/ippool": {module + "/pkg/controller/vmnetcfg"}},
		"second logger":                 {"pkg/webhook": {"github.com/sirupsen/logrus"}},
		"testing in production":         {"pkg/agent": {"testing"}},
		"types import us":               {"pkg/apis/x": {module + "/pkg/convert"}},
		"library imports program":       {"pkg/convert": {module + "/cmd/manager"}},
		"view imports a lock":           {"pkg/api/view": {"sync"}},
		"view imports the index":        {"pkg/api/view": {module + "/pkg/api/store"}},
		"index imports the router":      {"pkg/api/store": {module + "/pkg/api"}},
		"bodies import Kubernetes":      {"pkg/api/v1": {"k8s.io/apimachinery/pkg/types"}},
		"harvester's module":            {"cmd/manager": {"github.com/harvester/harvester/pkg/util"}},
	}

	for name, world := range tests {
		tree := packages{}

		for dir, imports := range world {
			tree[dir] = &source{imports: map[string]bool{}}
			for _, what := range imports {
				tree[dir].imports[what] = true
			}
		}

		if len(violations(tree)) == 0 {
			t.Errorf("%s: not caught", name)
		}
	}
}

// One place says what a package is for and what it must not do.
func TestPackageComments(t *testing.T) {
	t.Parallel()

	for dir, pkg := range readTree(t) {
		// The generator writes these.
		if strings.HasPrefix(dir, "pkg/generated") || dir == "pkg/apis/network.harvesterhci.io" {
			continue
		}

		if len(pkg.comments) != 1 {
			t.Errorf("%s: %d package comments (%s), want exactly one", dir, len(pkg.comments), strings.Join(pkg.comments, ", "))
		}
	}
}
