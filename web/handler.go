package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The page loads nothing but its own files and talks to nobody but the server
// that it came from. Rancher's UI may show it in a frame of the same origin.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// contentType returns the type of a file, or nothing when it knows none. The
// types are told here because those of the machine are not the same everywhere,
// and browsers refuse scripts of another type.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	default:
		return ""
	}
}

// asset is a file that is ready to be sent.
type asset struct {
	contentType  string
	cacheControl string
	etag         string
	plain        []byte
	gzipped      []byte // nil when that would not be shorter
}

// Handler serves the page's files at the root of its URL; mount it elsewhere
// with http.StripPrefix. It answers GET and HEAD only, needs no caller to be
// known, and is safe for concurrent use. It fails when a file cannot be read or
// is of a type that it does not know.
func Handler() (http.Handler, error) {
	return newHandler(FS(), "index.html")
}

// ExtensionHandler serves the files of the Rancher extension at the root of its
// URL, as Rancher fetches them for a UIPlugin: files.txt and what it lists. It
// is like Handler otherwise, and fails with fs.ErrNotExist when the program was
// built without the extension.
func ExtensionHandler() (http.Handler, error) {
	tree, err := fs.Sub(files, extensionRoot)
	if err != nil {
		return nil, fmt.Errorf("extension: %w", err)
	}

	return newHandler(tree, extensionIndex)
}

// newHandler serves files, among which there must be one of the name needed.
func newHandler(files fs.FS, needed string) (http.Handler, error) {
	assets := map[string]*asset{}

	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}

		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}

		assets[name], err = newAsset(name, content)

		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}

	if assets[needed] == nil {
		return nil, fmt.Errorf("dashboard: %s: %w", needed, fs.ErrNotExist)
	}

	return handler(assets), nil
}

func newAsset(name string, content []byte) (*asset, error) {
	kind := contentType(name)
	if kind == "" {
		return nil, fmt.Errorf("%s: no content type is known for %q; add it to contentType", name, path.Ext(name))
	}

	sum := sha256.Sum256(content)
	made := &asset{
		contentType:  kind,
		cacheControl: "no-cache",
		etag:         hex.EncodeToString(sum[:8]),
		plain:        content,
	}

	// The build puts a digest of their content into the names of these.
	if strings.HasPrefix(name, "assets/") {
		made.cacheControl = "public, max-age=31536000, immutable"
	}

	var short bytes.Buffer

	writer := gzip.NewWriter(&short)
	if _, err := writer.Write(content); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	if short.Len() < len(content) {
		made.gzipped = short.Bytes()
	}

	return made, nil
}

type handler map[string]*asset

func (h handler) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	header := response.Header()
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")

	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(response, "the page can only be read", http.StatusMethodNotAllowed)

		return
	}

	if request.URL.Path == "" {
		redirectIntoFolder(response, request)

		return
	}

	name := strings.TrimPrefix(request.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}

	found, ok := h[name]
	if !ok {
		http.Error(response, "the page has no such file", http.StatusNotFound)

		return
	}

	found.serve(response, request)
}

// redirectIntoFolder mends an address without its last slash, which the page's
// relative names need. The answer is relative as well, because proxies on the
// way may have cut the beginning of the path.
func redirectIntoFolder(response http.ResponseWriter, request *http.Request) {
	asked, _, _ := strings.Cut(request.RequestURI, "?")
	response.Header().Set("Location", "./"+path.Base(asked)+"/")
	response.WriteHeader(http.StatusTemporaryRedirect)
}

func (a *asset) serve(response http.ResponseWriter, request *http.Request) {
	content, etag := a.plain, `"`+a.etag+`"`

	header := response.Header()
	header.Set("Vary", "Accept-Encoding")
	header.Set("Cache-Control", a.cacheControl)

	if a.gzipped != nil && acceptsGzip(request.Header.Get("Accept-Encoding")) {
		// Another content needs another tag.
		content, etag = a.gzipped, `"`+a.etag+`-gzip"`
		header.Set("Content-Encoding", "gzip")
	}

	header.Set("ETag", etag)

	if matches(request.Header.Get("If-None-Match"), etag) {
		header.Del("Content-Encoding")
		response.WriteHeader(http.StatusNotModified)

		return
	}

	header.Set("Content-Type", a.contentType)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	response.WriteHeader(http.StatusOK)

	if request.Method == http.MethodGet {
		// A reader that went away is nobody to be told.
		_, _ = response.Write(content)
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3) as far as gzip goes.
func acceptsGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")

			return !strings.HasPrefix(weight, "q=0") || strings.Trim(weight, "q=0.") != ""
		}
	}

	return false
}

// matches compares weakly, as If-None-Match asks for (RFC 9110, 13.1.2).
func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}

	return false
}
