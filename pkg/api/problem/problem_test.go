package problem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
)

func TestOf(t *testing.T) {
	t.Parallel()

	pools := schema.GroupResource{Group: "network.harvesterhci.io", Resource: "ippools"}
	kind := schema.GroupKind{Group: pools.Group, Kind: "IPPool"}
	invalid := apierrors.NewInvalid(kind, "net", field.ErrorList{field.Invalid(field.NewPath("spec", "ipv4Config", "cidr"), "x", "is no network; write 10.0.0.0/24")})

	// As the webhook refuses: 403 with causes.
	denied := apierrors.NewForbidden(pools, "net", errors.New("because"))
	denied.ErrStatus.Details.Causes = []metav1.StatusCause{{Field: "spec.ipv4Config.router", Message: "is outside; write one of 10.0.0.0/24"}}

	tests := []struct {
		name   string
		err    error
		status int
		field  string
		remedy string
	}{
		{"a problem", fmt.Errorf("wrapped: %w", problem.Gone()), 410, "continue", "begin again without it"},
		{"the schema refuses", invalid, 422, "spec.ipv4Config.cidr", "write 10.0.0.0/24"},
		{"the webhook refuses", denied, 422, "spec.ipv4Config.router", "write one of 10.0.0.0/24"},
		{"the manager may not", apierrors.NewForbidden(pools, "net", errors.New("because")), 503, "", ""},
		{"the manager is nobody", apierrors.NewUnauthorized("expired"), 503, "", ""},
		{"gone", apierrors.NewNotFound(pools, "net"), 404, "", ""},
		{"there already", apierrors.NewAlreadyExists(pools, "net"), 409, "", ""},
		{"changed meanwhile", apierrors.NewConflict(pools, "net", errors.New("changed")), 409, "", ""},
		{"the API server is busy", apierrors.NewTooManyRequests("busy", 1), 503, "", ""},
		{"out of time", fmt.Errorf("list: %w", context.DeadlineExceeded), 503, "", ""},
		{"a mistake of ours", errors.New("secret detail"), 500, "", ""},
	}

	for _, tc := range tests {
		got := problem.Of(tc.err)
		if got.Status != tc.status || got.Title == "" || got.Detail == "" || strings.Contains(got.Detail, "secret") {
			t.Errorf("%s: %+v, want %d", tc.name, got, tc.status)
		}

		if tc.field != "" && (len(got.Errors) != 1 || got.Errors[0].Field != tc.field || got.Errors[0].Remedy != tc.remedy) {
			t.Errorf("%s: fields are %+v", tc.name, got.Errors)
		}
	}
}

// A refusal names the verb and the object as Kubernetes' own do.
func TestForbidden(t *testing.T) {
	t.Parallel()

	pool := access.Object{Group: access.GroupFreehold, Resource: "ippools", Namespace: "blue", Name: "net"}
	if got := problem.Forbidden("ann", "delete", pool).Detail; !strings.HasPrefix(got, `user "ann" may not delete ippools.network.harvesterhci.io "net" in namespace "blue"; `) {
		t.Error(got)
	}

	everywhere := access.Object{Resource: "pods", Subresource: "log"}
	if got := problem.Forbidden("ann", "get", everywhere).Detail; !strings.HasPrefix(got, `user "ann" may not get pods/log in any namespace; `) {
		t.Error(got)
	}
}

// Every field of a refusal is in its words, with value and remedy.
func TestRefused(t *testing.T) {
	t.Parallel()

	got := problem.Refused(problem.Fields(field.ErrorList{
		field.Invalid(field.NewPath("spec", "a"), "x", "is wrong; write y"),
		field.Required(field.NewPath("spec", "b"), ""),
	})...)

	if got.Status != 422 || len(got.Errors) != 2 || !strings.Contains(got.Detail, "spec.a: x is wrong; write y") || got.Errors[1].Detail == "" {
		t.Errorf("%+v", got)
	}
}
