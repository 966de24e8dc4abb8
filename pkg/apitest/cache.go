package apitest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

// Cache is a view of a Store as an informer has it: it knows what it was brought
// and no more. Make one with NewCache. It is not safe for concurrent use.
type Cache[T Object] struct {
	store   *Store[T]
	at      int
	objects map[string]T
	indexes map[string]func(T) ([]string, error)
	// OnEvent, when set, is told of every message, in order.
	OnEvent func(Event[T])
}

// NewCache returns an empty cache of the store, with these indexes.
func NewCache[T Object](store *Store[T], indexes map[string]func(T) ([]string, error)) *Cache[T] {
	return &Cache[T]{store: store, objects: map[string]T{}, indexes: indexes}
}

// CacheOf returns a cache that knows these objects, with these indexes. No store
// is behind it, so nothing ever changes.
func CacheOf[T Object](indexes map[string]func(T) ([]string, error), objects ...T) *Cache[T] {
	c := NewCache(NewStore[T](&Server{}, "objects", nil), indexes)
	for _, object := range objects {
		c.objects[Key(object)] = object
	}

	return c
}

// Pools returns a cache that knows these pools and finds them by their network.
func Pools(pools ...*v1alpha1.IPPool) *Cache[*v1alpha1.IPPool] {
	return CacheOf(map[string]func(*v1alpha1.IPPool) ([]string, error){kube.IndexPoolByNetwork: kube.PoolNetworks}, pools...)
}

// Step brings the next message, and tells whether there was one.
func (c *Cache[T]) Step() bool {
	c.store.server.mu.Lock()

	if c.at == len(c.store.events) {
		c.store.server.mu.Unlock()

		return false
	}

	next := c.store.events[c.at]
	c.at++
	c.store.server.mu.Unlock()

	if next.Deleted {
		delete(c.objects, Key(next.Object))
	} else {
		c.objects[Key(next.Object)] = next.Object
	}

	if c.OnEvent != nil {
		c.OnEvent(next)
	}

	return true
}

// Sync brings all messages.
func (c *Cache[T]) Sync() {
	for c.Step() {
	}
}

// Get returns the cached object itself, as informers do: it must not be changed.
func (c *Cache[T]) Get(namespace, name string) (T, error) {
	object, exists := c.objects[key(namespace, name)]
	if !exists {
		return object, apierrors.NewNotFound(c.store.resource, name)
	}

	return object, nil
}

// List returns the cached objects of a namespace, or of all for "".
func (c *Cache[T]) List(namespace string, selector labels.Selector) ([]T, error) {
	var found []T

	for _, name := range slices.Sorted(maps.Keys(c.objects)) {
		object := c.objects[name]
		if (namespace == "" || strings.HasPrefix(name, namespace+"/")) && selector.Matches(labels.Set(object.GetLabels())) {
			found = append(found, object)
		}
	}

	return found, nil
}

// GetByIndex returns the cached objects that the index has under that key.
func (c *Cache[T]) GetByIndex(index, under string) ([]T, error) {
	keysOf, known := c.indexes[index]
	if !known {
		return nil, fmt.Errorf("index %s does not exist", index)
	}

	var found []T

	for _, name := range slices.Sorted(maps.Keys(c.objects)) {
		keys, err := keysOf(c.objects[name])
		if err != nil {
			return nil, err
		}

		if slices.Contains(keys, under) {
			found = append(found, c.objects[name])
		}
	}

	return found, nil
}
