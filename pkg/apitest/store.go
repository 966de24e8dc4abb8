// Package apitest is a small API server in memory for tests of controllers: one
// Store a kind, with unique names, resource versions, conflicts, preconditions
// and the status subresource, and a Cache of it that lags as an informer's does.
//
// A test can make any call fail, before or after it was carried out: the latter
// is what a crash or a cut connection looks like to who called.
package apitest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Object is a kind that a Store can hold: a pointer to an API type.
type Object interface {
	comparable
	runtime.Object
	metav1.Object
}

// Server counts what all stores of one test share: resource versions, UIDs and
// the time. It is safe for concurrent use; the zero value is ready.
type Server struct {
	mu      sync.Mutex
	version uint64
	uids    int
	writes  []string
	// Intercept, when set, is called for each write before it is carried out
	// and again after it was, with done true. An error is what the caller gets.
	Intercept func(verb, name string, done bool) error
}

// Writes returns the writes that changed something, as "verb kind namespace/name",
// in order, and forgets them.
func (s *Server) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	writes := s.writes
	s.writes = nil

	return writes
}

// Event is one message of a watch.
type Event[T Object] struct {
	Object  T
	Deleted bool
}

// Store holds the objects of one kind. Make one with NewStore. It is safe for
// concurrent use; objects go in and come out as copies.
type Store[T Object] struct {
	server   *Server
	resource schema.GroupResource
	// takeStatus puts the status of from into into; nil without a subresource.
	takeStatus func(into, from T)
	objects    map[string]T
	events     []Event[T]
	// Enqueued has the keys that were enqueued, in order.
	Enqueued []string
}

// NewStore returns an empty store. The function takeStatus copies the status of
// one object into another; nil for kinds without a status subresource.
func NewStore[T Object](server *Server, resource string, takeStatus func(into, from T)) *Store[T] {
	return &Store[T]{
		server: server, resource: schema.GroupResource{Resource: resource},
		takeStatus: takeStatus, objects: map[string]T{},
	}
}

func deepCopy[T Object](object T) T {
	copied, ok := object.DeepCopyObject().(T)
	if !ok {
		panic("apitest: must never copy an object to another kind")
	}

	return copied
}

// Key is the object's key, "namespace/name", or the name of a kind without namespaces.
func Key(object metav1.Object) string { return key(object.GetNamespace(), object.GetName()) }

func key(namespace, name string) string {
	if namespace == "" {
		return name
	}

	return namespace + "/" + name
}

// write carries one write out under the lock, between the two intercepts.
func (s *Store[T]) write(verb, name string, do func() (T, bool, error)) (T, error) {
	var none T

	if intercept := s.server.Intercept; intercept != nil {
		if err := intercept(verb, name, false); err != nil {
			return none, err
		}
	}

	s.server.mu.Lock()
	result, changed, err := do()

	if changed {
		s.server.writes = append(s.server.writes, verb+" "+s.resource.Resource+" "+name)
	}

	s.server.mu.Unlock()

	if err != nil {
		return none, err
	}

	if intercept := s.server.Intercept; intercept != nil {
		if err := intercept(verb, name, true); err != nil {
			return none, err
		}
	}

	return result, nil
}

// put stores object under a new version and tells the watch.
func (s *Store[T]) put(object T) T {
	s.server.version++
	object.SetResourceVersion(strconv.FormatUint(s.server.version, 10))
	s.objects[Key(object)] = object
	s.events = append(s.events, Event[T]{Object: deepCopy(object)})

	return deepCopy(object)
}

