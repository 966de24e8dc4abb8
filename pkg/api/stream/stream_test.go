package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// feed is a Feed that tells what the test says.
type feed struct {
	mu    sync.Mutex
	heard func(store.Change)
	last  uint64
}

func (f *feed) Subscribe(told func(store.Change)) func() {
	f.heard = told

	return func() { f.heard = func(store.Change) {} }
}

func (f *feed) tell(kind v1.ChangeKind, namespace, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.last++
	f.heard(store.Change{Revision: f.last, Kind: kind, Type: v1.ChangeChanged, Namespace: namespace, Name: name})
}

// judge is an Authenticator and a Reviewer of one caller whose rights the test
// changes, a stand-in for Kubernetes.
type judge struct {
	mu      sync.Mutex
	gone    bool
	silent  bool
	rights  map[string]bool // "resource namespace"
	reviews int
}

func (j *judge) Authenticate(request *http.Request) (user.Info, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()

	name := request.Header.Get("User")
	if name == "" {
		name = "jane"
	}

	return &user.DefaultInfo{Name: name}, !j.gone, nil
}

func (j *judge) May(_ context.Context, _ user.Info, verb string, object access.Object) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()

	j.reviews++

	if j.silent {
		return false, errors.New("nobody answers")
	}

	return verb == "watch" && j.rights[object.Resource+" "+object.Namespace], nil
}

func (j *judge) set(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
}

// clock is time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.now
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.now = c.now.Add(by)
}

// bench is a hub behind a real server.
type bench struct {
	t      *testing.T
	hub    *Hub
	feed   *feed
	judge  *judge
	clock  *clock
	server *httptest.Server
	client *http.Client
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()

	b := &bench{t: t, feed: &feed{}, judge: &judge{rights: map[string]bool{"ippools ": true, "ipleases ": true, "virtualmachines ": true}}, clock: &clock{now: time.Now()}}
	config := Config{
		Feed: b.feed, Authenticator: b.judge, Reviewer: b.judge, Clock: b.clock.read, Epoch: "e1", Ring: 64,
		Object: func(_ v1.ChangeKind, namespace, name string) (any, bool) {
			return map[string]string{"namespace": namespace, "name": name}, true
		},
		Namespaces: func(v1.ChangeKind) []string { return []string{"a", "b"} },
	}

	if change != nil {
		change(&config)
	}

	b.hub = New(config)

	index := store.New(store.Config{Clock: time.Now})
	routes := api.New(api.Config{Store: index, Authenticator: b.judge, Reviewer: b.judge, Clock: time.Now})
	routes.HandleStream(http.MethodGet, "/v1/events", b.hub.Serve)

	b.server = httptest.NewUnstartedServer(routes)
	// As in package httpserver: streams must outlive what holds for requests.
	b.server.Config.ReadTimeout, b.server.Config.WriteTimeout = 700*time.Millisecond, 700*time.Millisecond
	b.server.EnableHTTP2 = true
	b.server.StartTLS()
	b.client = b.server.Client()
	t.Cleanup(func() {
		b.hub.Close()
		b.server.CloseClientConnections()
		b.server.Close()
	})

	return b
}

// listener reads a stream.
type listener struct {
	t      *testing.T
	answer *http.Response
	lines  *bufio.Scanner
	// last is the identifier of the last event.
	last string
	end  context.CancelFunc
}

func (b *bench) listen(query string, header ...string) *listener {
	b.t.Helper()

	ctx, end := context.WithTimeout(b.t.Context(), time.Minute)
	b.t.Cleanup(end)

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+"/v1/events"+query, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}

	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}

	answer, err := b.client.Do(request) //nolint:bodyclose // it is read to its end, or the context ends it
	if err != nil {
		b.t.Fatal(err)
	}

	return &listener{t: b.t, answer: answer, lines: bufio.NewScanner(answer.Body), end: end}
}

// next returns the name of the next event, or of its reset. Comments and bare
// identifiers are read over, and the end is "end".
func (l *listener) next() string {
	l.t.Helper()

	reset := false

	for l.lines.Scan() {
		line := l.lines.Text()

		if id, ok := strings.CutPrefix(line, "id: "); ok {
			l.last = id
		}

		if line == "event: reset" {
			reset = true
		}

		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if reset {
				return "reset"
			}

			_, name, _ := strings.Cut(data, `"name":"`)
			name, _, _ = strings.Cut(name, `"`)

			return name
		}
	}

	return "end"
}

func (l *listener) expect(want ...string) {
	l.t.Helper()

	for i, name := range want {
		if got := l.next(); got != name {
			l.t.Fatalf("event %d is %q, want %q", i, got, name)
		}
	}
}

// waitFor polls until it is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()

	for deadline := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}

		time.Sleep(time.Millisecond)
	}
}

