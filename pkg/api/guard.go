package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// guard lets known callers through and turns errors and panics of the handler
// into problems.
func (a *API) guard(handler StreamHandler) http.Handler {
	return a.open(func(w http.ResponseWriter, call *Call) error {
		caller, known, err := a.config.Authenticator.Authenticate(call.Request)

		switch {
		case err != nil:
			a.config.Logger.WarnContext(call.Context(), "caller could not be authenticated", "error", err)

			return problem.Unavailable("Kubernetes could not be asked who you are; try again")
		case !known:
			return problem.Unauthorized()
		default:
			call.Caller = caller

			return handler(w, call)
		}
	})
}

// open is guard for what everybody may read. The handler's call has no caller.
func (a *API) open(handler StreamHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Nothing of it is for a browser to guess at, or for another page to show.
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Vary", "Authorization, Accept-Encoding")

		started := &firstByte{ResponseWriter: w}

		err := a.safely(handler, started, &Call{Request: r, api: a}) //nolint:contextcheck // the call has the request's

		switch {
		case err == nil:
		case started.begun:
			// The caller must not take half an answer for a whole one.
			panic(http.ErrAbortHandler)
		default:
			a.refuse(w, r, err)
		}
	})
}

// safely calls the handler and returns its panic as an error.
func (a *API) safely(handler StreamHandler, w http.ResponseWriter, call *Call) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			a.config.Logger.ErrorContext(call.Context(), "panic while answering", "path", call.Request.URL.Path,
				"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))

			err = fmt.Errorf("panic: %v", cause)
		}
	}()

	return handler(w, call)
}

// refuse answers with a problem.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	told := *problem.Of(err)
	told.Instance = r.URL.Path

	var known *v1.Problem
	if !errors.As(err, &known) && told.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		a.config.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}

	body, err := json.Marshal(told)
	if err != nil {
		// A value that a person gave and that JSON has no word for.
		told.Errors = nil
		body, _ = json.Marshal(told) //nolint:errchkjson // strings and a number
	}

	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")

	if told.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="kubernetes"`)
	}

	w.WriteHeader(told.Status)
	_, _ = w.Write(append(body, '\n')) // the caller has gone; nobody is left to be told
}

func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, problem.New(http.StatusNotFound, "there is nothing at "+r.URL.Path+"; see /v1/openapi.json for what there is"))
}

func (a *API) noMethod(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, problem.New(http.StatusMethodNotAllowed, r.Method+" means nothing for "+r.URL.Path+"; see /v1/openapi.json for what does"))
}

// firstByte notes whether an answer has begun.
type firstByte struct {
	http.ResponseWriter

	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (f *firstByte) WriteHeader(status int) {
	f.begun = true
	f.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (f *firstByte) Write(data []byte) (int, error) {
	f.begun = true

	return f.ResponseWriter.Write(data) //nolint:wrapcheck // a writer's error is its own
}

// Unwrap has http.ResponseController find what is beneath.
func (f *firstByte) Unwrap() http.ResponseWriter { return f.ResponseWriter }
