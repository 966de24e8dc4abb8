// Package version holds what the build wrote into the programs.
package version

// Version is the release or commit; the build sets it with -ldflags -X.
var Version = "dev" //nolint:gochecknoglobals // the linker can set nothing else
