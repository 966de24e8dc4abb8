package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/gorilla/mux"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
)

// maxBody is the largest body that is read, in bytes. The largest that makes
// sense is a pool with 1,024 exclusions, of some 40 kB.
const maxBody = 256 << 10

// Call is one request of a known caller.
type Call struct {
	Request *http.Request
	// Caller is who Kubernetes says is calling.
	Caller user.Info

	api *API
}

// Context is the request's; it ends when the caller goes away.
func (c *Call) Context() context.Context { return c.Request.Context() }

// Var returns a variable of the path, such as "namespace".
func (c *Call) Var(name string) string { return mux.Vars(c.Request)[name] }

// May reports whether the caller may do the verb with the object. An error is
// 503: Kubernetes could not be asked.
func (c *Call) May(verb string, object access.Object) (bool, error) {
	may, err := c.api.config.Reviewer.May(c.Context(), c.Caller, verb, object)
	if err != nil {
		c.api.config.Logger.WarnContext(c.Context(), "caller could not be reviewed", "user", c.Caller.GetName(),
			"act", problem.Act(verb, object), "error", err)

		return false, problem.Unavailable("Kubernetes could not be asked whether you may " + problem.Act(verb, object) + "; try again")
	}

	return may, nil
}

// Require returns 403 unless the caller may do the verb with the object, and
// 503 when Kubernetes could not be asked.
func (c *Call) Require(verb string, object access.Object) error {
	may, err := c.May(verb, object)
	if err != nil {
		return err
	}

	if !may {
		return problem.Forbidden(c.Caller.GetName(), verb, object)
	}

	return nil
}

// DryRun reads the parameter dryRun.
func (c *Call) DryRun() (bool, error) { return c.flag("dryRun") }

// flag reads a parameter that is true or false; without it, false.
func (c *Call) flag(name string) (bool, error) {
	text := c.Request.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}

	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, problem.Parameter(name, text, "is neither true nor false", "write one of the two")
	}

	return value, nil
}

// Decode reads the JSON body into the value that into points to and returns its
// media type. Errors: 415 when it is of none of the accepted types, 400 when it
// cannot be read, has a field that the value has not, or is too large.
func (c *Call) Decode(into any, accepted ...string) (string, error) {
	given := c.Request.Header.Get("Content-Type")

	media, _, err := mime.ParseMediaType(given)
	if err != nil || !slices.Contains(accepted, media) {
		return "", problem.UnsupportedMediaType(given, accepted)
	}

	decoder := json.NewDecoder(http.MaxBytesReader(nil, c.Request.Body, maxBody))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(into); err != nil {
		return "", unreadable(err)
	}

	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return "", problem.Parameter("body", "", "goes on behind its end", "send one JSON object")
	}

	return media, nil
}

func unreadable(err error) error {
	var (
		tooLarge *http.MaxBytesError
		kind     *json.UnmarshalTypeError
	)

	switch {
	case errors.As(err, &tooLarge):
		return problem.Parameter("body", "", fmt.Sprintf("is larger than %d bytes", maxBody), "send less")
	case errors.As(err, &kind):
		return problem.Parameter(kind.Field, kind.Value, "cannot be there", "write a "+kind.Type.String())
	case errors.Is(err, io.EOF):
		return problem.Parameter("body", "", "is empty", "send a JSON object")
	default:
		return problem.Parameter("body", "", "cannot be read: "+err.Error(), "send one JSON object with the fields of /v1/openapi.json")
	}
}
