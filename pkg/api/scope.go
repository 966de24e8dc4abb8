package api

import (
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// reviews is how many reviews of one call are under way at once.
const reviews = 8

// resource is what callers are reviewed for, for a kind of body.
func resource(kind v1.ChangeKind) access.Object {
	switch kind {
	case v1.ChangeLease:
		return access.Object{Group: access.GroupFreehold, Resource: "ipleases"}
	case v1.ChangeNetwork:
		return access.Object{Group: access.GroupMultus, Resource: "network-attachment-definitions"}
	case v1.ChangeVM:
		return access.Object{Group: access.GroupKubeVirt, Resource: "virtualmachines"}
	default: // pools, and their agents
		return access.Object{Group: access.GroupFreehold, Resource: "ippools"}
	}
}

// Object is what a caller is reviewed for who wants to see an object of that
// kind: the pool itself, for example. For a list, leave the name out, or both.
// An agent is reviewed as its pool is.
func Object(kind v1.ChangeKind, namespace, name string) access.Object {
	object := resource(kind)
	object.Namespace, object.Name = namespace, name

	return object
}

// Visible returns the namespaces in which the caller may list objects of the
// kind; nil for all of them. With a namespace, it is that one or 403. A caller
// who may list them nowhere is answered 403, and not an empty list, which would
// say that there are none.
func (c *Call) Visible(kind v1.ChangeKind, namespace string) (map[string]bool, error) {
	if namespace != "" {
		if err := c.Require("list", Object(kind, namespace, "")); err != nil {
			return nil, err
		}

		return map[string]bool{namespace: true}, nil
	}

	everywhere, err := c.May("list", Object(kind, "", ""))
	if err != nil || everywhere {
		return nil, err
	}

	visible, err := c.namespaces("list", kind)
	if err != nil {
		return nil, err
	}

	if len(visible) == 0 {
		return nil, problem.Forbidden(c.Caller.GetName(), "list", Object(kind, "", ""))
	}

	return visible, nil
}

// namespaces returns those with objects of the kind in which the caller may do
// the verb.
func (c *Call) namespaces(verb string, kind v1.ChangeKind) (map[string]bool, error) {
	var (
		group errgroup.Group
		mu    sync.Mutex
	)

	group.SetLimit(reviews)

	found := map[string]bool{}

	for _, namespace := range c.api.config.Store.Namespaces(kind) {
		group.Go(func() error {
			may, err := c.May(verb, Object(kind, namespace, ""))

			if may {
				mu.Lock()
				defer mu.Unlock()

				found[namespace] = true
			}

			return err
		})
	}

	return found, group.Wait() //nolint:wrapcheck // problems already
}

// allowed asks for many things at once.
func (c *Call) allowed(asked map[string]ask) (v1.Allowed, error) {
	var (
		group errgroup.Group
		mu    sync.Mutex
	)

	group.SetLimit(reviews)

	allowed := v1.Allowed{}

	for name, one := range asked {
		group.Go(func() error {
			may, err := c.May(one.verb, one.object)

			mu.Lock()
			defer mu.Unlock()

			allowed[name] = may

			return err
		})
	}

	return allowed, group.Wait() //nolint:wrapcheck // problems already
}

// ask is one thing that a caller may be allowed to do.
type ask struct {
	verb   string
	object access.Object
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}

	slices.Sort(keys)

	return keys
}