// Create stores a new object, with a UID unless it has one.
func (s *Store[T]) Create(object T) (T, error) {
	return s.write("create", Key(object), func() (T, bool, error) {
		if _, exists := s.objects[Key(object)]; exists {
			return object, false, apierrors.NewAlreadyExists(s.resource, object.GetName())
		}

		created := deepCopy(object)
		s.server.uids++

		if created.GetUID() == "" {
			created.SetUID(types.UID(fmt.Sprintf("uid-%d", s.server.uids)))
		}

		if created.GetCreationTimestamp().Time.IsZero() {
			created.SetCreationTimestamp(metav1.NewTime(time.Unix(int64(s.server.uids), 0)))
		}

		if created.GetGeneration() == 0 {
			created.SetGeneration(1)
		}

		return s.put(created), true, nil
	})
}

// Update replaces an object but for its status, if that is a subresource.
func (s *Store[T]) Update(object T) (T, error) {
	return s.replace("update", object, func(current T) T {
		next := deepCopy(object)
		if s.takeStatus != nil {
			s.takeStatus(next, current)
		}

		next.SetGeneration(current.GetGeneration())

		if !equality.Semantic.DeepEqual(current, next) {
			next.SetGeneration(current.GetGeneration() + 1)
		}

		return next
	})
}

// UpdateStatus replaces the status of an object and nothing else.
func (s *Store[T]) UpdateStatus(object T) (T, error) {
	return s.replace("updateStatus", object, func(current T) T {
		next := deepCopy(current)
		s.takeStatus(next, object)

		return next
	})
}

func (s *Store[T]) replace(verb string, object T, with func(current T) T) (T, error) {
	return s.write(verb, Key(object), func() (T, bool, error) {
		current, exists := s.objects[Key(object)]

		switch {
		case !exists:
			return object, false, apierrors.NewNotFound(s.resource, object.GetName())
		case object.GetResourceVersion() != "" && object.GetResourceVersion() != current.GetResourceVersion(),
			object.GetUID() != current.GetUID():
			return object, false, apierrors.NewConflict(s.resource, object.GetName(), fmt.Errorf("version is %s", current.GetResourceVersion()))
		}

		next := with(current)
		next.SetResourceVersion(current.GetResourceVersion())

		if equality.Semantic.DeepEqual(current, next) {
			return deepCopy(current), false, nil
		}

		return s.put(next), true, nil
	})
}

// Delete removes an object, if the preconditions hold.
func (s *Store[T]) Delete(namespace, name string, options *metav1.DeleteOptions) error {
	_, err := s.write("delete", key(namespace, name), func() (T, bool, error) {
		current, exists := s.objects[key(namespace, name)]
		if !exists {
			return current, false, apierrors.NewNotFound(s.resource, name)
		}

		if options != nil && options.Preconditions != nil {
			want := options.Preconditions
			if want.UID != nil && *want.UID != current.GetUID() ||
				want.ResourceVersion != nil && *want.ResourceVersion != current.GetResourceVersion() {
				return current, false, apierrors.NewConflict(s.resource, name, fmt.Errorf("precondition failed"))
			}
		}

		delete(s.objects, key(namespace, name))
		s.server.version++
		last := deepCopy(current)
		last.SetResourceVersion(strconv.FormatUint(s.server.version, 10))
		s.events = append(s.events, Event[T]{Object: last, Deleted: true})

		return current, true, nil
	})

	return err
}

// Get returns an object as it is on the server now.
func (s *Store[T]) Get(namespace, name string, _ metav1.GetOptions) (T, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()

	object, exists := s.objects[key(namespace, name)]
	if !exists {
		return object, apierrors.NewNotFound(s.resource, name)
	}

	return deepCopy(object), nil
}

// All returns all objects in the order of their keys.
func (s *Store[T]) All() []T {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()

	all := make([]T, 0, len(s.objects))
	for _, name := range slices.Sorted(maps.Keys(s.objects)) {
		all = append(all, deepCopy(s.objects[name]))
	}

	return all
}

// EnqueueAfter notes the key in Enqueued, whatever the pause.
func (s *Store[T]) EnqueueAfter(namespace, name string, _ time.Duration) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()

	s.Enqueued = append(s.Enqueued, key(namespace, name))
}
