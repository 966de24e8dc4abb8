package wire

import (
	"context"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/observation"
)

// agentsSource is the source of a gap that is no single agent's.
const agentsSource = "agents"

// Observe implements api.Observer. A NIC without a MAC address is not asked for.
func (a *Agents) Observe(ctx context.Context, pool types.NamespacedName, nics []api.Watched) api.Observation {
	out := api.Observation{Seen: map[netip.Addr]v1.Observed{}, Messages: map[netip.Addr][]v1.HistoryItem{}}
	macs := make([]dhcp.MAC, 0, len(nics))

	for _, nic := range nics {
		if !nic.MAC.IsZero() {
			macs = append(macs, nic.MAC)
		}
	}

	all, err := a.ask(ctx, pool, macs)
	if err != nil {
		out.Gaps = []v1.Gap{{Source: agentsSource, Reason: err.Error()}}

		return out
	}

	var answers []answer

	for _, one := range all {
		if one.err != nil {
			out.Gaps = append(out.Gaps, v1.Gap{Source: "agent " + one.agent, Reason: one.err.Error()})

			continue
		}

		answers = append(answers, one)
		hear(&out, one.report)
	}

	for _, nic := range nics {
		if observed, messages := merge(nic.MAC.String(), answers); len(messages) > 0 {
			out.Seen[nic.Address], out.Messages[nic.Address] = observed, messages
		}
	}

	return out
}

// hear adds what the report says of the whole pool.
func hear(out *api.Observation, report observation.Report) {
	out.Answered++

	// All of them have listened since the last of them began.
	if report.Since.After(out.Since) {
		out.Since = report.Since
	}

	for _, text := range report.Declined {
		if address, err := netip.ParseAddr(text); err == nil && !slices.Contains(out.Declined, address) {
			out.Declined = append(out.Declined, address)
		}
	}
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

// merge puts together what several agents saw of one client, and the messages. The
// one that saw it last has the word about everything but when it was seen first
// and until when its lease is good.
func merge(mac string, answers []answer) (v1.Observed, []v1.HistoryItem) {
	var said []v1.HistoryItem

	out := v1.Observed{Known: true}

	for _, one := range answers {
		i := slices.IndexFunc(one.report.Clients, func(c observation.Client) bool { return c.MAC == mac })
		if i < 0 {
			continue
		}

		client := one.report.Clients[i]

		if out.FirstSeen.IsZero() || client.FirstSeen.Before(out.FirstSeen) {
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

		for _, exchange := range client.Exchanges {
			said = append(said, messages(one.agent, exchange)...)
		}
	}

	return out, said
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
