package store

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/view"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
)

// maxHistory is how many changes of leases are remembered, all pools together.
const maxHistory = 20_000

// past is one change of a lease.
type past struct {
	key  Key
	item v1.HistoryItem
}

// history is a ring of the last changes of leases.
type history struct {
	mu   sync.Mutex
	ring []past
	next int
}

// note remembers a change: before is nil for a new lease, and with there false
// the lease is gone.
func (h *history) note(at time.Time, before, after *v1alpha1.IPLease, there bool) {
	item := v1.HistoryItem{At: at, Source: v1.SourceChange}

	switch {
	case !there:
		item.What, item.Detail = "Deleted", "it was "+holder(after)
	case before == nil:
		item.What, item.Detail = "Created", holder(after)
	case before.UID != after.UID:
		item.What, item.Detail = "Created", holder(after)+"; the one before was deleted"
	default:
		item.What, item.Detail = "Changed", difference(before, after)
	}

	h.mu.Lock()
	defer h.mu.Unlock()

	one := past{key: keyOf(after), item: item}

	if len(h.ring) < maxHistory {
		h.ring = append(h.ring, one)

		return
	}

	h.ring[h.next] = one
	h.next = (h.next + 1) % maxHistory
}

// of returns the changes of the lease, newest first, and from when on all are
// remembered: the zero time for as long as the store lives.
func (h *history) of(key Key) (items []v1.HistoryItem, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()

	for i := range h.ring {
		if one := h.ring[(h.next+i)%len(h.ring)]; one.key == key {
			items = append(items, one.item)
		}
	}

	slices.Reverse(items)

	if len(h.ring) == maxHistory {
		since = h.ring[h.next].item.At
	}

	return items, since
}

// holder says who holds the lease, with which MAC address.
func holder(lease *v1alpha1.IPLease) string {
	text := "held by "
	if convert.Reserved(lease) {
		text = "kept by "
	}

	text += convert.Holder(lease)

	if mac := view.Spelling(lease.Spec.MACAddress); mac != "" && !convert.Reserved(lease) {
		text += ", MAC address " + mac
	}

	return text
}

// difference says what changed.
func difference(before, after *v1alpha1.IPLease) string {
	var parts []string

	told := func(what, from, to string) {
		if from != to {
			parts = append(parts, fmt.Sprintf("%s from %s to %s", what, orNone(from), orNone(to)))
		}
	}

	told("holder", holder(before), holder(after))
	told("MAC address", view.Spelling(before.Spec.MACAddress), view.Spelling(after.Spec.MACAddress))
	told("comment", before.Annotations[v1alpha1.AnnotationComment], after.Annotations[v1alpha1.AnnotationComment])

	if (before.Spec.Reservation == nil) != (after.Spec.Reservation == nil) {
		told("kept when its owner ends", fmt.Sprint(before.Spec.Reservation != nil), fmt.Sprint(after.Spec.Reservation != nil))
	}

	if before.DeletionTimestamp.IsZero() && !after.DeletionTimestamp.IsZero() {
		parts = append(parts, "it is being deleted")
	}

	if len(parts) == 0 {
		return "nothing that the API shows"
	}

	return strings.Join(parts, "; ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}

	return text
}
