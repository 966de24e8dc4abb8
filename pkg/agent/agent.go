package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/observation"
)

// Agent answers DHCP for one pool. Make one with New.
type Agent struct {
	cfg    Config
	source Source
	log    *slog.Logger

	view       atomic.Pointer[view] // nil: nothing to answer from
	states     *mailbox[State]
	saves      *mailbox[State]
	quarantine quarantine
	seen       observation.Log
	began      time.Time
	dhcp       *listener
	neighbour  *listener
	announce   chan struct{}
	replies    []byte
	respond    func(*dhcp.Snapshot, []byte, dhcp.Facts, []byte) dhcp.Result

	packets        [dhcp.ReasonCount]atomic.Uint64
	omitted        atomic.Uint64
	sendErrors     atomic.Uint64
	snapshotErrors atomic.Uint64
	saveErrors     atomic.Uint64
}

// view is a snapshot with what the agent knows about it.
type view struct {
	snapshot   *dhcp.Snapshot
	generation int64
	live       bool // from the source, not from the disk
}

// New returns an agent that is ready to Run. The error lists all that is wrong
// with the configuration.
func New(cfg Config, source Source) (*Agent, error) {
	err := cfg.Validate()
	if source == nil {
		err = errors.Join(err, errors.New("agent: Source is nil: give one"))
	}
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, source: source, log: cfg.Logger.With("pool", cfg.Pool),
		states: newMailbox[State](), saves: newMailbox[State](),
		announce: make(chan struct{}, 1),
		began:    cfg.Now(),
		replies:  make([]byte, dhcp.ReplyBufferSize),
		respond:  (*dhcp.Snapshot).Respond,
	}
	// All EtherTypes: to a socket for IPv4 alone, the kernel gives the frames
	// of VLANs that nobody here has joined, without the tag and without a word.
	a.dhcp = &listener{
		name: "dhcp", iface: cfg.Interface, etherType: unix.ETH_P_ALL, filter: dhcpFilter,
		handle: a.handleDHCP, log: a.log,
	}
	a.neighbour = &listener{
		name: "neighbour", iface: cfg.Interface, etherType: unix.ETH_P_ALL, filter: neighbourFilter,
		handle: a.handleNeighbour, opened: a.TakeOver, log: a.log,
	}
	return a, nil
}

// Run serves until ctx ends and then returns nil. When it returns, the sockets
// are closed, and nothing is sent any more. It may be called once.
//
// A lost interface, a broken source, a full disk or a malformed packet do not
// end it; only what cannot get better by itself does: the HTTP listener
// failing.
func (a *Agent) Run(ctx context.Context) error {
	a.restore()
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context) error{
		a.dhcp.run, a.neighbour.run, a.runAnnouncer, a.runSource, a.runBuilder, a.runSaver, a.runHTTP,
	} {
		g.Go(func() error { return part(ctx) })
	}
	err := g.Wait()
	a.save() // what came in last; nobody else is running any more
	if err != nil {
		return fmt.Errorf("agent for pool %s: %w", a.cfg.Pool, err)
	}
	return nil
}

// Ready returns nil while the agent can answer: it has a snapshot, and its
// socket is bound to an interface that is up. The error says what is missing.
func (a *Agent) Ready() error {
	if a.view.Load() == nil {
		return errors.New("no snapshot of the pool yet")
	}
	if err := a.dhcp.ready(); err != nil {
		return fmt.Errorf("not listening: %w", err)
	}
	return nil
}

// Generation returns the State.Generation that is being served, and whether it
// came from the source in this process's life and not from the disk.
func (a *Agent) Generation() (generation int64, live bool) {
	v := a.view.Load()
	if v == nil {
		return 0, false
	}
	return v.generation, v.live
}

