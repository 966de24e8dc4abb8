package bench_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/freehold-net/freehold/pkg/api/stream"
)

const (
	streamCount = 200
	// slowCount are readers besides that take nothing off their connections.
	slowCount = 10
	// streamTime is how long streams are measured.
	streamTime = 20 * time.Second
	// cpuGoal is what they may cost, in cores.
	cpuGoal = 1.0

	// readersVariable has the address for the process that reads.
	readersVariable = "FREEHOLD_BENCH_STREAMS"
)

// streamFigures are what 200 open event streams under 100 changes a second cost
// the process that serves them. Its readers are a process of their own.
type streamFigures struct {
	Streams int     `json:"streams"`
	Slow    int     `json:"slow"`
	Seconds float64 `json:"seconds"`
	// Events were read, all streams together; Expected is as many as changed.
	Events   int64 `json:"events"`
	Expected int64 `json:"expected"`
	// CPU is of the serving process, in cores, the store and the changes included.
	CPU float64 `json:"cpuCores"`
	// HeapGrowthMiB is the memory of all streams together.
	HeapGrowthMiB float64 `json:"heapGrowthMiB"`
}

// streams measures 200 open event streams under 100 changes a second, over TLS,
// beside ten that never read.
func streams(t *testing.T, w *world) any {
	t.Helper()

	hub := stream.New(stream.Config{
		Feed: w.store, Object: w.api.Object, Namespaces: w.store.Namespaces,
		Authenticator: anybody{}, Reviewer: everything{}, Epoch: "bench", Clock: time.Now,
	})
	w.api.HandleStream(http.MethodGet, "/v1/events", hub.Serve)

	server := httptest.NewUnstartedServer(w.api)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(func() {
		hub.Close()
		server.Close()
	})

	before := heap()

	dawdle(t, server.Listener.Addr().String())

	readers := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStreamReaders$", "-test.v")
	readers.Env = append(os.Environ(), readersVariable+"="+server.URL)

	var output strings.Builder

	readers.Stdout, readers.Stderr = &output, os.Stderr
	if err := readers.Start(); err != nil {
		t.Fatal(err)
	}

	for hub.Streams() < streamCount+slowCount {
		if t.Context().Err() != nil {
			t.Fatal("the readers did not come")
		}

		runtime.Gosched()
		time.Sleep(10 * time.Millisecond) // a measurement, not a test of order
	}

	began, spent, revision := time.Now(), cpuTime(t), w.store.Revision()
	stop := changing(w)

	time.Sleep(streamTime) // as above: the time that is measured
	stop()

	told := streamFigures{Streams: streamCount, Slow: slowCount, Seconds: time.Since(began).Seconds()}
	told.CPU = (cpuTime(t) - spent).Seconds() / told.Seconds
	told.Expected = int64(w.store.Revision()-revision) * streamCount
	told.HeapGrowthMiB = float64(int64(heap())-int64(before)) / (1 << 20)

	// Whatever changed last is on its way; the readers end with their streams.
	time.Sleep(time.Second)
	hub.Close()

	if err := readers.Wait(); err != nil {
		t.Fatalf("the readers: %v\n%s", err, output.String())
	}

	_, count, _ := strings.Cut(output.String(), "events read: ")
	if _, err := fmt.Sscan(count, &told.Events); err != nil {
		t.Fatalf("the readers did not count: %v\n%s", err, output.String())
	}

	if told.CPU >= cpuGoal {
		t.Errorf("%d streams cost %.2f cores, must be below %.0f", streamCount, told.CPU, cpuGoal)
	}

	if told.Events != told.Expected {
		t.Errorf("%d events were read, want %d", told.Events, told.Expected)
	}

	return told
}

// dawdle opens streams whose readers take nothing off the connection.
func dawdle(t *testing.T, address string) {
	t.Helper()

	for range slowCount {
		dialer := &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
			// What the kernel takes in for them is small, as far as it lets us say.
			return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}}

		raw, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}

		connection := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		t.Cleanup(func() { raw.Close() })

		if _, err := fmt.Fprintf(connection, "GET /v1/events HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
}

func heap() uint64 {
	var memory runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&memory)

	return memory.HeapAlloc
}

// cpuTime is what this process has used so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()

	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}

	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestStreamReaders is the process that reads; it is started by streams.
func TestStreamReaders(t *testing.T) {
	address := os.Getenv(readersVariable)
	if address == "" {
		t.Skip("is started by TestSpeed")
	}

	var (
		group  sync.WaitGroup
		events atomic.Int64
	)

	for range streamCount {
		group.Go(func() {
			count, err := readAll(t.Context(), address)
			if err != nil {
				t.Error(err)
			}

			events.Add(count)
		})
	}

	group.Wait()
	fmt.Printf("events read: %d\n", events.Load()) // for the process that started this one
}

// readAll reads a stream to its end, and counts the events of which it can read
// the body.
func readAll(ctx context.Context, address string) (int64, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/v1/events", nil)
	if err != nil {
		return 0, err
	}

	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()

	var count int64

	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}

		var body struct {
			Object struct {
				Name string `json:"name"`
			} `json:"object"`
		}
		if err := json.Unmarshal([]byte(data), &body); err != nil || body.Object.Name == "" {
			return count, fmt.Errorf("event %q: %w", data, err)
		}

		count++
	}

	return count, lines.Err()
}

// TestStreams measures the streams alone, and prints one line of JSON.
func TestStreams(t *testing.T) {
	if os.Getenv("FREEHOLD_BENCH_STREAMS_ONLY") != "1" {
		t.Skip("measures for half a minute; is a part of TestSpeed")
	}

	line, err := json.Marshal(streams(t, newWorld(t)))
	if err != nil {
		t.Fatal(err)
	}

	fmt.Println(string(line)) // the figures are what this is for
}
