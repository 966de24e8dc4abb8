// Package stream serves changes as they happen, as server-sent events.
//
// There is one bounded ring of the last changes for all readers. A reader is a
// position in it and a goroutine that writes what is behind the position; there
// is no queue for a reader. One who is too slow is not waited for: the write
// fails after a time, or the position falls out of the ring, and they come back
// with the identifier of the last event that they have.
package stream

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

const (
	// DefaultRing is how many changes are known for readers that come back: at
	// 100 changes a second those of the last minute and a half.
	DefaultRing = 8192
	// DefaultStreams is how many streams one replica serves, and half of it how
	// many it serves one user.
	DefaultStreams = 512

	// reviewEvery is how long a reader is sent events without asking Kubernetes
	// again who they are and what they may see.
	reviewEvery = 30 * time.Second
	// heartbeat is how often something is sent when nothing happens.
	heartbeat = 10 * time.Second
	// gather is how long changes gather before they are sent together. The first
	// after a quiet time is sent at once.
	gather = 100 * time.Millisecond
	// patience is how long a reader may take for what is sent together.
	patience = 10 * time.Second
	// most is how many events are sent together.
	most = 256
	// retry is how long a client should wait before it comes back, in
	// milliseconds.
	retry = 2000
)

// Feed tells of changes; *store.Store does.
type Feed interface {
	Subscribe(told func(store.Change)) (cancel func())
}

// Config is what a Hub works with. All of it is required but Ring, Streams and
// Logger.
type Config struct {
	Feed Feed
	// Object returns the body of an object as it is now, or false when there is
	// none; that of an *api.API does. The namespace of an agent is its pool's.
	Object func(kind v1.ChangeKind, namespace, name string) (body any, found bool)
	// Namespaces returns those that have objects of the kind.
	Namespaces func(kind v1.ChangeKind) []string

	Authenticator access.Authenticator
	Reviewer      access.Reviewer
	// Epoch tells this history of changes from that of any other replica and any
	// other start. It has no hyphen.
	Epoch string
	// Ring is how many changes are kept, Streams how many streams are served at
	// once.
	Ring, Streams int
	// Clock is time.Now, but in tests.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Hub serves streams. Make one with New. It is safe for concurrent use.
type Hub struct {
	config Config
	ring   *ring
	cancel func()
	closed chan struct{}
	close  sync.Once

	mu      sync.Mutex
	streams int
	users   map[string]int
}

// New returns a Hub that knows of changes from now on.
func New(config Config) *Hub {
	if config.Ring == 0 {
		config.Ring = DefaultRing
	}

	if config.Streams == 0 {
		config.Streams = DefaultStreams
	}

	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}

	h := &Hub{config: config, ring: newRing(config.Ring), closed: make(chan struct{}), users: map[string]int{}}
	h.cancel = config.Feed.Subscribe(h.ring.add)

	return h
}

// Close ends all streams, and the subscription to the feed.
func (h *Hub) Close() {
	h.close.Do(func() {
		h.cancel()
		close(h.closed)
	})
}

// Streams is how many there are.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.streams
}

// Serve is the api.StreamHandler of GET /v1/events.
func (h *Hub) Serve(w http.ResponseWriter, call *api.Call) error {
	wanted, err := read(call.Request)
	if err != nil {
		return err
	}

	reader := &reader{
		hub: h, request: call.Request, wanted: wanted, out: w, control: http.NewResponseController(w),
		sight: newSight(call.Caller, h.config.Reviewer, h.config.Clock),
	}

	namespaces := h.config.Namespaces
	if wanted.namespace != "" {
		namespaces = func(v1.ChangeKind) []string { return []string{wanted.namespace} }
	}

	if err := reader.sight.seesAny(call.Context(), wanted.kinds, namespaces); err != nil {
		return err
	}

	name := call.Caller.GetName()
	if !h.enter(name) {
		return problem.Unavailable("this replica serves as many event streams as it may, in all or to you; close some, or come again later")
	}
	defer h.leave(name)

	return reader.run(call.Context())
}

// enter counts a stream, if there may be one more.
func (h *Hub) enter(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.streams >= h.config.Streams || h.users[name] >= max(h.config.Streams/2, 1) {
		return false
	}

	h.streams++
	h.users[name]++
	h.ring.readers.Add(1)

	return true
}

func (h *Hub) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.streams--
	h.users[name]--
	h.ring.readers.Add(-1)

	if h.users[name] == 0 {
		delete(h.users, name)
	}
}

// wanted is what a reader asks for.
type wanted struct {
	kinds     []v1.ChangeKind
	namespace string
	after     string
}

func read(r *http.Request) (wanted, error) {
	query := r.URL.Query()
	all := []v1.ChangeKind{v1.ChangePool, v1.ChangeLease, v1.ChangeNetwork, v1.ChangeAgent, v1.ChangeVM}
	asked := wanted{namespace: query.Get("namespace"), after: r.Header.Get("Last-Event-ID")}

	// What a browser knows from before a break counts more than the address that
	// it began with.
	if asked.after == "" {
		asked.after = query.Get("after")
	}

	for _, text := range query["kind"] {
		kind := v1.ChangeKind(text)
		if !slices.Contains(all, kind) {
			return wanted{}, problem.Parameter("kind", text, "is no kind of change", "write pool, lease, network, agent or vm")
		}

		asked.kinds = append(asked.kinds, kind)
	}

	if len(asked.kinds) == 0 {
		asked.kinds = all
	}

	return asked, nil
}

// position returns where a reader goes on, and false when what they missed is not
// known.
func (h *Hub) position(after string) (uint64, bool) {
	newest := h.ring.newest()
	if after == "" {
		return newest, true
	}

	epoch, text, _ := strings.Cut(after, "-")

	sequence, err := strconv.ParseUint(text, 10, 64)
	if err != nil || epoch != h.config.Epoch {
		return newest, false
	}

	if _, _, known := h.ring.after(sequence, nil); !known {
		return newest, false
	}

	return sequence, true
}

// identifier is the id of the event with that sequence.
func (h *Hub) identifier(sequence uint64) string {
	return h.config.Epoch + "-" + strconv.FormatUint(sequence, 10)
}

// encode writes an event as it is sent. It is called once for an event, when
// the first reader is sent it.
func (h *Hub) encode(e *event) []byte {
	body := v1.Change{Kind: e.change.Kind, Type: e.change.Type, Namespace: e.change.Namespace, Name: e.change.Name}
	if body.Type != v1.ChangeRemoved {
		// One that has gone meanwhile is told of by a later event.
		body.Object, _ = h.config.Object(body.Kind, body.Namespace, body.Name)
	}

	data, err := json.Marshal(body)
	if err != nil {
		// Better without the object than not at all: the reader asks for it then.
		h.config.Logger.Error("event could not be written", "kind", string(body.Kind),
			"namespace", body.Namespace, "name", body.Name, "error", err)

		body.Object = nil
		data, _ = json.Marshal(body) //nolint:errchkjson // strings
	}

	return slices.Concat([]byte("id: "+h.identifier(e.sequence)+"\ndata: "), data, []byte("\n\n"))
}
