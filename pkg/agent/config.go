package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Config says what an agent serves and where.
type Config struct {
	// Pool names the pool, as namespace/name: in logs, in metrics and in the
	// file that keeps the snapshot, where it guards against serving
	// another pool's leases. Required.
	Pool string
	// Interface is the network interface to answer on. It may come and go.
	// Required.
	Interface string
	// StateDir keeps the snapshot over restarts; it must exist and be
	// writable. Empty keeps none.
	StateDir string
	// Listener takes HTTP connections; Run closes it. Nil serves no HTTP.
	Listener net.Listener
	// Owner reports whether this replica holds the pool's Lease and so speaks
	// for the server address (ARP, ICMP echo). It is called for every ARP
	// request: it must be fast and safe for concurrent use. Nil means never.
	Owner func() bool
	// OnDecline is told of every address that enters quarantine: who declined
	// it. It is called in the packet loop and must not block. May be nil.
	OnDecline func(dhcp.MAC, netip.Addr)
	// Logger is required.
	Logger *slog.Logger
	// Now is the clock. Required.
	Now func() time.Time
}

// Validate reports what is missing or wrong, all of it at once.
func (c Config) Validate() error {
	var errs []error
	if c.Pool == "" {
		errs = append(errs, errors.New("agent: Pool is empty: give the pool as namespace/name"))
	}
	if c.Interface == "" || len(c.Interface) > 15 {
		errs = append(errs, fmt.Errorf("agent: Interface %q is not an interface name: give 1 to 15 characters, such as eth1", c.Interface))
	}
	if c.StateDir != "" {
		if info, err := os.Stat(c.StateDir); err != nil {
			errs = append(errs, fmt.Errorf("agent: StateDir %q cannot be used: %w", c.StateDir, err))
		} else if !info.IsDir() {
			errs = append(errs, fmt.Errorf("agent: StateDir %q is not a directory", c.StateDir))
		}
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("agent: Logger is nil: give one"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("agent: Now is nil: give a clock, such as time.Now"))
	}
	return errors.Join(errs...)
}
