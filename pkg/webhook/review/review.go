package review

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// Request is a question of the API server about one object of type T.
type Request[T any] struct {
	// Operation is CREATE, UPDATE or DELETE.
	Operation admissionv1.Operation
	// User is who asks, such as "system:serviceaccount:ns:name".
	User string
	// Namespace is the object's.
	Namespace string
	// Name is the object's; on CREATE it may be a generated name's prefix and "*".
	Name string
	// Object is the object as it shall be. It is nil when the operation is DELETE.
	Object *T
	// Old is the object as it is. It is nil when the operation is CREATE.
	Old *T
}

// Verdict is what the rules of a kind say to a request. The request is refused
// when there is a problem. Warnings are shown to the user either way.
type Verdict struct {
	// Problems name the field from the root of the object, its value, what is
	// wrong and what to do about it. One without a field is about the object as
	// a whole and is worded to follow "because".
	Problems field.ErrorList
	Warnings []string
}

// Refuse adds problems.
func (v *Verdict) Refuse(problems ...*field.Error) { v.Problems = append(v.Problems, problems...) }

// Warn adds a warning, formatted as fmt.Sprintf does. The API server cuts
// warnings of more than 256 characters.
func (v *Verdict) Warn(format string, arguments ...any) {
	v.Warnings = append(v.Warnings, fmt.Sprintf(format, arguments...))
}

// Edit is one change to an object: Value is put at Path, and what is missing of
// the path is made. The nil Value removes what is there.
type Edit struct {
	Path  []string
	Value any
}

// Changes is what the defaults of a kind do to a request.
type Changes struct {
	Edits    []Edit
	Warnings []string
}

// Set adds the edit that puts value at path.
func (c *Changes) Set(value any, path ...string) {
	c.Edits = append(c.Edits, Edit{Path: path, Value: value})
}

// Warn adds a warning, formatted as fmt.Sprintf does.
func (c *Changes) Warn(format string, arguments ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, arguments...))
}

// Rules judge a request. The error says that it could not be judged, such as
// when the API server did not answer; it is never a judgement.
type Rules[T any] func(context.Context, Request[T]) (Verdict, error)

// Defaults complete the object of a CREATE or an UPDATE. The error says that it
// could not be completed for a reason that lies outside the object; an object
// that is wrong is left for the rules to refuse.
type Defaults[T any] func(context.Context, Request[T]) (Changes, error)

// Kind names the objects that an endpoint is about.
type Kind struct {
	// Singular is the kind in messages, such as "IPPool".
	Singular string
	// Resource is the kind in the API's paths, such as "ippools".
	Resource string
}

// decode reads the API server's question. The error is for the one who asked.
func decode[T any](kind Kind, question admissionv1.AdmissionRequest) (Request[T], error) {
	group := v1alpha1.SchemeGroupVersion.Group
	if question.Resource.Group != group || question.Resource.Resource != kind.Resource {
		return Request[T]{}, fmt.Errorf("the question is about %s.%s, but only %s.%s are judged here; correct the path in the webhook configuration",
			question.Resource.Resource, question.Resource.Group, kind.Resource, group)
	}

	request := Request[T]{
		Operation: question.Operation,
		User:      question.UserInfo.Username,
		Namespace: question.Namespace,
		Name:      question.Name,
	}

	var err error

	switch question.Operation {
	case admissionv1.Create:
		request.Object, err = object[T]("object", question.Object.Raw)
	case admissionv1.Update:
		if request.Object, err = object[T]("object", question.Object.Raw); err == nil {
			request.Old, err = object[T]("oldObject", question.OldObject.Raw)
		}
	case admissionv1.Delete:
		request.Old, err = object[T]("oldObject", question.OldObject.Raw)
	case admissionv1.Connect:
		err = unknownOperation(question.Operation)
	default:
		err = unknownOperation(question.Operation)
	}

	if err != nil {
		return Request[T]{}, err
	}

	if request.Name == "" {
		request.Name = nameOf(question.Object.Raw)
	}

	return request, nil
}

func unknownOperation(operation admissionv1.Operation) error {
	return fmt.Errorf("the operation %q is not judged here; the webhook configuration may list CREATE, UPDATE and DELETE", operation)
}

func object[T any](part string, raw []byte) (*T, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, fmt.Errorf("request.%s is empty, so there is nothing to judge", part)
	}

	decoded := new(T)
	if err := json.Unmarshal(raw, decoded); err != nil {
		return nil, fmt.Errorf("request.%s cannot be read: %w", part, err)
	}

	return decoded, nil
}

// nameOf returns the name of an object that the API server has not named yet.
func nameOf(raw []byte) string {
	var named struct {
		Metadata struct {
			Name         string `json:"name"`
			GenerateName string `json:"generateName"`
		} `json:"metadata"`
	}

	if err := json.Unmarshal(raw, &named); err != nil {
		return ""
	}

	if named.Metadata.Name == "" && named.Metadata.GenerateName != "" {
		return named.Metadata.GenerateName + "*"
	}

	return named.Metadata.Name
}
