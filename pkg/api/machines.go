package api

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
)

func (a *API) listNetworks(call *Call) (Answer, error) {
	q, err := call.query("limit", "continue", "namespace", "q")
	if err != nil {
		return Answer{}, err
	}

	want, err := q.page("")
	if err != nil {
		return Answer{}, err
	}

	visible, err := call.Visible(v1.ChangeNetwork, q.get("namespace"))
	if err != nil {
		return Answer{}, err
	}

	listed := a.config.Store.Networks(store.NetworkQuery{Visible: visible, Namespace: q.get("namespace"), Text: q.get("q")}, want)

	return tagged(v1.NetworkList{Items: listed.Items, Total: listed.Total, Continue: q.next(listed.Next)}), nil
}

func (a *API) listAgents(call *Call) (Answer, error) {
	q, err := call.query("limit", "continue", "namespace", "pool")
	if err != nil {
		return Answer{}, err
	}

	want, err := q.page("")
	if err != nil {
		return Answer{}, err
	}

	visible, err := call.Visible(v1.ChangeAgent, q.get("namespace"))
	if err != nil {
		return Answer{}, err
	}

	listed := a.config.Store.Agents(func(pool store.Key) bool {
		return (visible == nil || visible[pool.Namespace]) && (q.get("pool") == "" || q.get("pool") == pool.Name)
	}, want)

	return tagged(v1.AgentList{Items: listed.Items, Total: listed.Total, Continue: q.next(listed.Next)}), nil
}

func (a *API) listVMs(call *Call) (Answer, error) {
	q, err := call.query("limit", "continue", "namespace", "q", "state")
	if err != nil {
		return Answer{}, err
	}

	wanted, err := states(q, v1.VMAddressed, v1.VMWaiting, v1.VMPaused, v1.VMUnmanaged)
	if err != nil {
		return Answer{}, err
	}

	want, err := q.page("")
	if err != nil {
		return Answer{}, err
	}

	visible, err := call.Visible(v1.ChangeVM, q.get("namespace"))
	if err != nil {
		return Answer{}, err
	}

	listed := a.config.Store.VMs(store.VMQuery{
		Visible: visible, Namespace: q.get("namespace"), Text: q.get("q"), States: wanted,
	}, want)

	return tagged(v1.VMList{Items: listed.Items, Total: listed.Total, Continue: q.next(listed.Next)}), nil
}

func (a *API) getVM(call *Call) (Answer, error) {
	key := call.key()

	if err := call.Require("get", Object(v1.ChangeVM, key.Namespace, key.Name)); err != nil {
		return Answer{}, err
	}

	if _, err := call.query(); err != nil {
		return Answer{}, err
	}

	body, found := a.config.Store.VM(key)
	if !found {
		return Answer{}, problem.NotFound(v1.KindVM, key.Namespace, key.Name)
	}

	allowed, err := call.allowed(map[string]ask{v1.MayPause: {"update", access.Object{
		Group: access.GroupFreehold, Resource: "virtualmachinenetworkconfigs", Namespace: key.Namespace, Name: a.config.Store.RequestOf(key),
	}}})
	if err != nil {
		return Answer{}, err
	}

	body.Allowed = allowed

	return tagged(body), nil
}

func (a *API) explainVM(call *Call) (Answer, error) {
	key := call.key()

	if err := call.Require("get", Object(v1.ChangeVM, key.Namespace, key.Name)); err != nil {
		return Answer{}, err
	}

	if _, err := call.query(); err != nil {
		return Answer{}, err
	}

	facts, found := a.config.Store.Explained(key)
	if !found {
		return Answer{}, problem.NotFound(v1.KindVM, key.Namespace, key.Name)
	}

	for i := range facts.NICs {
		a.observeNIC(call, &facts.NICs[i])
	}

	return OK(view.Explain(facts)), nil
}

// observeNIC adds what the agents saw of the NIC.
func (a *API) observeNIC(call *Call, nic *view.NICFacts) {
	if nic.Lease == nil {
		return
	}

	if a.config.Observer == nil {
		nic.Observed = v1.Observed{Why: unasked}

		return
	}

	who, ok := watched(*nic.Lease)
	if !ok {
		nic.Observed = v1.Observed{Why: "the lease names no address that can be read"}

		return
	}

	seen := a.observe(call.Context(), types.NamespacedName{Namespace: nic.Lease.Namespace, Name: nic.Lease.Pool}, []Watched{who}, detailDeadline)
	nic.Observed = seen.of(who)

	if slices.ContainsFunc(seen.Declined, func(one netip.Addr) bool { return one == who.Address }) {
		nic.Lease.State = v1.LeaseConflict
	}
}
