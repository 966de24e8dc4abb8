// Package debugview serves the debug views of vm-dhcp-controller, in its JSON,
// so that scripts that read them go on working: /ipams/<namespace>/<network>
// and /caches/<namespace>/<network>.
package debugview

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// maxAddresses bounds the view of a pool's addresses: it has a line for each.
const maxAddresses = 65536

// Register adds the views to mux. They read the given caches and change nothing.
func Register(mux *http.ServeMux, pools kube.PoolFinder, book *ledger.Ledger) {
	views := &views{pools: pools, ledger: book}

	mux.HandleFunc("GET /ipams/{namespace}/{name}", views.addresses)
	mux.HandleFunc("GET /caches/{namespace}/{name}", views.macs)
}

type views struct {
	pools  kube.PoolFinder
	ledger *ledger.Ledger
}

// find returns the pool that serves the network of the path, and its plan, or
// answers the request with an error.
func (v *views) find(w http.ResponseWriter, r *http.Request) (pool ledger.Key, plan ipam.Plan, ok bool) {
	network := r.PathValue("namespace") + "/" + r.PathValue("name")

	found, err := kube.PoolOf(v.pools, network)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)

		return pool, plan, false
	}

	if found == nil {
		http.Error(w, "network "+network+" has no IPPool", http.StatusNotFound)

		return pool, plan, false
	}

	plan, problems := convert.PoolPlan(&found.Spec)
	if len(problems) > 0 {
		http.Error(w, problems.ToAggregate().Error(), http.StatusConflict)

		return pool, plan, false
	}

	return ledger.Key{Namespace: found.Namespace, Name: found.Name}, plan, true
}

// addresses answers, for each address that can be given out, whether it is.
func (v *views) addresses(w http.ResponseWriter, r *http.Request) {
	pool, plan, ok := v.find(w, r)
	if !ok {
		return
	}

	if plan.Range.Size() > maxAddresses {
		http.Error(w, "the pool has "+strconv.FormatUint(plan.Range.Size(), 10)+
			" addresses, too many for this view; list its IPLeases instead", http.StatusRequestEntityTooLarge)

		return
	}

	view := map[string]string{}

	for address := plan.Range.First; address.IsValid() && !plan.Range.Last.Less(address); address = address.Next() {
		held := v.ledger.Holder(pool, address) != nil
		if held || plan.Role(address) == ipam.RoleFree {
			view[address.String()] = strconv.FormatBool(held)
		}
	}

	answer(w, view)
}

// macs answers which MAC address holds which address.
func (v *views) macs(w http.ResponseWriter, r *http.Request) {
	pool, _, ok := v.find(w, r)
	if !ok {
		return
	}

	view := map[string]string{}

	for _, lease := range v.ledger.OfPool(pool) {
		mac, err := dhcp.ParseMAC(lease.Spec.MACAddress)
		if err != nil {
			continue
		}

		// What a NIC holds counts before what is reserved for it, as on the wire.
		if view[mac.String()] == "" || !convert.Reserved(lease) {
			view[mac.String()] = lease.Spec.Address
		}
	}

	answer(w, view)
}

func answer(w http.ResponseWriter, view map[string]string) {
	w.Header().Set("Content-Type", "application/json")

	// The client has gone when this fails; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(view) //nolint:errchkjson // see above
}
