package review

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// Validating returns the endpoint that refuses what the rules refuse.
func Validating[T any](kind Kind, rules Rules[T], logger *slog.Logger) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, question admission.Request) admission.Response {
		request, err := decode[T](kind, question.AdmissionRequest)
		if err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}

		verdict, err := rules(ctx, request)
		if err != nil {
			return undecided(ctx, kind, request, err, logger)
		}

		if len(verdict.Problems) > 0 {
			logger.InfoContext(ctx, "request refused", "kind", kind.Singular, "operation", string(request.Operation),
				"namespace", request.Namespace, "name", request.Name, "user", request.User, "problems", len(verdict.Problems))

			return refused(kind, request, verdict)
		}

		return admission.Allowed("").WithWarnings(verdict.Warnings...)
	})
}

// Mutating returns the endpoint that completes objects by the defaults. It
// never refuses an object that can be read: that is for the validating endpoint,
// which sees all problems and not only those that stand in the way of defaults.
func Mutating[T any](kind Kind, defaults Defaults[T], logger *slog.Logger) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, question admission.Request) admission.Response {
		request, err := decode[T](kind, question.AdmissionRequest)
		if err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}

		if request.Object == nil {
			return admission.Allowed("")
		}

		changes, err := defaults(ctx, request)
		if err != nil {
			return undecided(ctx, kind, request, err, logger)
		}

		if len(changes.Edits) == 0 {
			return admission.Allowed("").WithWarnings(changes.Warnings...)
		}

		completed, err := apply(question.Object.Raw, changes.Edits)
		if err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}

		return admission.PatchResponseFromRaw(question.Object.Raw, completed).WithWarnings(changes.Warnings...)
	})
}

func undecided[T any](ctx context.Context, kind Kind, request Request[T], err error, logger *slog.Logger) admission.Response {
	logger.WarnContext(ctx, "request could not be judged", "kind", kind.Singular, "operation", string(request.Operation),
		"namespace", request.Namespace, "name", request.Name, "error", err)

	return admission.Errored(http.StatusInternalServerError,
		fmt.Errorf("%s it could not be checked: %w; try again", envelope(kind, request), err))
}

// refused words a refusal. It is 403 and not 422, because clients such as
// kubectl print the causes of a 422 in place of its message.
func refused[T any](kind Kind, request Request[T], verdict Verdict) admission.Response {
	causes := make([]metav1.StatusCause, 0, len(verdict.Problems))
	lines := make([]string, 0, len(verdict.Problems))

	for _, problem := range verdict.Problems {
		text := sentence(problem)
		lines = append(lines, text)
		causes = append(causes, metav1.StatusCause{
			Type: metav1.CauseType(problem.Type), Field: problem.Field, Message: text,
		})
	}

	message := envelope(kind, request) + " " + lines[0]
	if len(lines) > 1 {
		message = fmt.Sprintf("%s of %d problems:\n- %s", envelope(kind, request), len(lines), strings.Join(lines, "\n- "))
	}

	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
		Warnings: verdict.Warnings,
		Result: &metav1.Status{
			Status:  metav1.StatusFailure,
			Code:    http.StatusForbidden,
			Reason:  metav1.StatusReasonForbidden,
			Message: message,
			Details: &metav1.StatusDetails{
				Group: v1alpha1.SchemeGroupVersion.Group, Kind: kind.Resource, Name: request.Name, Causes: causes,
			},
		},
	}}
}

// envelope begins every refusal the way vm-dhcp-controller did, so that what
// matches its messages matches ours.
func envelope[T any](kind Kind, request Request[T]) string {
	return fmt.Sprintf("cannot %s %s %s/%s because",
		strings.ToLower(string(request.Operation)), kind.Singular, request.Namespace, request.Name)
}

// sentence writes a problem; one without a field is its detail only.
func sentence(problem *field.Error) string {
	if problem.Field == "" {
		return problem.Detail
	}

	return problem.Error()
}
