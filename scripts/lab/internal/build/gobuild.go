package build

import (
	"context"
	_ "embed" // for goflags
	"io"
	"strings"
)

// goFlags is what every Go build of the lab has in $GOFLAGS: scripts/lab-run,
// which builds the lab itself, reads the same file. The go command keeps each
// compiled package and takes it again for another program when flags, module
// versions and imported packages are equal, so that equal flags everywhere save
// most of the compiling. With -trimpath the place of the module cache does not
// matter; with netgo and osusergo the standard library is the same for the few
// programs that need cgo; debugging information would be stripped anyway.
//
//go:embed goflags
var goFlags string

// GoBuild is one call of `go build`.
type GoBuild struct {
	Dir      string // of the module
	Cgo      bool   // some package needs C
	Flags    []string
	Packages []string
}

// GoEnv returns the environment for every go command of the lab.
func GoEnv(cgo bool) []string {
	enabled := "CGO_ENABLED=0"
	if cgo {
		enabled = "CGO_ENABLED=1"
	}
	return []string{"GOWORK=off", "GOFLAGS=" + strings.TrimSpace(goFlags), enabled}
}

// GoTags returns the flag for build tags beside the lab's own, which a plain
// -tags would replace.
func GoTags(tags ...string) string {
	for flag := range strings.FieldsSeq(goFlags) {
		if own, ok := strings.CutPrefix(flag, "-tags="); ok {
			tags = append([]string{own}, tags...)
		}
	}
	return "-tags=" + strings.Join(tags, ",")
}

// GoBuild builds the packages as out (a directory when it ends with a slash),
// stripped and without paths of this machine.
func (c *Cache) GoBuild(ctx context.Context, out string, b GoBuild) error {
	argv := append([]string{"go", "build", "-ldflags", "-s -w", "-o", out}, b.Flags...)
	return c.Run(ctx, b.Dir, GoEnv(b.Cgo), append(argv, b.Packages...)...)
}

// GoFetch downloads the modules that GoBuild will need, and no others.
func (c *Cache) GoFetch(ctx context.Context, b GoBuild) error {
	argv := append([]string{"go", "list", "-deps", "-f", "{{.ImportPath}}"}, b.Flags...)
	return c.RunTo(WithStep(ctx, "fetch"), io.Discard, b.Dir, GoEnv(b.Cgo), append(argv, b.Packages...)...)
}