func TestEventsInOrder(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	l := b.listen("")

	if got := l.answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("content type %s", got)
	}

	var want []string

	for i := range 50 {
		b.feed.tell(v1.ChangeLease, "a", fmt.Sprint("l", i))
		want = append(want, fmt.Sprint("l", i))
	}

	l.expect(want...)
}

// TestResume: a reader who comes back gets exactly what they missed, wherever they
// stopped.
func TestResume(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)

	for i := range 40 {
		b.feed.tell(v1.ChangeLease, "a", fmt.Sprint("l", i))
	}

	for from := range 41 {
		after := fmt.Sprintf("e1-%d", from)
		want := []string{}

		for i := from; i < 40; i++ {
			want = append(want, fmt.Sprint("l", i))
		}

		inHeader, inQuery := b.listen("", "Last-Event-ID", after), b.listen("?after="+after)
		inHeader.expect(want...)
		inQuery.expect(want...)
		inHeader.end()
		inQuery.end()
	}
}

func TestResumeOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)

	for i := range 100 { // of which the ring keeps 64
		b.feed.tell(v1.ChangeLease, "a", fmt.Sprint("l", i))
	}

	for _, after := range []string{"e1-35", "e1-101", "e0-99", "e1", "nonsense", "e1--1", "e1-18446744073709551615"} {
		l := b.listen("", "Last-Event-ID", after)
		l.expect("reset")

		if l.last != "e1-100" {
			t.Errorf("after %s: goes on at %s", after, l.last)
		}

		l.end()
	}

	l := b.listen("", "Last-Event-ID", "e1-36")
	l.expect("l36", "l37")
	l.end()
}

// TestOnlyWhatMayBeSeen: namespaces and kinds, by right and by wish.
func TestOnlyWhatMayBeSeen(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	b.judge.rights = map[string]bool{"ipleases a": true, "ippools b": true}

	all, pools, ofB := b.listen(""), b.listen("?kind=pool"), b.listen("?namespace=b")

	for _, namespace := range []string{"a", "b", "c"} {
		for _, kind := range []v1.ChangeKind{v1.ChangeLease, v1.ChangePool, v1.ChangeAgent, v1.ChangeVM, v1.ChangeNetwork} {
			b.feed.tell(kind, namespace, string(kind)+"-"+namespace)
		}
	}

	b.feed.tell(v1.ChangePool, "b", "last")

	all.expect("lease-a", "pool-b", "agent-b", "last")
	pools.expect("pool-b", "last")
	ofB.expect("pool-b", "agent-b", "last")

	for query, status := range map[string]int{
		"?namespace=c": http.StatusForbidden, "?kind=vm": http.StatusForbidden, "?kind=lease&namespace=b": http.StatusForbidden,
		"?kind=house": http.StatusBadRequest,
	} {
		if l := b.listen(query); l.answer.StatusCode != status {
			t.Errorf("%s: %s, want %d", query, l.answer.Status, status)
		}
	}

	b.judge.set(func() { b.judge.silent = true })

	if l := b.listen(""); l.answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without an answer of Kubernetes: %s", l.answer.Status)
	}
}

// TestRightsEnd: a right that is taken away, and a caller who is nobody any more, end
// within the time of a review, also on a stream that is open.
func TestRightsEnd(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	b.judge.rights = map[string]bool{"ipleases a": true, "ipleases b": true}

	l := b.listen("")
	b.feed.tell(v1.ChangeLease, "a", "before")
	l.expect("before")

	b.judge.set(func() { b.judge.rights = map[string]bool{"ipleases b": true} })
	b.clock.move(reviewEvery)
	b.feed.tell(v1.ChangeLease, "a", "secret")
	b.feed.tell(v1.ChangeLease, "b", "after")
	l.expect("after")

	b.judge.set(func() { b.judge.gone = true })
	b.clock.move(reviewEvery)
	b.feed.tell(v1.ChangeLease, "b", "secret")
	l.expect("end")
}

// TestReviewsAreFew: what was answered is not asked again for each event.
func TestReviewsAreFew(t *testing.T) {
	t.Parallel()

	b := newBench(t, nil)
	l := b.listen("")

	for i := range 40 {
		b.feed.tell(v1.ChangeLease, "a", fmt.Sprint("l", i))
	}

	for range 40 {
		l.next()
	}

	b.judge.set(func() {
		if b.judge.reviews > 4 {
			t.Errorf("Kubernetes was asked %d times", b.judge.reviews)
		}
	})
}

