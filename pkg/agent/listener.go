package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/net/bpf"
)

// reopenPause is how long a listener waits before it tries again to open its
// socket: short, since guests wait, and cheap, since it is one look at the
// interface.
const reopenPause = 250 * time.Millisecond

// maxFrame is larger than any frame a DHCP client sends.
const maxFrame = 9216

// listener keeps a socket open as long as the interface lets it.
type listener struct {
	name      string // "dhcp", "neighbour"
	iface     string
	etherType int
	filter    func() ([]bpf.RawInstruction, error)
	handle    func(ctx context.Context, s *Socket, frame []byte, aux Auxiliary)
	opened    func() // called after each opening; may be nil
	log       *slog.Logger

	socket  atomic.Pointer[Socket] // nil while not open
	failure atomic.Pointer[error]  // why it is not
	opens   atomic.Uint64
	drops   atomic.Uint64 // of sockets that are closed
	panics  atomic.Uint64
}

// run receives until ctx ends. When it returns, the socket is closed and no
// frame is being handled.
func (l *listener) run(ctx context.Context) error {
	filter, err := l.filter()
	if err != nil {
		return err
	}
	again(ctx, reopenPause, func() {
		err := l.serve(ctx, filter)
		if ctx.Err() != nil {
			return
		}
		if old := l.failure.Swap(&err); old == nil || (*old).Error() != err.Error() {
			l.log.Warn("not listening", "socket", l.name, "interface", l.iface, "error", err)
		}
	})
	return nil
}

// serve opens the socket and receives until something breaks.
func (l *listener) serve(ctx context.Context, filter []bpf.RawInstruction) error {
	s, err := OpenSocket(l.iface, l.etherType, filter)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // closed again below
	defer func() {
		stop()
		l.socket.Store(nil)
		l.drops.Add(s.Drops())
		_ = s.Close() // nothing can be done about it
	}()
	l.failure.Store(nil)
	l.socket.Store(s)
	l.opens.Add(1)
	l.log.Info("listening", "socket", l.name, "interface", l.iface, "mac", s.MAC())
	if l.opened != nil {
		l.opened()
	}
	buf := make([]byte, maxFrame)
	for {
		n, aux, err := s.Receive(buf)
		if err != nil {
			return err
		}
		l.guarded(ctx, s, buf[:n], aux)
	}
}

// guarded handles one frame. A panic costs this frame and nothing else.
func (l *listener) guarded(ctx context.Context, s *Socket, frame []byte, aux Auxiliary) {
	defer func() {
		if p := recover(); p != nil {
			if n := l.panics.Add(1); n&(n-1) == 0 { // the 1st, 2nd, 4th, 8th ...
				l.log.Error("a frame made the agent panic; it was dropped", "socket", l.name, "panic", p, "count", n, "frame", frame[:min(len(frame), 600)])
			}
		}
	}()
	l.handle(ctx, s, frame, aux)
}

// errClosed is why a listener that was never opened is not ready.
var errClosed = errors.New("socket is not open yet")

// ready returns nil while the socket is open, else why it is not.
func (l *listener) ready() error {
	if l.socket.Load() != nil {
		return nil
	}
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return errClosed
}

// dropped counts what the kernel dropped, on all sockets so far.
func (l *listener) dropped() uint64 {
	n := l.drops.Load()
	if s := l.socket.Load(); s != nil {
		n += s.Drops()
	}
	return n
}
