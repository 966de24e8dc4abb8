package main

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// patience is how long anything may take before a test fails.
	patience = 45 * time.Second
	// glance is the pause between two looks.
	glance = 20 * time.Millisecond
	// tail is how many lines of the log a failed test shows.
	tail = 80
)

// logs keeps what the programs under test log, for tests that fail.
var logs logBook

type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *logBook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.text.Write(line)
}

func (b *logBook) logger(who string, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: level})).With("who", who)
}

// dump shows the last lines.
func (b *logBook) dump(t *testing.T) {
	t.Helper()

	b.mu.Lock()
	defer b.mu.Unlock()

	lines := strings.Split(b.text.String(), "\n")
	t.Log("the last that was logged:\n" + strings.Join(lines[max(0, len(lines)-tail):], "\n"))
}

// eventually waits until try returns "", which it does when it sees what, and
// fails the test with what it saw last when that does not come about.
func (s *server) eventually(t *testing.T, what string, try func() string) {
	t.Helper()

	deadline := time.NewTimer(patience)
	defer deadline.Stop()

	ticker := time.NewTicker(glance)
	defer ticker.Stop()

	for {
		last := try()
		if last == "" {
			return
		}

		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("not so after %v: %s: %s", patience, what, last)
		}
	}
}

// settled waits until our accounts have written nothing for a while.
func (s *server) settled(t *testing.T) {
	t.Helper()

	const quiet = 1500 * time.Millisecond

	begin := time.Now()

	s.eventually(t, "nothing is written any more", func() string {
		last := begin

		for _, event := range s.writes(t) {
			if event.Received.After(last) {
				last = event.Received
			}
		}

		if time.Since(last) < quiet {
			return "something was just written"
		}

		return ""
	})
}

// writes returns what the manager has written so far, without its leader
// election and Events.
func (s *server) writes(t *testing.T) []auditEvent {
	t.Helper()

	events, err := s.audit.all()
	if err != nil {
		t.Fatal(err)
	}

	return slices.DeleteFunc(events, func(event auditEvent) bool {
		return !event.writes() || event.ObjectRef.APIGroup == "coordination.k8s.io" || event.ObjectRef.Resource == "events"
	})
}
