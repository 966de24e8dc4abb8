package api

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Observer asks the agents of a pool what they saw on the wire. It is safe for
// concurrent use, keeps to the deadline of the context, and answers with what it
// has by then: an agent that did not answer in time is a gap.
type Observer interface {
	// Observe asks all agents of the pool about the NICs, at most MaxObserved of
	// them. Without any it asks for the declined addresses only.
	Observe(ctx context.Context, pool types.NamespacedName, nics []Watched) Observation
}

// MaxObserved is the most NICs that an Observer is asked about at once, those of
// a page of the default size.
const MaxObserved = 100

// Watched is a NIC that holds an address.
type Watched struct {
	Address netip.Addr
	MAC     dhcp.MAC
}

// Observation is what the agents of a pool answered.
type Observation struct {
	// Answered is how many agents did.
	Answered int
	// Since is from when on every one of them has listened.
	Since time.Time
	// Seen is what is known of those that were heard, with Known set. Who is not
	// in it was not heard by any agent that answered.
	Seen map[netip.Addr]v1.Observed
	// Messages are the last DHCP messages, in any order, with SourceWire.
	Messages map[netip.Addr][]v1.HistoryItem
	// Declined are the addresses of the pool that their guests have declined.
	Declined []netip.Addr
	// Gaps are the agents that did not answer, and why.
	Gaps []v1.Gap
}

const (
	// pageDeadline is how long a page waits for agents, detailDeadline how long
	// the answer about one object does.
	pageDeadline   = time.Second
	detailDeadline = 2 * time.Second
)

// unasked is why nothing is known where nobody can be asked.
const unasked = "this manager does not ask the agents what they saw"

// of says what is known of the NIC.
func (o Observation) of(nic Watched) v1.Observed {
	seen, heard := o.Seen[nic.Address]

	switch {
	case heard:
		seen.ListeningSince = o.Since

		return seen
	case o.Answered == 0 && len(o.Gaps) == 0:
		return v1.Observed{Why: "the pool has no agent that could be asked"}
	case len(o.Gaps) > 0:
		return v1.Observed{Why: "not every agent of the pool answered: " + gapText(o.Gaps)}
	case nic.MAC.IsZero():
		return v1.Observed{Why: "nobody is answered with this address, so no packet belongs to it"}
	default:
		return v1.Observed{Known: true, ListeningSince: o.Since, Why: "no agent has heard the guest since " + o.Since.UTC().Format(time.RFC3339)}
	}
}

func gapText(gaps []v1.Gap) string {
	texts := make([]string, len(gaps))
	for i, gap := range gaps {
		texts[i] = gap.Source + ": " + gap.Reason
	}

	return strings.Join(texts, "; ")
}

// observe asks the agents of the pool, and tells the store what it should know.
func (a *API) observe(ctx context.Context, pool types.NamespacedName, nics []Watched, deadline time.Duration) Observation {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()

	seen := a.config.Observer.Observe(ctx, pool, nics)

	if seen.Answered > 0 {
		heard := store.Heard{Hostnames: map[netip.Addr]string{}, Declined: seen.Declined, Partial: len(seen.Gaps) > 0}

		for address, one := range seen.Seen {
			if one.Hostname != "" {
				heard.Hostnames[address] = one.Hostname
			}
		}

		a.config.Store.Hear(pool, heard)
	}

	return seen
}

// watched is the NIC that the lease answers, or false for a lease that names no
// address.
func watched(lease v1.Lease) (Watched, bool) {
	address, err := netip.ParseAddr(lease.Address)
	if err != nil {
		return Watched{}, false
	}

	mac, err := dhcp.ParseMAC(lease.MAC)
	if err != nil {
		mac = dhcp.MAC{} // nobody is answered
	}

	return Watched{Address: address, MAC: mac}, true
}

// observeLease asks what was seen of one lease.
func (a *API) observeLease(ctx context.Context, lease v1.Lease) (v1.Observed, Observation) {
	if a.config.Observer == nil {
		return v1.Observed{Why: unasked}, Observation{}
	}

	nic, ok := watched(lease)
	if !ok {
		return v1.Observed{Why: "the lease names no address that can be read"}, Observation{}
	}

	seen := a.observe(ctx, types.NamespacedName{Namespace: lease.Namespace, Name: lease.Pool}, []Watched{nic}, detailDeadline)

	return seen.of(nic), seen
}
