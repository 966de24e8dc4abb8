package stream

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// reader is one stream.
type reader struct {
	hub     *Hub
	request *http.Request
	wanted  wanted
	sight   *sight
	out     http.ResponseWriter
	control *http.ResponseController

	position uint64
}

// run sends what the reader asks for until they go, are too slow, may see no more,
// or the replica ends. It returns nil then: the answer has begun.
func (r *reader) run(ctx context.Context) error {
	var known bool

	r.position, known = r.hub.position(r.wanted.after)

	header := r.out.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	// Proxies that gather answers would turn events into news of yesterday.
	header.Set("X-Accel-Buffering", "no")
	r.out.WriteHeader(http.StatusOK)

	if err := r.begin(known); err != nil {
		return nil // the reader has gone
	}

	quiet := time.NewTimer(heartbeat)
	defer quiet.Stop()

	batch := make([]*event, most)

	for {
		count, wake, known := r.hub.ring.after(r.position, batch)
		if !known {
			_ = r.reset("you were too slow, and what you missed is not known any more")

			return nil
		}

		sent, err := r.send(ctx, batch[:count])
		if err != nil {
			return nil // the reader has gone, or is nobody any more
		}

		if sent {
			quiet.Reset(heartbeat)
		}

		if !r.wait(ctx, count, wake, quiet) {
			return nil
		}
	}
}

// begin sends the head of the stream, which has the identifier to come back with.
func (r *reader) begin(known bool) error {
	if !known {
		if err := r.write(fmt.Appendf(nil, "retry: %d\n", retry)); err != nil {
			return err
		}

		return r.reset("what happened since is not known here")
	}

	return r.flush(fmt.Appendf(nil, "retry: %d\nid: %s\n\n", retry, r.hub.identifier(r.position)))
}

// reset tells the reader to read their lists again, and goes on behind what is
// known now.
func (r *reader) reset(why string) error {
	r.position = r.hub.ring.newest()

	return r.flush(fmt.Appendf(nil, "id: %s\nevent: reset\ndata: {\"reason\":%q}\n\n", r.hub.identifier(r.position), why))
}

// send sends those of the events that the reader asks for and may see.
func (r *reader) send(ctx context.Context, events []*event) (sent bool, err error) {
	for _, one := range events {
		r.position = one.sequence

		change := one.change
		if !slices.Contains(r.wanted.kinds, change.Kind) || r.wanted.namespace != "" && change.Namespace != r.wanted.namespace {
			continue
		}

		if err := r.refresh(ctx); err != nil {
			return sent, err
		}

		may, err := r.sight.sees(ctx, change.Kind, change.Namespace)
		if err != nil {
			return sent, err
		}

		if !may {
			continue
		}

		if !sent {
			r.allow()
		}

		if err := r.write(one.bytes(r.hub.encode)); err != nil {
			return sent, err
		}

		sent = true
	}

	if !sent {
		return false, nil
	}

	return true, r.push()
}

// refresh asks again who the reader is, from time to time, and forgets what they
// may see. Who is nobody any more is sent nothing.
func (r *reader) refresh(ctx context.Context) error {
	if !r.sight.stale() {
		return nil
	}

	caller, known, err := r.hub.config.Authenticator.Authenticate(r.request.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("ask who the reader is: %w", err)
	}

	if !known {
		return fmt.Errorf("the reader is not known any more: %s", r.sight.caller.GetName())
	}

	r.sight.caller = caller
	r.sight.forget()

	return nil
}

// wait waits until there is more to send, and tells whether there will be. What is
// there already is not waited for when it is a full batch.
func (r *reader) wait(ctx context.Context, count int, wake <-chan struct{}, quiet *time.Timer) bool {
	if count == most {
		return ctx.Err() == nil
	}

	if count > 0 {
		// What comes meanwhile is sent together.
		pause := time.NewTimer(gather)
		defer pause.Stop()

		select {
		case <-ctx.Done():
			return false
		case <-r.hub.closed:
			return false
		case <-pause.C:
			return true
		}
	}

	select {
	case <-ctx.Done():
		return false
	case <-r.hub.closed:
		return false
	case <-wake:
		return true
	case <-quiet.C:
		quiet.Reset(heartbeat)

		// The comment keeps the connection, the identifier is where to go on: what
		// was not for this reader need not be looked through again.
		return r.refresh(ctx) == nil && r.flush(fmt.Appendf(nil, ": %s\nid: %s\n\n", "nothing new", r.hub.identifier(r.position))) == nil
	}
}

// allow gives the reader time for what is written next.
func (r *reader) allow() {
	// A writer without deadlines is one of a test.
	_ = r.control.SetWriteDeadline(r.hub.config.Clock().Add(patience))
}

func (r *reader) write(data []byte) error {
	_, err := r.out.Write(data)

	return err //nolint:wrapcheck // nobody reads it
}

func (r *reader) flush(data []byte) error {
	r.allow()

	if err := r.write(data); err != nil {
		return err
	}

	return r.push()
}

// push sends what was written. Then there is no deadline until there is more to
// write: HTTP/2 would end a quiet stream by it.
func (r *reader) push() error {
	err := r.control.Flush()
	_ = r.control.SetWriteDeadline(time.Time{}) // as in allow

	return err //nolint:wrapcheck // nobody reads it
}
