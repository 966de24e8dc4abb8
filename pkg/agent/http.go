package agent

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/freehold-net/freehold/pkg/httpserver"
)

// Handler returns the agent's HTTP endpoints: /healthz, /readyz, /leases and
// /metrics. It may be used before and during Run.
func (a *Agent) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(a) // a's descriptions are constant
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok") // fails when the client is gone
	})
	mux.HandleFunc("GET /readyz", a.serveReady)
	mux.HandleFunc("GET /leases", a.serveLeases)
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

// runHTTP serves the endpoints until ctx ends.
func (a *Agent) runHTTP(ctx context.Context) error {
	if a.cfg.Listener == nil {
		return nil
	}
	return httpserver.ServeOn(ctx, a.cfg.Listener, httpserver.Config{Handler: a.Handler(), Logger: a.log})
}
