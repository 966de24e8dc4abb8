package wire

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/observation"
)

// Observe returns what the agents of the pool saw of the addresses, and which
// of them did not answer. An address that is answered to nobody is not in it.
// One that no agent saw is, when all of them said so.
func (a *Agents) Observe(ctx context.Context, pool types.NamespacedName, addresses []netip.Addr) (map[netip.Addr]v1.Observed, []v1.Gap) {
	asked := a.macsOf(pool, addresses)
	if len(asked) == 0 {
		return nil, nil
	}

	answers, gaps := a.answers(ctx, pool, asked)
	out := make(map[netip.Addr]v1.Observed, len(asked))

	for mac, address := range asked {
		observed, seen := merge(mac.String(), answers)

		switch {
		case seen:
			out[address] = observed
		case len(gaps) == 0:
			out[address] = v1.Observed{Known: true, Why: "no agent has heard of it since " + earliest(answers).Format(time.RFC3339)}
		}
	}

	return out, gaps
}

// Messages returns the last DHCP messages of the holder of the address and what
// they were answered.
func (a *Agents) Messages(ctx context.Context, pool types.NamespacedName, address netip.Addr) ([]v1.HistoryItem, []v1.Gap) {
	asked := a.macsOf(pool, []netip.Addr{address})
	if len(asked) == 0 {
		return nil, nil
	}

	var items []v1.HistoryItem

	answers, gaps := a.answers(ctx, pool, asked)
	for _, one := range answers {
		for _, client := range one.report.Clients {
			for _, exchange := range client.Exchanges {
				items = append(items, messages(one.agent, exchange)...)
			}
		}
	}

	return items, gaps
}

// messages are the one or two messages of an exchange, newest first.
func messages(agent string, exchange observation.Exchange) []v1.HistoryItem {
	item := v1.HistoryItem{At: exchange.At, Source: v1.SourceWire, Agent: agent}
	in, out := item, item
	in.Direction, in.What = "in", exchange.Request

	if in.What == "" {
		in.What = "a message that cannot be read"
	}

	if exchange.Reply == "" {
		in.Detail = "not answered: " + exchange.Reason

		return []v1.HistoryItem{in}
	}

	out.Direction, out.What, out.Detail = "out", exchange.Reply, exchange.Reason

	return []v1.HistoryItem{out, in}
}

// macsOf returns the clients that are answered with the addresses.
func (a *Agents) macsOf(pool types.NamespacedName, addresses []netip.Addr) map[dhcp.MAC]netip.Addr {
	out := map[dhcp.MAC]netip.Addr{}

	for _, address := range addresses {
		lease := a.Leases.Holder(ledger.Key(pool), address)
		if lease == nil {
			continue
		}

		if mac, err := dhcp.ParseMAC(lease.Spec.MACAddress); err == nil && len(out) < observation.MaxMACs {
			out[mac] = address
		}
	}

	return out
}

// answers asks, and sorts answers from gaps.
func (a *Agents) answers(ctx context.Context, pool types.NamespacedName, asked map[dhcp.MAC]netip.Addr) ([]answer, []v1.Gap) {
	macs := make([]dhcp.MAC, 0, len(asked))
	for mac := range asked {
		macs = append(macs, mac)
	}

	all, err := a.ask(ctx, pool, macs)
	if err != nil {
		return nil, []v1.Gap{{Source: agentsSource, Reason: err.Error()}}
	}

	var gaps []v1.Gap

	for _, one := range all {
		if one.err != nil {
			gaps = append(gaps, v1.Gap{Source: "agent " + one.agent, Reason: one.err.Error()})
		}
	}

	return slices.DeleteFunc(all, func(one answer) bool { return one.err != nil }), gaps
}

// merge puts together what several agents saw of one client. The one that saw
// it last has the word about everything but when it was seen first and until
// when its lease is good.
func merge(mac string, answers []answer) (v1.Observed, bool) {
	out := v1.Observed{Known: true}
	seen := false

	for _, one := range answers {
		i := slices.IndexFunc(one.report.Clients, func(c observation.Client) bool { return c.MAC == mac })
		if i < 0 {
			continue
		}

		client := one.report.Clients[i]

		if !seen || client.FirstSeen.Before(out.FirstSeen) {
			out.FirstSeen = client.FirstSeen
		}

		if client.Expires != nil && client.Expires.After(out.ExpiresAt) {
			out.ExpiresAt = *client.Expires
			out.Options = options(client.Options)
		}

		if client.LastSeen.After(out.LastSeen) {
			out.LastSeen, out.Agent = client.LastSeen, one.agent
			out.LastMessage = lastMessage(client)

			if client.Hostname != "" {
				out.Hostname = client.Hostname
			}

			if client.VendorClass != "" {
				out.VendorClass = client.VendorClass
			}
		}

		if out.Options == nil {
			out.Options = options(client.Options)
		}

		seen = true
	}

	return out, seen
}

// lastMessage is what was said last: our answer, or theirs that got none.
func lastMessage(client observation.Client) string {
	if len(client.Exchanges) == 0 {
		return ""
	}

	if last := client.Exchanges[0]; last.Reply != "" {
		return last.Reply
	}

	return client.Exchanges[0].Request
}

func options(described []dhcp.OptionText) []v1.Option {
	var out []v1.Option
	for _, o := range described {
		out = append(out, v1.Option{Code: int(o.Code), Name: o.Name, Value: o.Value})
	}

	return out
}

// earliest is since when the agents have listened, the longest of them.
func earliest(answers []answer) time.Time {
	var since time.Time

	for _, one := range answers {
		if since.IsZero() || one.report.Since.Before(since) {
			since = one.report.Since
		}
	}

	return since
}