// TestStreamsAreLimited: in all, and for one user.
func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()

	b := newBench(t, func(c *Config) { c.Streams = 6 })

	var open []*listener

	for i, who := range []string{"jane", "jane", "jane", "jane", "joe", "joe", "joe", "ann"} {
		l := b.listen("", "User", who)
		want := http.StatusOK

		if i == 3 || i >= 7 {
			want = http.StatusServiceUnavailable
		}

		if l.answer.StatusCode != want {
			t.Fatalf("stream %d, of %s: %s, want %d", i, who, l.answer.Status, want)
		}

		open = append(open, l)
	}

	open[0].end()
	waitFor(t, "the place is free", func() bool { return b.hub.Streams() == 5 })

	if l := b.listen("", "User", "ann"); l.answer.StatusCode != http.StatusOK {
		t.Errorf("in a place that was left: %s", l.answer.Status)
	}
}

// TestSlowReaders: one who takes nothing off the connection holds no more than
// the kernel took in, and is dropped; the others do not notice.
func TestSlowReaders(t *testing.T) {
	t.Parallel()

	b := newBench(t, func(c *Config) {
		c.Ring = 1 << 14
		c.Object = func(v1.ChangeKind, string, string) (any, bool) { return strings.Repeat("x", 8<<10), true }
		// The deadline of a write that does not end is over sooner than really.
		c.Clock = func() time.Time { return time.Now().Add(-patience + 3*time.Second) }
	})

	// What the kernel takes in for the slow one is small, and stays so.
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10) })
	}}

	raw, err := dialer.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()

	slow := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	if _, err := io.WriteString(slow, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	fast := b.listen("")

	waitFor(t, "two streams", func() bool { return b.hub.Streams() == 2 })

	const events = 4000 // of 8 kB: more than any socket buffer

	go func() {
		for i := range events {
			b.feed.tell(v1.ChangeLease, "a", fmt.Sprint("l", i))
		}
	}()

	lines := bufio.NewReaderSize(fast.answer.Body, 64<<10)
	for count := 0; count < events; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the fast reader, after %d: %v", count, err)
		}

		if strings.HasPrefix(line, "data: ") {
			count++
		}
	}

	waitFor(t, "the slow reader is dropped", func() bool { return b.hub.Streams() == 1 })
}

// TestFallingBehind: whose position has left the ring is told so, and where to go
// on.
func TestFallingBehind(t *testing.T) {
	t.Parallel()

	r := newRing(4)
	batch := make([]*event, 8)

	for i := range 100 {
		r.add(store.Change{Name: fmt.Sprint(i)})

		newest := r.newest()
		for position := range newest + 3 {
			count, _, ok := r.after(position, batch)

			known := position <= newest && newest-position <= 4
			if ok != known || ok && uint64(count) != newest-position {
				t.Fatalf("%d of %d: %d events, %v", position, newest, count, ok)
			}

			for j, one := range batch[:count] {
				if one.sequence != position+uint64(j)+1 || one.change.Name != fmt.Sprint(one.sequence-1) {
					t.Fatalf("%d of %d: event %d is %d, %s", position, newest, j, one.sequence, one.change.Name)
				}
			}
		}
	}
}

// TestEncodedOnce: however many readers there are.
func TestEncodedOnce(t *testing.T) {
	t.Parallel()

	var (
		mu    sync.Mutex
		asked []string
	)

	b := newBench(t, func(c *Config) {
		c.Object = func(_ v1.ChangeKind, _, name string) (any, bool) {
			mu.Lock()
			defer mu.Unlock()

			asked = append(asked, name)

			return nil, false
		}
	})

	var all []*listener
	for range 20 {
		all = append(all, b.listen(""))
	}

	b.feed.tell(v1.ChangeLease, "a", "one")
	b.feed.tell(v1.ChangeLease, "a", "two")

	for _, l := range all {
		l.expect("one", "two")
	}

	mu.Lock()
	defer mu.Unlock()

	if slices.Sort(asked); !slices.Equal(asked, []string{"one", "two"}) {
		t.Errorf("encoded were %q", asked)
	}
}

// TestStreamsOutliveTheTimesOfRequests: the server's limits for requests are not
// for streams, and closing the hub ends them at once.
func TestStreamsOutliveTheTimesOfRequests(t *testing.T) {
	t.Parallel()

	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			outlive(t, protocol)
		})
	}
}

func outlive(t *testing.T, protocol string) {
	t.Helper()

	b := newBench(t, func(c *Config) {
		// A write may take 700 ms, too.
		c.Clock = func() time.Time { return time.Now().Add(-patience + 700*time.Millisecond) }
	})
	if protocol == "HTTP/1.1" {
		b.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	}

	l := b.listen("")
	if l.answer.Proto != protocol {
		t.Fatalf("it is %s", l.answer.Proto)
	}

	began := time.Now()

	// Each time longer than any limit.
	for i := range 2 {
		waitFor(t, "time has passed", func() bool { return time.Since(began) > time.Duration(i+1)*time.Second })
		b.feed.tell(v1.ChangeLease, "a", "late")
		l.expect("late")
	}

	b.hub.Close()
	l.expect("end")
}
