package problem

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// Of returns err as a problem: itself if it is one, what the API server said in
// the words and the status that callers of ours expect, and else 500 without
// the error's text, which is for the log.
//
// The API server's 403 and 422 with causes are refusals of the change, 422. Its
// 401 and bare 403 are of the manager, not of the caller, who has been reviewed
// before: 503.
func Of(err error) *v1.Problem {
	var known *v1.Problem

	var status apierrors.APIStatus

	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &status):
		return ofStatus(status.Status())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Unavailable("the answer took too long; try again")
	default:
		return New(http.StatusInternalServerError, "something went wrong here that is not your doing; the manager's log says what")
	}
}

func ofStatus(status metav1.Status) *v1.Problem {
	fields := causes(status.Details)

	switch {
	case len(fields) > 0 && (status.Reason == metav1.StatusReasonInvalid || status.Reason == metav1.StatusReasonForbidden):
		refused := New(http.StatusUnprocessableEntity, status.Message, fields...)

		return refused
	case status.Reason == metav1.StatusReasonInvalid:
		return New(http.StatusUnprocessableEntity, status.Message)
	case status.Reason == metav1.StatusReasonNotFound:
		return New(http.StatusNotFound, status.Message)
	case status.Reason == metav1.StatusReasonAlreadyExists:
		return Conflict(status.Message + "; choose another one")
	case status.Reason == metav1.StatusReasonConflict:
		return Conflict(status.Message + "; read it again and repeat the change")
	default:
		return Unavailable("the Kubernetes API did not take the change: " + status.Message)
	}
}

func causes(details *metav1.StatusDetails) []v1.FieldProblem {
	if details == nil {
		return nil
	}

	var fields []v1.FieldProblem

	for _, cause := range details.Causes {
		detail, remedy := Split(cause.Message)
		fields = append(fields, v1.FieldProblem{Field: cause.Field, Detail: detail, Remedy: remedy})
	}

	return fields
}
