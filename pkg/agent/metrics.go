package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Describe implements prometheus.Collector.
func (a *Agent) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(a, ch) }

// Collect implements prometheus.Collector. It reads the state at the moment of
// the scrape. Every reason is always there, so that rates start at zero.
func (a *Agent) Collect(ch chan<- prometheus.Metric) {
	pool := prometheus.Labels{"pool": a.cfg.Pool}
	emit := func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		var names []string
		var values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		desc := prometheus.NewDesc("freehold_agent_"+name, help, names, pool)
		ch <- prometheus.MustNewConstMetric(desc, kind, value, values...)
	}
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue

	const packets = "Packets to the DHCP port by what became of them and why."
	emit(counter, "packets_total", packets, float64(a.packets[dhcp.ReasonNone].Load()), "result", string(dhcp.OutcomeSilent), "reason", "no-snapshot")
	for i := 1; i < dhcp.ReasonCount; i++ {
		r := dhcp.Reason(i) // less than ReasonCount
		emit(counter, "packets_total", packets, float64(a.packets[i].Load()), "result", string(r.Outcome()), "reason", r.String())
	}
	for _, l := range []*listener{a.dhcp, a.neighbour} {
		emit(counter, "panics_total", "Packets dropped because they made the agent panic.", float64(l.panics.Load()), "socket", l.name)
		emit(counter, "socket_opens_total", "How often the socket was opened.", float64(l.opens.Load()), "socket", l.name)
		emit(counter, "receive_drops_total", "Packets the kernel dropped because they were not read in time.", float64(l.dropped()), "socket", l.name)
	}
	emit(counter, "send_errors_total", "Frames that could not be sent.", float64(a.sendErrors.Load()))
	emit(counter, "options_omitted_total", "Options left out of replies for want of room.", float64(a.omitted.Load()))
	emit(counter, "snapshot_errors_total", "Views of the pool that could not be served; the one before stayed in use.", float64(a.snapshotErrors.Load()))
	emit(counter, "snapshot_save_errors_total", "Snapshots that could not be kept on disk.", float64(a.saveErrors.Load()))
	emit(gauge, "quarantined_addresses", "Addresses not offered because a guest declined them.", float64(len(a.quarantine.current(a.cfg.Now()))))
	a.collectView(func(name, help string, value float64) { emit(gauge, name, help, value) })
}

func (a *Agent) collectView(emit func(name, help string, value float64)) {
	v := a.view.Load()
	leases, problems, generation, stale := 0, 0, int64(0), true
	if v != nil {
		leases, problems, generation = v.snapshot.Len(), len(v.snapshot.Problems()), v.generation
		stale = !v.live || !a.source.Fresh()
	}
	emit("leases", "Leases that are answered for.", float64(leases))
	emit("snapshot_problems", "Leases and options that are not served because something is wrong with them.", float64(problems))
	emit("snapshot_generation", "Generation of the pool that is served.", float64(generation))
	emit("snapshot_stale", "1 while the snapshot is not known to be current.", boolean(stale))
	emit("ready", "1 while the agent can answer.", boolean(a.Ready() == nil))
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
