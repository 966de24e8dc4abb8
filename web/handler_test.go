package web_test

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/freehold-net/freehold/web"
)

// answer is what the page's server said.
type answer struct {
	code   int
	header http.Header
	body   string
}

func ask(t *testing.T, method, target string, header ...string) answer {
	t.Helper()

	page, err := web.Handler()
	if err != nil {
		t.Fatal(err)
	}

	request := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}

	recorder := httptest.NewRecorder()
	page.ServeHTTP(recorder, request)

	return answer{code: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
}

func TestThePageIsServedAtItsRoot(t *testing.T) {
	got := ask(t, http.MethodGet, "/")

	if got.code != http.StatusOK || !strings.Contains(got.body, "<title>Freehold</title>") {
		t.Fatalf("got %d", got.code)
	}

	if value := got.header.Get("Content-Type"); value != "text/html; charset=utf-8" {
		t.Errorf("Content-Type is %q", value)
	}

	if value := got.header.Get("Cache-Control"); value != "no-cache" {
		t.Errorf("Cache-Control is %q: a new build would not be seen", value)
	}
}

// Whatever the page refers to must be found below any prefix: a proxy may serve
// it anywhere.
func TestThePageRefersOnlyToItsOwnFilesAndRelatively(t *testing.T) {
	content, err := fs.ReadFile(web.FS(), "index.html")
	if err != nil {
		t.Fatal(err)
	}

	for _, found := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(content), -1) {
		name := strings.TrimPrefix(found[1], "./")
		if _, err := fs.Stat(web.FS(), name); err != nil {
			t.Errorf("index.html refers to %q: %v", found[1], err)
		}
	}
}

func TestEveryFileHasTheHeadersThatBrowsersNeed(t *testing.T) {
	types := map[string]string{
		"html": "text/html", "js": "text/javascript", "css": "text/css", "woff2": "font/woff2", "svg": "image/svg+xml",
	}

	err := fs.WalkDir(web.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}

		got := ask(t, http.MethodGet, "/"+name)
		if want := types[name[strings.LastIndex(name, ".")+1:]]; !strings.HasPrefix(got.header.Get("Content-Type"), want) {
			t.Errorf("%s: Content-Type is %q, not %q", name, got.header.Get("Content-Type"), want)
		}

		if got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the type may be guessed", name)
		}

		if immutable := strings.Contains(got.header.Get("Cache-Control"), "immutable"); immutable != strings.HasPrefix(name, "assets/") {
			t.Errorf("%s: Cache-Control is %q", name, got.header.Get("Cache-Control"))
		}

		again := ask(t, http.MethodGet, "/"+name, "If-None-Match", "W/"+got.header.Get("ETag"))
		if again.code != http.StatusNotModified || again.body != "" {
			t.Errorf("%s: sent again although the tag is the same: %d", name, again.code)
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestThePolicyAllowsNothingForeign(t *testing.T) {
	policy := ask(t, http.MethodGet, "/").header.Get("Content-Security-Policy")

	for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'self'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q lacks %q", policy, want)
		}
	}

	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("%q allows too much", policy)
	}
}

func TestAReaderThatTakesGzipGetsTheSameContent(t *testing.T) {
	plain := ask(t, http.MethodGet, "/")
	short := ask(t, http.MethodGet, "/", "Accept-Encoding", "br, gzip;q=0.8")

	if short.header.Get("Content-Encoding") != "gzip" {
		t.Skip("the page is too short to become shorter")
	}

	if short.header.Get("ETag") == plain.header.Get("ETag") {
		t.Error("two contents have one tag")
	}

	reader, err := gzip.NewReader(strings.NewReader(short.body))
	if err != nil {
		t.Fatal(err)
	}

	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}

	if string(content) != plain.body {
		t.Error("the contents differ")
	}

	for _, refused := range []string{"", "br", "gzip;q=0", "gzip; q=0.0"} {
		if ask(t, http.MethodGet, "/", "Accept-Encoding", refused).header.Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %q: gzip all the same", refused)
		}
	}
}

func TestWhatIsNotServed(t *testing.T) {
	cases := map[string]struct {
		method, target string
		want           int
	}{
		"a change":              {http.MethodPost, "/", http.StatusMethodNotAllowed},
		"an unknown file":       {http.MethodGet, "/v1/pools", http.StatusNotFound},
		"a folder":              {http.MethodGet, "/assets", http.StatusNotFound},
		"a way out":             {http.MethodGet, "/../embed.go", http.StatusNotFound},
		"the kept empty folder": {http.MethodGet, "/.keep", http.StatusNotFound},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, test.method, test.target); got.code != test.want {
				t.Errorf("got %d", got.code)
			}
		})
	}
}

func TestHeadTellsTheLengthAndSendsNothing(t *testing.T) {
	got := ask(t, http.MethodHead, "/")

	if got.code != http.StatusOK || got.header.Get("Content-Length") == "" || got.body != "" {
		t.Errorf("got %d, length %q", got.code, got.header.Get("Content-Length"))
	}
}

// Mounted without the last slash, relative names would be looked up one folder
// too high.
func TestAnAddressWithoutTheLastSlashIsMended(t *testing.T) {
	page, err := web.Handler()
	if err != nil {
		t.Fatal(err)
	}

	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apis/x/v1/ui?a=b", http.NoBody)
	http.StripPrefix("/apis/x/v1/ui", page).ServeHTTP(recorder, request)

	if got := recorder.Header().Get("Location"); recorder.Code != http.StatusTemporaryRedirect || got != "./ui/" {
		t.Errorf("got %d to %q", recorder.Code, got)
	}
}
