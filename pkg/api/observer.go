package api

import (
	"context"
	"net/netip"

	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// Observer asks the agents of a pool what they saw on the wire. It is safe for
// concurrent use, keeps to the deadline of the context, and answers with what it
// has by then: an agent that did not answer in time is a gap.
type Observer interface {
	// Observe returns what the agents of the pool saw of the addresses, at most
	// MaxObserved of them. An address that no agent has seen is missing from the
	// map, or there with Known and no times when that is known for sure.
	Observe(ctx context.Context, pool types.NamespacedName, addresses []netip.Addr) (map[netip.Addr]v1.Observed, []v1.Gap)
	// Messages returns the last DHCP messages about the address, in any order,
	// with Source SourceWire.
	Messages(ctx context.Context, pool types.NamespacedName, address netip.Addr) ([]v1.HistoryItem, []v1.Gap)
}

// MaxObserved is the most addresses that an Observer is asked about at once,
// those of a page of the default size.
const MaxObserved = 100
