package source

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// names is a name server that counts its questions.
type names struct {
	mu    sync.Mutex
	asked int
	found []netip.Addr
	err   error
}

func (n *names) lookup(context.Context, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.asked++

	return n.found, n.err
}

func TestResolver(t *testing.T) {
	t.Parallel()

	server := &names{found: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	resolver := newResolver(server.lookup)
	ask := func(want string, asked int) {
		t.Helper()

		var got strings.Builder
		for _, address := range resolver.resolve(t.Context(), "time.example.org") {
			got.WriteString(address.String())
		}

		if got.String() != want || server.asked != asked {
			t.Errorf("resolved to %q after %d questions, want %q after %d", got.String(), server.asked, want, asked)
		}
	}

	ask("10.0.0.1", 1)
	ask("10.0.0.1", 1) // remembered

	server.err = errors.New("the name server is away")

	resolver.expire()
	ask("10.0.0.1", 2) // the last answer is kept
	ask("10.0.0.1", 2) // and nobody is hammered

	server.err, server.found = nil, []netip.Addr{netip.MustParseAddr("10.0.0.2")}

	resolver.expire()
	ask("10.0.0.2", 3)
}

func TestUnknownNameIsNotHammered(t *testing.T) {
	t.Parallel()

	server := &names{err: errors.New("no such host")}
	resolver := newResolver(server.lookup)

	for range 5 {
		if got := resolver.resolve(t.Context(), "nowhere.example.org"); len(got) > 0 {
			t.Errorf("resolved to %v", got)
		}
	}

	if server.asked != 1 {
		t.Errorf("asked %d times", server.asked)
	}

	resolver.expire()
	resolver.resolve(t.Context(), "nowhere.example.org")

	if server.asked != 2 {
		t.Errorf("asked %d times after the pause", server.asked)
	}
}

func newSource(t *testing.T) (*Source, *clocktesting.FakeClock) {
	t.Helper()

	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))

	made, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, "vms", "net", (&names{}).lookup, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}

	return made, clock
}

func TestNewNeedsAPool(t *testing.T) {
	t.Parallel()

	for _, key := range [][2]string{{"", "net"}, {"vms", ""}} {
		if _, err := New(&rest.Config{}, key[0], key[1], nil, nil, nil); err == nil || !strings.Contains(err.Error(), "namespace/name") {
			t.Errorf("%v: %v", key, err)
		}
	}
}

// TestFresh: a view is current for a while after the API server showed that it
// agrees, and not while a watch is known to be down.
func TestFresh(t *testing.T) {
	t.Parallel()

	source, clock := newSource(t)
	check := func(when string, want bool) {
		t.Helper()

		if got := source.Fresh(); got != want {
			t.Errorf("%s: fresh is %t", when, got)
		}
	}
	alive := func() {
		now := clock.Now()
		source.alive.Store(&now)
	}

	check("nothing was heard yet", false)
	alive()
	check("just heard", true)
	clock.Step(freshFor - time.Nanosecond)
	check("heard a moment ago", true)
	clock.Step(time.Nanosecond)
	check("heard too long ago", false)

	alive()
	source.watchFailed(t.Context(), nil, io.EOF)
	check("a watch that ended in good order", true)
	source.watchFailed(t.Context(), nil, errors.New("connection refused"))
	check("a watch that is down", false)
	clock.Step(brokenFor - time.Second)
	alive()
	check("it may still be down", false)
	clock.Step(time.Second)
	check("it would have said so again", true)
}

// TestBuild: what the agent is told for what the stores hold.
func TestBuild(t *testing.T) {
	t.Parallel()

	source, _ := newSource(t)
	pools, leases := cache.NewStore(cache.MetaNamespaceKeyFunc), cache.NewStore(cache.MetaNamespaceKeyFunc)
	put := func(store cache.Store, object any) {
		if err := store.Add(object); err != nil {
			t.Fatal(err)
		}
	}

	if state, told := source.build(t.Context(), pools, leases); !told || !state.Withdrawn {
		t.Errorf("no pool: %+v, %t", state, told)
	}

	foreign := lease("10.0.0.9", macB, "two", 1)
	foreign.Spec.PoolName = "other"

	put(pools, pool())
	put(leases, lease("10.0.0.5", macA, "one", 1))
	put(leases, foreign)

	state, told := source.build(t.Context(), pools, leases)
	if !told || state.Withdrawn || len(state.Entries) != 1 || state.Entries[0].Address.String() != "10.0.0.5" {
		t.Errorf("one lease: %+v, %t", state, told)
	}

	broken := pool()
	broken.Spec.IPv4Config.CIDR = "ten"
	put(pools, broken)

	if state, told := source.build(t.Context(), pools, leases); told {
		t.Errorf("an edit that cannot be served must leave the last view: %+v", state)
	}

	// The last lease goes, and with it the last MAC address (A1).
	put(pools, pool())

	for _, object := range leases.List() {
		if err := leases.Delete(object.(*v1alpha1.IPLease)); err != nil {
			t.Fatal(err)
		}
	}

	if state, told := source.build(t.Context(), pools, leases); !told || state.Withdrawn || len(state.Entries) != 0 {
		t.Errorf("no lease: %+v, %t", state, told)
	}
}

// TestFollow: it builds at once, after each change, and when names are due.
func TestFollow(t *testing.T) {
	t.Parallel()

	source, clock := newSource(t)
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan struct{}, 1), make(chan string, 1000)

	go func() {
		source.follow(ctx, changed, func() { done <- "build" }, func() { done <- "probe" })
		close(done)
	}()

	wait := func(want string) {
		for what := range done {
			if what == want {
				return
			}
		}

		t.Fatalf("it ended before a %s", want)
	}

	wait("probe")
	wait("build")

	for range 3 {
		signal(changed)
		signal(changed) // never blocks
		wait("build")
	}

	clock.Step(probeInterval)
	wait("probe")

	clock.Step(resolveInterval)
	wait("build")
	cancel()

	for range done { // it ends with its context
	}
}
