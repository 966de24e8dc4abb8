// Package web holds Freehold's dashboard as it is served to browsers. The
// dashboard is built apart by scripts/web, the page into dist/app and the
// extension for Rancher into dist/plugin; a program compiled without them carries
// a placeholder page that says how to build it.
package web

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// Where the extension is below dist, and the file that lists what belongs to it.
const (
	extensionRoot  = "dist/plugin"
	extensionIndex = "files.txt"
)

// dist has a file of its own in the repository, so that it can be embedded
// before anything was built into it.
//
//go:embed all:dist all:placeholder
var files embed.FS

// Built reports whether the program carries the dashboard rather than the
// placeholder.
func Built() bool {
	_, err := fs.Stat(files, "dist/app/index.html")

	return !errors.Is(err, fs.ErrNotExist)
}

// FS returns the page's files, index.html at its root: the dashboard, or the
// placeholder when it was not built.
func FS() fs.FS {
	root := "placeholder"
	if Built() {
		root = "dist/app"
	}

	page, err := fs.Sub(files, root)
	if err != nil {
		// fs.Sub refuses only names that are no paths.
		panic(fmt.Sprintf("embedded page: %v", err))
	}

	return page
}
