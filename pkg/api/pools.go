package api

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api/problem"
	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/convert"
)

func keyOf(namespace, name string) store.Key {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// key is the object that the path names.
func (c *Call) key() store.Key { return keyOf(c.Var("namespace"), c.Var("name")) }

func (a *API) listPools(call *Call) (Answer, error) {
	q, err := call.query("limit", "continue", "namespace", "network", "state", "q", "sort")
	if err != nil {
		return Answer{}, err
	}

	sort, err := q.one("sort", "name", "attention", "used")
	if err != nil {
		return Answer{}, err
	}

	wanted, err := states(q, v1.PoolReady, v1.PoolDegraded, v1.PoolUnserved, v1.PoolPaused, v1.PoolInvalid, v1.PoolUnknown)
	if err != nil {
		return Answer{}, err
	}

	want, err := q.page(sort)
	if err != nil {
		return Answer{}, err
	}

	visible, err := call.Visible(v1.ChangePool, q.get("namespace"))
	if err != nil {
		return Answer{}, err
	}

	listed := a.config.Store.Pools(store.PoolQuery{
		Visible: visible, Namespace: q.get("namespace"), Network: q.get("network"), Text: q.get("q"), States: wanted,
	}, want)

	return tagged(v1.PoolList{Items: listed.Items, Total: listed.Total, Continue: q.next(listed.Next)}), nil
}

func (a *API) getPool(call *Call) (Answer, error) {
	key := call.key()
	this := Object(v1.ChangePool, key.Namespace, key.Name)

	if err := call.Require("get", this); err != nil {
		return Answer{}, err
	}

	if _, err := call.query(); err != nil {
		return Answer{}, err
	}

	body, found := a.config.Store.Pool(key)
	if !found {
		return Answer{}, problem.NotFound(v1.KindPool, key.Namespace, key.Name)
	}

	allowed, err := call.allowed(map[string]ask{
		v1.MayEdit: {"update", this}, v1.MayPause: {"update", this}, v1.MayDelete: {"delete", this},
		v1.MayReserve: {"create", Object(v1.ChangeLease, key.Namespace, "")},
	})
	if err != nil {
		return Answer{}, err
	}

	body.Allowed = allowed

	return tagged(body), nil
}

func (a *API) getAddresses(call *Call) (Answer, error) {
	key := call.key()

	if err := call.Require("get", Object(v1.ChangePool, key.Namespace, key.Name)); err != nil {
		return Answer{}, err
	}

	q, err := call.query("from", "to", "detail")
	if err != nil {
		return Answer{}, err
	}

	detail, err := call.flag("detail")
	if err != nil {
		return Answer{}, err
	}

	// Who holds what is in the leases, and whoever reads them here could list
	// them as well.
	if detail {
		if err := call.Require("list", Object(v1.ChangeLease, key.Namespace, "")); err != nil {
			return Answer{}, err
		}
	}

	ends := map[string]netip.Addr{}

	for _, name := range []string{"from", "to"} {
		if text := q.get(name); text != "" {
			address, err := convert.IPv4(text)
			if err != nil {
				detail, remedy := problem.Split(err.Error())

				return Answer{}, problem.Parameter(name, text, detail, remedy)
			}

			ends[name] = address
		}
	}

	var gaps []v1.Gap
	if a.config.Observer != nil {
		gaps = a.observe(call.Context(), key, nil, pageDeadline).Gaps
	}

	body, found, err := a.config.Store.Addresses(key, ends["from"], ends["to"], detail)

	switch {
	case err != nil:
		return Answer{}, asked(err)
	case !found:
		return Answer{}, problem.NotFound(v1.KindPool, key.Namespace, key.Name)
	default:
		body.Gaps = gaps

		return tagged(body), nil
	}
}
