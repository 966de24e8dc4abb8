// Package contracttest holds answers of the REST API against its description,
// for tests. An answer whose route, status, content type or body the description
// does not have fails the test.
package contracttest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/freehold-net/freehold/pkg/api/openapi"
)

// T is what of a *testing.T is needed.
type T interface {
	Helper()
	Errorf(format string, arguments ...any)
	Fatal(arguments ...any)
}

// documentURL is what the description is called while schemas are compiled.
const documentURL = "https://freehold.invalid/openapi.json"

// Contract is the description, and what of it was exercised. It is safe for
// concurrent use.
type Contract struct {
	document map[string]any
	compiler *jsonschema.Compiler

	mu        sync.Mutex
	schemas   map[string]*jsonschema.Schema
	exercised map[string]bool
}

// Load reads the description.
func Load() (*Contract, error) {
	text, err := openapi.JSON()
	if err != nil {
		return nil, err
	}

	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}

	document, ok := parsed.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the description is %T and no object", parsed)
	}

	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()

	if err := compiler.AddResource(documentURL, parsed); err != nil {
		return nil, err
	}

	return &Contract{document: document, compiler: compiler, schemas: map[string]*jsonschema.Schema{}, exercised: map[string]bool{}}, nil
}

// Do serves the request and fails the test unless the answer is as described.
// The answer that is returned is not compressed.
func (c *Contract) Do(t T, handler http.Handler, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()

	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)

	body := recorder.Body.Bytes()

	if recorder.Header().Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(recorder.Body)
		if err != nil {
			t.Fatal(err)
		}

		if body, err = io.ReadAll(unpacked); err != nil {
			t.Fatal(err)
		}

		recorder.Body = bytes.NewBuffer(body)
	}

	if err := c.Check(request, recorder.Code, recorder.Header(), body); err != nil {
		t.Errorf("%s %s: %v\n%s", request.Method, request.URL, err, body)
	}

	return recorder
}

// Check returns what of the answer is not as described.
func (c *Contract) Check(request *http.Request, status int, header http.Header, body []byte) error {
	path, operation := c.find(request.Method, request.URL.Path)
	if operation == nil {
		return fmt.Errorf("the description has no %s %s", request.Method, request.URL.Path)
	}

	code := strconv.Itoa(status)
	at := []string{"paths", path, strings.ToLower(request.Method), "responses", code}

	response, at := c.resolve(at)
	if response == nil {
		return fmt.Errorf("the description has no status %d for %s %s", status, request.Method, path)
	}

	c.mu.Lock()
	c.exercised[request.Method+" "+path+" "+code] = true
	c.mu.Unlock()

	if err := c.checkQuery(path, operation, request, status); err != nil {
		return err
	}

	if headers, ok := response["headers"].(map[string]any); ok {
		for name := range headers {
			if header.Get(name) == "" {
				return fmt.Errorf("header %s is described and not there", name)
			}
		}
	}

	content, _ := response["content"].(map[string]any)

	return c.checkBody(content, at, header.Get("Content-Type"), body)
}

func (c *Contract) checkBody(content map[string]any, at []string, given string, body []byte) error {
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body is there and not described")
		}

		return nil
	}

	media, _, err := mime.ParseMediaType(given)
	if err != nil {
		return fmt.Errorf("content type %q: %w", given, err)
	}

	if _, described := content[media]; !described {
		return fmt.Errorf("content type %s is not described", media)
	}

	if media != "application/json" && media != "application/problem+json" {
		return nil
	}

	schema, err := c.schema(append(slices.Clone(at), "content", media, "schema"))
	if err != nil {
		return err
	}

	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}

	return schema.Validate(value)
}

// schema compiles the schema at that place of the description.
func (c *Contract) schema(at []string) (*jsonschema.Schema, error) {
	escaped := make([]string, len(at))
	for i, part := range at {
		escaped[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part)
	}

	pointer := documentURL + "#/" + strings.Join(escaped, "/")

	c.mu.Lock()
	defer c.mu.Unlock()

	if known := c.schemas[pointer]; known != nil {
		return known, nil
	}

	compiled, err := c.compiler.Compile(pointer)
	if err != nil {
		return nil, err
	}

	c.schemas[pointer] = compiled

	return compiled, nil
}

// checkQuery refuses parameters that are not described, but where refusing them
// is what the answer does.
func (c *Contract) checkQuery(path string, operation map[string]any, request *http.Request, status int) error {
	if status == http.StatusBadRequest {
		return nil
	}

	known := map[string]bool{}

	item, _ := c.resolve([]string{"paths", path})
	for _, list := range []any{operation["parameters"], item["parameters"]} {
		parameters, _ := list.([]any)
		for _, one := range parameters {
			parameter, _ := one.(map[string]any)
			if reference, ok := parameter["$ref"].(string); ok {
				parameter, _ = c.resolve(strings.Split(strings.TrimPrefix(reference, "#/"), "/"))
			}

			name, _ := parameter["name"].(string)
			known[name] = true
		}
	}

	for name := range request.URL.Query() {
		if !known[name] {
			return fmt.Errorf("parameter %s is not described", name)
		}
	}

	return nil
}

// resolve returns the object at that place of the description, and the place
// that it really is at when a reference leads there.
func (c *Contract) resolve(at []string) (map[string]any, []string) {
	node := c.document

	for _, part := range at {
		next, ok := node[part].(map[string]any)
		if !ok {
			return nil, nil
		}

		node = next
	}

	if reference, ok := node["$ref"].(string); ok {
		return c.resolve(strings.Split(strings.TrimPrefix(reference, "#/"), "/"))
	}

	return node, at
}

// find returns the described path and operation for a request.
func (c *Contract) find(method, path string) (string, map[string]any) {
	paths, _ := c.document["paths"].(map[string]any)
	parts := strings.Split(path, "/")
	best, bestOperation := "", map[string]any(nil)

	for template, item := range paths {
		pieces := strings.Split(template, "/")
		if len(pieces) != len(parts) {
			continue
		}

		same := true

		for i, piece := range pieces {
			same = same && (piece == parts[i] || strings.HasPrefix(piece, "{"))
		}

		methods, _ := item.(map[string]any)

		operation, ok := methods[strings.ToLower(method)].(map[string]any)
		if same && ok && (best == "" || strings.Count(template, "{") < strings.Count(best, "{")) {
			best, bestOperation = template, operation
		}
	}

	return best, bestOperation
}

// Unexercised lists what is described and was in no answer so far, as "GET
// /v1/pools 200", but for the routes that skip names as "GET /v1/pools".
func (c *Contract) Unexercised(skip func(route string) bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()

	var missing []string

	paths, _ := c.document["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, operation := range methods {
			if method == "parameters" {
				continue
			}

			route := strings.ToUpper(method) + " " + path
			described, _ := operation.(map[string]any)
			responses, _ := described["responses"].(map[string]any)

			for code := range responses {
				if !skip(route) && !c.exercised[route+" "+code] {
					missing = append(missing, route+" "+code)
				}
			}
		}
	}

	slices.Sort(missing)

	return missing
}

// Routes lists what is described, as "GET /v1/pools".
func (c *Contract) Routes() []string {
	var routes []string

	paths, _ := c.document["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method := range methods {
			if method != "parameters" {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}

	slices.Sort(routes)

	return routes
}
