package web

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, handler http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()

	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))

	return recorder
}

// Rancher fetches these by name, and browsers take a script only by its type.
func TestTheTreeOfAnExtensionIsServedAsRancherFetchesIt(t *testing.T) {
	handler, err := newHandler(fstest.MapFS{
		"files.txt":                    {Data: []byte("plugin/package.json\nplugin/x-1.0.0.umd.min.js\n")},
		"plugin/package.json":          {Data: []byte(`{"name":"x"}`)},
		"plugin/x-1.0.0.umd.min.js":    {Data: []byte("window.x=1")},
		"plugin/not-listed/nested.txt": {Data: []byte("")},
	}, extensionIndex)
	if err != nil {
		t.Fatal(err)
	}

	for target, want := range map[string]string{
		"/files.txt":                 "text/plain; charset=utf-8",
		"/plugin/package.json":       "application/json",
		"/plugin/x-1.0.0.umd.min.js": "text/javascript; charset=utf-8",
	} {
		got := get(t, handler, target)
		if got.Code != http.StatusOK || got.Header().Get("Content-Type") != want {
			t.Errorf("%s: %d, %q, not %q", target, got.Code, got.Header().Get("Content-Type"), want)
		}
	}

	for _, target := range []string{"/", "/plugin", "/plugin/", "/index.html"} {
		if got := get(t, handler, target); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, got.Code)
		}
	}
}

func TestAProgramWithoutTheExtensionSaysSo(t *testing.T) {
	if _, err := newHandler(fstest.MapFS{}, extensionIndex); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTheExtensionThatWasBuiltListsExactlyItsFiles(t *testing.T) {
	handler, err := ExtensionHandler()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the extension is not built; scripts/web builds it")
	}

	if err != nil {
		t.Fatal(err)
	}

	listed := strings.Fields(get(t, handler, "/files.txt").Body.String())
	tree, _ := fs.Sub(files, extensionRoot)

	var found []string

	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && name != extensionIndex {
			found = append(found, name)
		}

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	if slices.Sort(found); !slices.Equal(listed, found) {
		t.Errorf("files.txt lists %q, there are %q", listed, found)
	}

	for _, name := range listed {
		if got := get(t, handler, "/"+name); got.Code != http.StatusOK || got.Body.Len() == 0 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
}
