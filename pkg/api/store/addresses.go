package store

import (
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// MaxDetail is the most addresses of a map in detail.
const MaxDetail = 4096

// PlanError says that the plan of a pool cannot be read.
type PlanError struct {
	Key      Key
	Problems field.ErrorList
}

// Error implements error.
func (e *PlanError) Error() string {
	return fmt.Sprintf("the plan of IPPool %s cannot be read: %s", e.Key, e.Problems.ToAggregate())
}

// within returns the ends of a map of the pool.
func within(entry *poolEntry, first, last netip.Addr, detail bool) (from, to netip.Addr, err error) {
	prefix := ipam.RangeOf(entry.plan.Prefix)
	if !first.IsValid() {
		first = prefix.First
	}

	if !last.IsValid() {
		last = prefix.Last
	}

	for name, end := range map[string]netip.Addr{"from": first, "to": last} {
		if !prefix.Contains(end) {
			return first, last, &QueryError{name, end.String(), "is not in the pool's network", "write one from " + prefix.String()}
		}
	}

	if last.Less(first) {
		return first, last, &QueryError{"to", last.String(), "comes before from", "write " + first.String() + " or one behind it"}
	}

	if size := (ipam.Range{First: first, Last: last}).Size(); detail && size > MaxDetail {
		return first, last, &QueryError{
			"detail", "true", fmt.Sprintf("is for %d addresses at most, and these are %d", MaxDetail, size), "narrow from and to, or leave detail out",
		}
	}

	return first, last, nil
}

// poolPosition is where the pool is in a list that is sorted by what.
func poolPosition(pool v1.Pool, what string) Position {
	at := Position{Namespace: pool.Namespace, Name: pool.Name}

	switch what {
	case "attention":
		at.Key = fmt.Sprintf("%d%04d", urgency(pool.State), unused(pool.Counts))
	case "used":
		at.Key = fmt.Sprintf("%04d", unused(pool.Counts))
	default: // by name
	}

	return at
}

// urgency sorts what needs a person first.
func urgency(state v1.PoolState) int {
	switch state {
	case v1.PoolInvalid, v1.PoolUnserved:
		return 0
	case v1.PoolDegraded:
		return 1
	case v1.PoolUnknown:
		return 2
	case v1.PoolReady:
		return 3
	default: // paused, because somebody wanted it so
		return 4
	}
}

// unused is the share of addresses that are not used, in tenths of a percent, so
// that the fullest pool comes first; 1,000 when it is not known.
func unused(counts v1.Counts) int64 {
	if counts.Size == nil || counts.Used == nil || *counts.Size == 0 {
		return 1000
	}

	return 1000 - *counts.Used*1000/(*counts.Size)
}
