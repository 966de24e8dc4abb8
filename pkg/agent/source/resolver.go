package source

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// lookupTimeout bounds one look-up of a host name. It delays a change of the
// pool, never a packet.
const lookupTimeout = 3 * time.Second

// Lookup finds the addresses of a host name; (*net.Resolver).LookupNetIP with
// network "ip4" is one.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// resolver remembers what host names resolved to, so that a name server that is
// away takes no option from the guests. It is safe for concurrent use.
type resolver struct {
	lookup Lookup

	mu    sync.Mutex
	known map[string]*answer
}

type answer struct {
	addresses []netip.Addr
	current   bool
}

func newResolver(lookup Lookup) *resolver {
	return &resolver{lookup: lookup, known: map[string]*answer{}}
}

// expire has every name looked up again when it is next asked for.
func (r *resolver) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()

	for _, one := range r.known {
		one.current = false
	}
}

// resolve returns the addresses of the host, those that were last found if it
// cannot be looked up now.
func (r *resolver) resolve(ctx context.Context, host string) []netip.Addr {
	r.mu.Lock()
	one := r.known[host]
	r.mu.Unlock()

	if one != nil && one.current {
		return one.addresses
	}

	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()

	found, err := r.lookup(ctx, host)

	r.mu.Lock()
	defer r.mu.Unlock()

	switch {
	case err == nil:
		r.known[host] = &answer{addresses: found, current: true}
	case r.known[host] == nil:
		// A name that does not resolve is not asked for at every change.
		r.known[host] = &answer{current: true}
	default:
		r.known[host].current = true
	}

	return r.known[host].addresses
}
