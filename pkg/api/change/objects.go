package change

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

const (
	// changeQPS and changeBurst bound the changes of one replica. They have a
	// client of their own, so that callers cannot keep controllers from writing.
	changeQPS   = 50
	changeBurst = 100
)

// objects reads and writes our kinds as they are written, so that a field that
// this build does not know is left alone. Unlike the generated clients they take
// a context and can do as if.
type objects struct {
	client dynamic.Interface
}

func newObjects(config *rest.Config) (objects, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.RateLimiter = changeQPS, changeBurst, nil
	config.WarningHandlerWithContext = heard{}

	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return objects{}, fmt.Errorf("make the client that makes changes: %w", err)
	}

	return objects{client: client}, nil
}

func (o objects) of(resource, namespace string) dynamic.ResourceInterface {
	return o.client.Resource(v1alpha1.SchemeGroupVersion.WithResource(resource)).Namespace(namespace)
}

// dry is the option of a write that is to be checked only.
func dry(run bool) []string {
	if run {
		return []string{metav1.DryRunAll}
	}

	return nil
}

// read gets an object from the API server itself.
func read[T any](ctx context.Context, o objects, resource string, key ledger.Key) (*T, *unstructured.Unstructured, error) {
	found, err := o.of(resource, key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}

	typed, err := as[T](found)

	return typed, found, err
}

// create makes an object. Fields that the API server does not know are refused.
func create[T any](ctx context.Context, o objects, resource string, kind string, object any, run bool) (*T, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", kind, err)
	}

	made := &unstructured.Unstructured{Object: content}
	made.SetGroupVersionKind(schema.GroupVersionKind{
		Group: v1alpha1.SchemeGroupVersion.Group, Version: v1alpha1.SchemeGroupVersion.Version, Kind: kind,
	})

	answer, err := o.of(resource, made.GetNamespace()).Create(ctx, made, metav1.CreateOptions{
		DryRun: dry(run), FieldValidation: metav1.FieldValidationStrict,
	})
	if err != nil {
		return nil, err
	}

	return as[T](answer)
}

// patch applies a merge patch (RFC 7396).
func patch[T any](ctx context.Context, o objects, resource string, key ledger.Key, change any, run bool) (*T, error) {
	data, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("write the patch of %s: %w", key, err)
	}

	answer, err := o.of(resource, key.Namespace).Patch(ctx, key.Name, types.MergePatchType, data, metav1.PatchOptions{
		DryRun: dry(run), FieldValidation: metav1.FieldValidationStrict,
	})
	if err != nil {
		return nil, err
	}

	return as[T](answer)
}

func as[T any](object *unstructured.Unstructured) (*T, error) {
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}

	return typed, nil
}

// heard hands the warnings of the API server to whoever listens in the context.
type heard struct{}

// listenerKey finds the listener in a context.
type listenerKey struct{}

// warnings are what the API server warned of. It is safe for concurrent use.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// listening returns a context whose calls' warnings are kept.
func listening(ctx context.Context) (context.Context, *warnings) {
	kept := &warnings{}

	return context.WithValue(ctx, listenerKey{}, kept), kept
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (heard) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	const miscellaneous = 299 // RFC 7234, section 5.5.7: what Kubernetes warns with

	kept, ok := ctx.Value(listenerKey{}).(*warnings)
	if !ok || code != miscellaneous || text == "" {
		return
	}

	kept.mu.Lock()
	defer kept.mu.Unlock()

	kept.texts = append(kept.texts, text)
}

// all are the warnings so far; never nil.
func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return append([]string{}, w.texts...)
}
