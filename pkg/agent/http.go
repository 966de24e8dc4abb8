package agent

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/httpserver"
	"github.com/freehold-net/freehold/pkg/observation"
)

// Handler returns the agent's HTTP endpoints: /healthz, /readyz, /leases,
// /observations and /metrics. It may be used before and during Run.
func (a *Agent) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(a) // a's descriptions are constant
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok") // fails when the client is gone
	})
	mux.HandleFunc("GET /readyz", a.serveReady)
	mux.HandleFunc("GET /leases", a.serveLeases)
	mux.HandleFunc("GET "+observation.Path, a.serveObservations)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (a *Agent) serveReady(w http.ResponseWriter, _ *http.Request) {
	if err := a.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok") // fails when the client is gone
}

// lease is an entry of /leases. Names, order and types of the fields are those
// of vm-dhcp-controller's agent, which scripts read.
type lease struct {
	ServerIP     netip.Addr
	ClientIP     netip.Addr
	SubnetMask   []byte
	Router       netip.Addr
	DNS          []netip.Addr
	DomainName   string
	DomainSearch []string
	NTP          []netip.Addr
	LeaseTime    uint32
}

// serveLeases lists the leases as vm-dhcp-controller does: an object from MAC
// address to a string that holds JSON.
func (a *Agent) serveLeases(w http.ResponseWriter, _ *http.Request) {
	out := map[string]string{}
	if v := a.view.Load(); v != nil {
		n := v.snapshot.Network()
		mask := ^uint32(0) << (32 - n.Prefix.Bits())
		for _, e := range v.snapshot.Entries() {
			text, err := json.Marshal(lease{
				ServerIP: n.Server, ClientIP: e.Address,
				SubnetMask: binary.BigEndian.AppendUint32(nil, mask),
				Router:     n.Router, DNS: n.DNS, DomainName: n.DomainName, DomainSearch: n.DomainSearch,
				NTP: n.NTP, LeaseTime: n.LeaseSeconds(),
			})
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			out[e.MAC.String()] = string(text)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) //nolint:errchkjson // the client is gone
}

// serveObservations tells what was seen of the clients: all of them, those
// that the parameter mac names, or none.
func (a *Agent) serveObservations(w http.ResponseWriter, r *http.Request) {
	report := observation.Report{Since: a.began.UTC(), Clients: []observation.Client{}}
	named := r.URL.Query()["mac"]
	if len(named) > observation.MaxMACs {
		http.Error(w, fmt.Sprintf("%d values of mac are too many: give at most %d, or none for all clients", len(named), observation.MaxMACs), http.StatusBadRequest)
		return
	}
	if named == nil && !r.URL.Query().Has(observation.DeclinedOnly) {
		report.Clients = a.seen.Clients()
	}
	for _, text := range named {
		mac, err := dhcp.ParseMAC(text)
		if err != nil {
			http.Error(w, "parameter mac: "+err.Error(), http.StatusBadRequest)
			return
		}
		if client, heard := a.seen.Client(mac); heard {
			report.Clients = append(report.Clients, client)
		}
	}
	for address := range a.quarantine.current(a.cfg.Now()) {
		report.Declined = append(report.Declined, address.String())
	}
	slices.Sort(report.Declined)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) //nolint:errchkjson // the client is gone
}

// runHTTP serves the endpoints until ctx ends.
func (a *Agent) runHTTP(ctx context.Context) error {
	if a.cfg.Listener == nil {
		return nil
	}
	return httpserver.ServeOn(ctx, a.cfg.Listener, httpserver.Config{Handler: a.Handler(), Logger: a.log})
}
