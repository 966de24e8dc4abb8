package api

import (
	"net/http"

	"github.com/freehold-net/freehold/pkg/api/openapi"
)

// registerReads registers the reading routes.
func (a *API) registerReads() {
	a.router.Methods(http.MethodGet).Path("/v1/openapi.json").Handler(a.open(func(w http.ResponseWriter, call *Call) error {
		document, err := openapi.JSON()
		if err != nil {
			return err
		}

		return tagged(document).write(w, call.Request)
	}))
}
