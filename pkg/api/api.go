// Package api is the REST API: the router, what every call has in common, and
// the answers to reading calls, from the index in package store.
//
// Who calls and what they may do is Kubernetes' answer, by way of package
// access. Changes and the event stream are packages of their own that register
// their handlers here with Handle and HandleStream.
package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/store"
)

// Config is what the API works with. Store, Authenticator, Reviewer and Clock
// are required.
type Config struct {
	Store         *store.Store
	Authenticator access.Authenticator
	Reviewer      access.Reviewer
	// Observer asks agents what they saw; without one nothing is known of that.
	Observer Observer
	// Clock is time.Now, but in tests.
	Clock func() time.Time
	// Logger is told of what is not the caller's doing; nil discards it.
	Logger *slog.Logger
	// About says who answers.
	About About
}

// About says which replica answers.
type About struct {
	// Version is the build's, Replica the Pod's name.
	Version, Replica string
	// StartedAt is when the process started.
	StartedAt time.Time
	// Leader tells whether this replica runs the controllers; nil for no.
	Leader func() bool
}

// API is the REST API. It is an http.Handler for the paths below /v1 and safe
// for concurrent use once every handler is registered.
type API struct {
	config Config
	router *mux.Router
}

// New returns the API with every reading route but /v1/events.
func New(config Config) *API {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}

	a := &API{config: config, router: mux.NewRouter()}
	a.router.NotFoundHandler = http.HandlerFunc(a.noRoute)
	a.router.MethodNotAllowedHandler = http.HandlerFunc(a.noMethod)
	a.registerReads()

	return a
}

// Handler answers one call of a known caller. It asks for every right that it
// needs with Call.Require before it looks whether the object exists. An error
// that is no *v1.Problem is worded by problem.Of. It must not keep the call.
type Handler func(call *Call) (Answer, error)

// StreamHandler is a Handler that writes the answer itself, as long as it likes.
// An error counts before the first byte only. What it writes is not compressed.
type StreamHandler func(w http.ResponseWriter, call *Call) error

// Handle registers the handler for a method and a path with variables, such as
// /v1/pools/{namespace}/{name}/pause. Call it before the first request.
func (a *API) Handle(method, path string, handler Handler) {
	a.router.Methods(method).Path(path).Handler(a.guard(func(w http.ResponseWriter, call *Call) error {
		answer, err := handler(call)
		if err != nil {
			return err
		}

		return answer.write(w, call.Request)
	}))
}

// HandleStream is Handle for answers that do not end by themselves.
func (a *API) HandleStream(method, path string, handler StreamHandler) {
	a.router.Methods(method).Path(path).Handler(a.guard(handler))
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.router.ServeHTTP(w, r)
}
