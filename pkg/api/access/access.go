// Package access says who calls the REST API and what they may do. Both are
// Kubernetes' answers: nothing of it is decided here.
package access

import (
	"context"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
)

// Groups of the resources that callers are reviewed for.
const (
	GroupFreehold = "network.harvesterhci.io"
	GroupKubeVirt = "kubevirt.io"
	GroupMultus   = "k8s.cni.cncf.io"
)

// Object is what a caller wants to do something with, as Kubernetes'
// authorisation names it. An empty Namespace means every namespace, an empty
// Name every object of it.
type Object struct {
	Group, Resource, Subresource, Namespace, Name string
}

// String names the object in the way of messages: "ippools.network.harvesterhci.io
// dev/blue".
func (o Object) String() string {
	var text strings.Builder

	text.WriteString(o.Resource)

	if o.Subresource != "" {
		text.WriteString("/" + o.Subresource)
	}

	if o.Group != "" {
		text.WriteString("." + o.Group)
	}

	switch {
	case o.Namespace != "" && o.Name != "":
		text.WriteString(" " + o.Namespace + "/" + o.Name)
	case o.Namespace != "":
		text.WriteString(" in namespace " + o.Namespace)
	case o.Name != "":
		text.WriteString(" " + o.Name)
	default:
	}

	return text.String()
}

// Authenticator finds out who sends a request.
type Authenticator interface {
	// Authenticate returns the caller, or false when Kubernetes does not know
	// them. An error means that it could not be asked.
	Authenticate(request *http.Request) (user.Info, bool, error)
}

// Reviewer says what a caller may do. It is safe for concurrent use.
type Reviewer interface {
	// May reports whether the caller may do the verb, such as list or update,
	// with the object. An error means that Kubernetes could not be asked; the
	// answer is no then.
	May(ctx context.Context, caller user.Info, verb string, object Object) (bool, error)
}
