package api

import (
	"maps"
	"slices"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

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
	all := c.api.config.Store.Namespaces(kind)
	may := make([]bool, len(all))

	err := together(len(all), func(i int) (err error) {
		may[i], err = c.May(verb, Object(kind, all[i], ""))

		return err
	})
	if err != nil {
		return nil, err
	}

	found := map[string]bool{}

	for i, namespace := range all {
		if may[i] {
			found[namespace] = true
		}
	}

	return found, nil
}

// allowed asks for many things at once.
func (c *Call) allowed(asked map[string]ask) (v1.Allowed, error) {
	names := slices.Sorted(maps.Keys(asked))
	may := make([]bool, len(names))

	err := together(len(names), func(i int) (err error) {
		one := asked[names[i]]
		may[i], err = c.May(one.verb, one.object)

		return err
	})
	if err != nil {
		return nil, err
	}

	allowed := v1.Allowed{}
	for i, name := range names {
		allowed[name] = may[i]
	}

	return allowed, nil
}

// ask is one thing that a caller may be allowed to do.
type ask struct {
	verb   string
	object access.Object
}
