// Package problem words the errors of the REST API: problem details of RFC 9457
// that name field, value and remedy. It decides nothing.
package problem

import (
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/api/access"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// blank is the type of a problem of which the status says it all (RFC 9457,
// section 4.2.1).
const blank = "about:blank"

// New returns a problem with the status and everything that is wrong.
func New(status int, detail string, fields ...v1.FieldProblem) *v1.Problem {
	return &v1.Problem{Type: blank, Title: http.StatusText(status), Status: status, Detail: detail, Errors: fields}
}

// Parameter is 400 for a parameter, or a field of the body, that cannot be read.
func Parameter(name, value, detail, remedy string) *v1.Problem {
	return New(http.StatusBadRequest, fmt.Sprintf("%s %q %s; %s", name, value, detail, remedy),
		v1.FieldProblem{Field: name, Value: value, Detail: detail, Remedy: remedy})
}

// Unauthorized is 401: Kubernetes does not know the caller.
func Unauthorized() *v1.Problem {
	return New(http.StatusUnauthorized, "Kubernetes does not know who is calling; "+
		"send a token that it knows as \"Authorization: Bearer ...\", or a client certificate of its client CA")
}

// Forbidden is 403: the caller lacks the right to do the verb with the object.
func Forbidden(caller, verb string, object access.Object) *v1.Problem {
	return New(http.StatusForbidden, fmt.Sprintf("user %q may not %s; ask for a role that lets you, such as the chart's view, operate or admin",
		caller, Act(verb, object)))
}

// Act is the verb and the object in words, as Kubernetes' own refusals have
// them.
func Act(verb string, object access.Object) string {
	var b strings.Builder

	fmt.Fprintf(&b, "%s %s", verb, object.Resource)

	if object.Subresource != "" {
		b.WriteString("/" + object.Subresource)
	}

	if object.Group != "" {
		b.WriteString("." + object.Group)
	}

	if object.Name != "" {
		fmt.Fprintf(&b, " %q", object.Name)
	}

	if object.Namespace == "" {
		b.WriteString(" in any namespace")
	} else {
		fmt.Fprintf(&b, " in namespace %q", object.Namespace)
	}

	return b.String()
}

// NotFound is 404 for an object that does not exist. Only who may read it is
// told so.
func NotFound(kind, namespace, name string) *v1.Problem {
	return New(http.StatusNotFound, fmt.Sprintf("there is no %s %s/%s; list what there is, or check the spelling", kind, namespace, name))
}

// Conflict is 409: somebody else was first, or the object is not in a state for
// what is asked.
func Conflict(detail string, fields ...v1.FieldProblem) *v1.Problem {
	return New(http.StatusConflict, detail, fields...)
}

// Gone is 410 for a continue value of another list.
func Gone() *v1.Problem {
	return New(http.StatusGone, "continue is of a list with other parameters; begin again without it",
		v1.FieldProblem{Field: "continue", Detail: "is of a list with other parameters", Remedy: "begin again without it"})
}

// UnsupportedMediaType is 415 for a body of a type that is not read here.
func UnsupportedMediaType(given string, accepted []string) *v1.Problem {
	remedy := "send " + strings.Join(accepted, " or ")

	return New(http.StatusUnsupportedMediaType, fmt.Sprintf("a body of type %q is not read here; %s", given, remedy),
		v1.FieldProblem{Field: "Content-Type", Value: given, Detail: "is not read here", Remedy: remedy})
}

// Refused is 422: the change would be wrong, for the reasons in fields.
func Refused(fields ...v1.FieldProblem) *v1.Problem {
	lines := make([]string, len(fields))
	for i, one := range fields {
		lines[i] = sentence(one)
	}

	return New(http.StatusUnprocessableEntity, strings.Join(lines, "\n"), fields...)
}

// Unavailable is 503: this replica cannot answer now.
func Unavailable(detail string) *v1.Problem {
	return New(http.StatusServiceUnavailable, detail)
}

// Fields puts errors of the core's validation into problems. The errors are
// worded "what is wrong; what to do".
func Fields(errs field.ErrorList) []v1.FieldProblem {
	problems := make([]v1.FieldProblem, 0, len(errs))

	for _, err := range errs {
		detail, remedy := Split(err.Detail)
		if detail == "" {
			detail = err.Type.String()
		}

		problems = append(problems, v1.FieldProblem{Field: err.Field, Value: err.BadValue, Detail: detail, Remedy: remedy})
	}

	return problems
}

// Split parts "what is wrong; what to do" in two. What to do is the last
// clause, and "" when there is only one.
func Split(text string) (detail, remedy string) {
	at := strings.LastIndex(text, "; ")
	if at < 0 {
		return text, ""
	}

	return text[:at], text[at+len("; "):]
}

func sentence(one v1.FieldProblem) string {
	text := one.Detail

	if one.Value != nil && one.Value != "" {
		text = fmt.Sprintf("%v %s", one.Value, text)
	}

	if one.Field != "" {
		text = one.Field + ": " + text
	}

	if one.Remedy != "" {
		text += "; " + one.Remedy
	}

	return text
}
