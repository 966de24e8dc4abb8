package api

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

func (a *API) listLeases(call *Call) (Answer, error) {
	return a.leases(call, store.Key{})
}

func (a *API) listPoolLeases(call *Call) (Answer, error) {
	return a.leases(call, call.key())
}

// leases answers with a page or a file of leases; of one pool, if it is named.
func (a *API) leases(call *Call, pool store.Key) (Answer, error) {
	visible, err := call.Visible(v1.ChangeLease, pool.Namespace)
	if err != nil {
		return Answer{}, err
	}

	q, err := call.query("limit", "continue", "q", "address", "mac", "vm", "hostname", "namespace", "network", "state", "sort", "format", "observed")
	if err != nil {
		return Answer{}, err
	}

	wanted, err := leaseQuery(q)
	if err != nil {
		return Answer{}, err
	}

	wanted.Visible, wanted.Pool = visible, pool

	if pool.Name != "" {
		if _, found := a.config.Store.Pool(pool); !found {
			return Answer{}, problem.NotFound(v1.KindPool, pool.Namespace, pool.Name)
		}
	}

	sort, err := q.one("sort", "address", "-address", "mac", "-mac", "vm", "-vm", "network", "-network", "state", "-state", "created", "-created")
	if err != nil {
		return Answer{}, err
	}

	format, err := q.one("format", "", "csv", "json")
	if err != nil {
		return Answer{}, err
	}

	if format != "" {
		return a.exportLeases(wanted, sort, format)
	}

	want, err := q.page(sort)
	if err != nil {
		return Answer{}, err
	}

	listed, err := a.config.Store.Leases(wanted, want)
	if err != nil {
		return Answer{}, asked(err)
	}

	body := v1.LeaseList{Items: listed.Items, Total: listed.Total, Continue: q.next(listed.Next)}

	if err := a.observePage(call, want.Limit, &body); err != nil {
		return Answer{}, err
	}

	return tagged(body), nil
}

func leaseQuery(q query) (store.LeaseQuery, error) {
	wanted, err := states(q, v1.LeaseAllocated, v1.LeaseReserved, v1.LeaseConflict, v1.LeaseOrphaned)

	return store.LeaseQuery{
		Text: q.get("q"), Address: q.get("address"), MAC: q.get("mac"), VM: q.get("vm"), Hostname: q.get("hostname"),
		Namespace: q.get("namespace"), Network: q.get("network"), States: wanted,
	}, err
}

// observePage adds to the page what the agents saw, if the caller asks for it.
func (a *API) observePage(call *Call, limit int, body *v1.LeaseList) error {
	wanted, err := call.flag("observed")
	if err != nil || !wanted {
		return err
	}

	if limit > MaxObserved {
		return problem.Parameter("observed", "true", "is for pages of at most 100 leases", "set limit to 100 or less")
	}

	if a.config.Observer == nil {
		for i := range body.Items {
			body.Items[i].Observed = &v1.Observed{Why: unasked}
		}

		return nil
	}

	// By pool, because each has agents of its own.
	pools := map[types.NamespacedName][]int{}

	for i, lease := range body.Items {
		pool := types.NamespacedName{Namespace: lease.Namespace, Name: lease.Pool}
		pools[pool] = append(pools[pool], i)
	}

	body.Gaps, err = a.observePools(call, pools, body.Items)

	return err
}

func (a *API) getLease(call *Call) (Answer, error) {
	key := call.key()
	this := Object(v1.ChangeLease, key.Namespace, key.Name)

	if err := call.Require("get", this); err != nil {
		return Answer{}, err
	}

	if _, err := call.query(); err != nil {
		return Answer{}, err
	}

	body, found := a.config.Store.Lease(key)
	if !found {
		return Answer{}, problem.NotFound(v1.KindLease, key.Namespace, key.Name)
	}

	observed, seen := a.observeLease(call.Context(), body)

	// What was heard just now may have changed what the lease is.
	if seen.Answered > 0 {
		if again, there := a.config.Store.Lease(key); there {
			body = again
		}
	}

	body.Observed = &observed

	asks := map[string]ask{v1.MayRelease: {"delete", this}}

	request, owned := a.config.Store.OwnerOf(key)
	if owned {
		asks[v1.MayFix] = ask{"update", access.Object{
			Group: access.GroupFreehold, Resource: "virtualmachinenetworkconfigs", Namespace: request.Namespace, Name: request.Name,
		}}
	}

	allowed, err := call.allowed(asks)
	if err != nil {
		return Answer{}, err
	}

	// Without a request there is nothing to write the address into.
	allowed[v1.MayFix] = owned && allowed[v1.MayFix]
	body.Allowed = allowed

	return tagged(body), nil
}

func (a *API) getHistory(call *Call) (Answer, error) {
	key := call.key()

	if err := call.Require("get", Object(v1.ChangeLease, key.Namespace, key.Name)); err != nil {
		return Answer{}, err
	}

	if _, err := call.query(); err != nil {
		return Answer{}, err
	}

	lease, found := a.config.Store.Lease(key)
	changes, since := a.config.Store.History(key)

	if !found && len(changes) == 0 {
		return Answer{}, problem.NotFound(v1.KindLease, key.Namespace, key.Name)
	}

	body := v1.History{Items: append([]v1.HistoryItem{}, changes...), Since: since.At, Note: historyNote(since)}

	if found {
		body.Items = withCreation(body.Items, lease)

		observed, seen := a.observeLease(call.Context(), lease)
		if nic, ok := watched(lease); ok {
			body.Items = append(body.Items, seen.Messages[nic.Address]...)
		}

		body.Gaps = seen.Gaps

		if !observed.Known {
			body.Note += " DHCP messages: " + observed.Why + "."
		} else {
			body.Note += " DHCP messages are the last few that each agent has in memory."
		}
	}

	slices.SortStableFunc(body.Items, func(x, y v1.HistoryItem) int { return y.At.Compare(x.At) })

	return OK(body), nil
}

func historyNote(since store.Since) string {
	if since.Cut {
		return "Changes before " + since.At.Format(time.RFC3339) + " are forgotten, because there were many since."
	}

	return "Changes are known since this replica of the manager started; of what was before, only when the lease was made."
}

// withCreation adds when the object was made, unless a change tells it.
func withCreation(items []v1.HistoryItem, lease v1.Lease) []v1.HistoryItem {
	for _, item := range items {
		// The object tells seconds, and the clocks are two.
		if item.What == "Created" && item.At.Sub(lease.CreatedAt).Abs() < 10*time.Second {
			return items
		}
	}

	return append(items, v1.HistoryItem{
		At: lease.CreatedAt, Source: v1.SourceObject, What: "Created", Detail: "origin " + lease.Origin,
	})
}
