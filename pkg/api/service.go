package api

import (
	"maps"
	"net/http"
	"slices"

	"github.com/freehold-net/freehold/pkg/api/openapi"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// registerReads registers the reading routes.
func (a *API) registerReads() {
	a.router.Methods(http.MethodGet).Path("/v1/openapi.json").Handler(a.open(func(w http.ResponseWriter, call *Call) error {
		document, err := openapi.JSON()
		if err != nil {
			return err //nolint:wrapcheck // says what it is
		}

		return OK(document).write(w, call.Request)
	}))

	for path, handler := range map[string]Handler{
		"/v1/about":                              a.about,
		"/v1/pools":                              a.listPools,
		"/v1/pools/{namespace}/{name}":           a.getPool,
		"/v1/pools/{namespace}/{name}/addresses": a.getAddresses,
		"/v1/pools/{namespace}/{name}/leases":    a.listPoolLeases,
		"/v1/leases":                             a.listLeases,
		"/v1/leases/{namespace}/{name}":          a.getLease,
		"/v1/leases/{namespace}/{name}/history":  a.getHistory,
		"/v1/networks":                           a.listNetworks,
		"/v1/agents":                             a.listAgents,
		"/v1/vms":                                a.listVMs,
		"/v1/vms/{namespace}/{name}":             a.getVM,
		"/v1/vms/{namespace}/{name}/explain":     a.explainVM,
	} {
		a.Handle(http.MethodGet, path, handler)
	}
}

func (a *API) about(call *Call) (Answer, error) {
	if _, err := call.query(); err != nil {
		return Answer{}, err
	}

	allowed, err := call.allowed(map[string]ask{
		"listPools":    {"list", Object(v1.ChangePool, "", "")},
		"createPools":  {"create", Object(v1.ChangePool, "", "")},
		"listLeases":   {"list", Object(v1.ChangeLease, "", "")},
		"listVMs":      {"list", Object(v1.ChangeVM, "", "")},
		"listNetworks": {"list", Object(v1.ChangeNetwork, "", "")},
	})
	if err != nil {
		return Answer{}, err
	}

	who := a.config.About
	body := v1.About{
		Version: who.Version, Replica: who.Replica, StartedAt: who.StartedAt.UTC(),
		Leader:  who.Leader != nil && who.Leader(),
		User:    v1.User{Name: call.Caller.GetName(), Groups: call.Caller.GetGroups()},
		Allowed: allowed,
	}

	if !allowed["listPools"] {
		visible, err := call.namespaces("list", v1.ChangePool)
		if err != nil {
			return Answer{}, err
		}

		namespaces := append([]string{}, slices.Sorted(maps.Keys(visible))...)
		body.Namespaces = &namespaces
	}

	return OK(body), nil
}

// Object returns the body of an object for an event, or false when there is none
// any more. The name of an agent is its Pod's, in its pool's namespace.
func (a *API) Object(kind v1.ChangeKind, namespace, name string) (body any, found bool) {
	key := keyOf(namespace, name)
	from := a.config.Store

	switch kind {
	case v1.ChangePool:
		body, found = from.Pool(key)
	case v1.ChangeLease:
		body, found = from.Lease(key)
	case v1.ChangeNetwork:
		body, found = from.Network(key)
	case v1.ChangeAgent:
		body, found = from.Agent(key)
	case v1.ChangeVM:
		body, found = from.VM(key)
	}

	return body, found
}