// handleDHCP answers one frame.
func (a *Agent) handleDHCP(ctx context.Context, s *Socket, frame []byte, aux Auxiliary) {
	v := a.view.Load()
	if v == nil {
		a.packets[dhcp.ReasonNone].Add(1)
		return
	}
	now := a.cfg.Now()
	res := a.respond(v.snapshot, frame, dhcp.Facts{
		InterfaceMAC: s.MAC(), MTU: s.MTU(), VLAN: aux.VLAN, ChecksumNotReady: aux.ChecksumNotReady,
		Fresh: v.live && a.source.Fresh(), Quarantined: a.quarantine.current(now),
	}, a.replies)
	a.packets[res.Reason].Add(1)
	a.seen.Record(now, &res)
	if res.Omitted > 0 {
		a.omitted.Add(uint64(res.Omitted))
	}
	for _, reply := range res.Frames[:res.Count] {
		if err := s.Send(reply); err != nil {
			a.sendErrors.Add(1)
			a.log.Debug("reply not sent", "mac", res.MAC, "error", err)
		}
	}
	if res.Reason == dhcp.ReasonDeclined && a.quarantine.add(res.Address, now) {
		a.log.Warn("a guest declined its address: another station seems to use it", "mac", res.MAC, "ip", res.Address, "backOff", declineBackOff)
		if a.cfg.OnDecline != nil {
			a.cfg.OnDecline(res.MAC, res.Address)
		}
	}
	if !res.MAC.IsZero() && a.log.Enabled(ctx, slog.LevelDebug) {
		a.log.Debug("packet", "mac", res.MAC, "ip", res.Address, "xid", res.XID, "request", res.Request, "reason", res.Reason)
	}
}

// restore takes the snapshot from the disk, if there is a sound one.
func (a *Agent) restore() {
	if a.cfg.StateDir == "" {
		return
	}
	state, err := loadState(a.cfg.StateDir, a.cfg.Pool)
	if errors.Is(err, errNoState) {
		return
	}
	if err == nil {
		err = a.apply(state, false)
	}
	if err != nil {
		a.log.Warn("the snapshot on disk is ignored; answering starts when the API server is reached", "dir", a.cfg.StateDir, "error", err)
		return
	}
	a.log.Info("answering from the snapshot on disk until the API server is reached", "leases", len(state.Entries))
}

// apply makes a state the one that is answered from.
func (a *Agent) apply(state State, live bool) error {
	snapshot, err := dhcp.NewSnapshot(state.Network, state.Entries)
	if err != nil {
		return fmt.Errorf("the pool cannot be served: %w", err)
	}
	before := a.view.Swap(&view{snapshot: snapshot, generation: state.Generation, live: live})
	a.seen.Keep(snapshot)
	if before == nil || before.snapshot.Network().Server != snapshot.Network().Server {
		a.TakeOver()
	}
	if before == nil || len(before.snapshot.Problems()) != len(snapshot.Problems()) {
		for _, p := range snapshot.Problems() {
			a.log.Warn("not served", "what", p.Subject, "error", p.Err)
		}
	}
	return nil
}

// runBuilder turns states into snapshots.
func (a *Agent) runBuilder(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.states.full:
		}
		state := a.states.take()
		if state == nil {
			continue
		}
		if state.Withdrawn {
			if a.view.Swap(nil) != nil {
				a.log.Info("the pool is withdrawn; nothing is answered any more")
			}
			a.saves.put(*state)
			continue
		}
		if err := a.apply(*state, true); err != nil {
			a.snapshotErrors.Add(1)
			a.log.Error("the last good snapshot stays in use", "generation", state.Generation, "error", err)
			continue
		}
		a.saves.put(*state)
	}
}

// runSaver keeps the latest state on disk, at most once a second.
func (a *Agent) runSaver(ctx context.Context) error {
	if a.cfg.StateDir == "" {
		return nil
	}
	again(ctx, time.Second, func() {
		select {
		case <-ctx.Done():
		case <-a.saves.full:
			a.save()
		}
	})
	return nil
}

func (a *Agent) save() {
	state := a.saves.take()
	if state == nil || a.cfg.StateDir == "" {
		return
	}
	var err error
	if state.Withdrawn {
		err = removeState(a.cfg.StateDir)
	} else {
		err = saveState(a.cfg.StateDir, a.cfg.Pool, *state)
	}
	if err != nil {
		a.saveErrors.Add(1)
		a.log.Error("the snapshot is not kept on disk", "error", err)
	}
}

// runSource keeps the source running.
func (a *Agent) runSource(ctx context.Context) error {
	const pause = 2 * time.Second
	again(ctx, pause, func() {
		if err := a.source.Run(ctx, a.states.put); ctx.Err() == nil {
			a.log.Error("the source of leases ended; it is started again", "pause", pause, "error", err)
		}
	})
	return nil
}

// again calls do at once and whenever it has returned for as long as pause,
// until ctx ends and do has returned.
func again(ctx context.Context, pause time.Duration, do func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		do()
		timer.Reset(pause)
	}
}
