// Package server is the way in to the REST API and the page: the TLS listener,
// the paths below which Kubernetes' aggregation calls us, and what everybody may
// have: the page, health, and the explanation of how to say who one is.
//
// Who is not known gets no further than that. It is what a caller by way of the
// Service proxy gets, too, because Kubernetes takes their identity off the
// request.
package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/httpserver"
)

// Group and Version are the group and version under which Kubernetes' aggregation
// knows the API. Its paths below /apis/<Group>/<Version>/ are those below /v1/.
const (
	Group   = "api.freehold.net"
	Version = "v1"
)

const (
	apiRoot   = "/v1/"
	groupRoot = "/apis/" + Group
	aggregate = groupRoot + "/" + Version
)

// Handler answers everything that comes to the port of the API. Make one with
// New. It is safe for concurrent use.
type Handler struct {
	page http.Handler
	api  atomic.Pointer[http.Handler]
	// foreign recognises requests that another site made a browser send. Nobody
	// has a cookie of ours, but a proxy in front, such as Rancher, has its own.
	foreign *http.CrossOriginProtection
}

// New returns a handler that serves the page. The API answers 503 until Fill.
func New(page http.Handler) *Handler {
	return &Handler{page: page, foreign: http.NewCrossOriginProtection()}
}

// Fill begins to serve the API, whose paths are below /v1/. Call it when the
// caches are filled, so that nobody is told of a world with nothing in it.
func (h *Handler) Fill(api http.Handler) { h.api.Store(&api) }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path

	rest, aggregated := strings.CutPrefix(path, aggregate+"/")

	switch {
	case path == "/healthz":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	case path == "/apis", path == groupRoot, path == aggregate, path == aggregate+"/":
		discover(w, r)
	case path == aggregate+"/ui":
		// Relative, because a proxy in front may have a prefix of its own.
		w.Header().Set("Location", "ui/")
		w.WriteHeader(http.StatusPermanentRedirect)
	case strings.HasPrefix(path, aggregate+"/ui/"):
		h.page.ServeHTTP(w, at(r, strings.TrimPrefix(path, aggregate+"/ui")))
	case aggregated:
		h.call(w, at(r, apiRoot+rest))
	case strings.HasPrefix(path, apiRoot):
		h.call(w, r)
	case strings.HasPrefix(path, "/apis/"), strings.HasPrefix(path, "/openapi/"), path == "/v1":
		refuse(w, r, problem.New(http.StatusNotFound, "there is nothing at "+path+"; see /v1/openapi.json for what there is"))
	default:
		h.page.ServeHTTP(w, r)
	}
}

// at is the request for another path.
func at(r *http.Request, path string) *http.Request {
	moved := new(http.Request)
	*moved = *r
	address := *r.URL
	address.Path, address.RawPath = path, ""
	moved.URL = &address

	return moved
}

// call hands a request to the API.
func (h *Handler) call(w http.ResponseWriter, r *http.Request) {
	if name := impersonation(r.Header); name != "" {
		refuse(w, r, problem.New(http.StatusForbidden, "the header "+name+" means nothing here, and to ignore it would do what you may not want; "+
			"call "+aggregate+"/ of the Kubernetes API server, which acts for others, or leave the header out"))

		return
	}

	if stripped(r) {
		refuse(w, r, problem.New(http.StatusUnauthorized, "you come by way of the Service proxy, which takes off every request who sends it, so only the page is for you here; "+
			"call "+aggregate+"/ of the same Kubernetes API server, with the same token or certificate"))

		return
	}

	if err := h.foreign.Check(r); err != nil {
		refuse(w, r, problem.New(http.StatusForbidden, "a page of another site made your browser send this ("+err.Error()+"); "+
			"open the page of this service and do it there"))

		return
	}

	api := h.api.Load()
	if api == nil {
		w.Header().Set("Retry-After", "2")
		refuse(w, r, problem.Unavailable("this replica has just started and does not know all objects yet; try again in a moment"))

		return
	}

	(*api).ServeHTTP(w, r)
}

// stripped tells whether a request came by way of the Service proxy of Kubernetes
// and therefore without what would say who sent it. It serves the explanation
// only: such a request would be refused anyway.
func stripped(r *http.Request) bool {
	bare := r.Header.Get("Authorization") == "" && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0)

	return bare && strings.Contains(r.Header.Get("X-Forwarded-Uri"), "/proxy")
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, r *http.Request, told *v1.Problem) {
	told.Instance = r.URL.Path

	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")

	if told.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="kubernetes"`)
	}

	w.WriteHeader(told.Status)
	_ = json.NewEncoder(w).Encode(told) //nolint:errchkjson // strings and a number; the caller may be gone
}

// impersonation returns the first header by which a caller asks to be taken for
// somebody else, or "".
func impersonation(header http.Header) string {
	for name := range header {
		if strings.HasPrefix(name, "Impersonate-") {
			return name
		}
	}

	return ""
}

// Config is what Serve works with. All of it is required but Logger.
type Config struct {
	Handler http.Handler
	// Certificate finds the certificate to show.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCAs are named to clients, which then know whether they have a
	// certificate that means something here. Whether it does is checked by the
	// API: one without a certificate may come with a token.
	ClientCAs func() *x509.CertPool
	// Logger is told of what goes wrong with connections, at debug level.
	Logger *slog.Logger
}

// Serve serves over TLS until ctx ends, or returns why it could not.
func Serve(ctx context.Context, listener net.Listener, config Config) error {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: config.Certificate,
		ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2", "http/1.1"},
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := base.Clone()
		current.GetConfigForClient = nil
		current.ClientCAs = config.ClientCAs()
		// Each connection has a configuration of its own, so there is no key that
		// a ticket could be read with again.
		current.SessionTicketsDisabled = true

		return current, nil
	}

	err := httpserver.ServeOn(ctx, listener, httpserver.Config{Handler: config.Handler, TLS: base, Logger: config.Logger})
	if err != nil {
		return fmt.Errorf("serve the API: %w", err)
	}

	return nil
}
