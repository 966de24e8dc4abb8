// Package bench_test measures the REST API at the size that it is made for.
// scripts/bench-api runs it.
package bench_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// rounds is how often each question is asked, or a fifth of it with -short.
	rounds = 200
	// changesPerSecond come while the questions are asked.
	changesPerSecond = 100

	// pageGoal and searchGoal are the times that must be kept.
	pageGoal   = 20 * time.Millisecond
	searchGoal = 50 * time.Millisecond
)

// figures are the times of one kind of question, in milliseconds.
type figures struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
	// CPU is what one question costs the process on average, the asking, the
	// changes meanwhile and the garbage included. Unlike the times it does not
	// grow with what else the machine does.
	CPU float64 `json:"cpu"`
}

// report is the line that is printed.
type report struct {
	Pools       int `json:"pools"`
	Leases      int `json:"leases"`
	ChangesPerS int `json:"changesPerSecond"`
	CPUs        int `json:"cpus"`
	// Load is the machine's load average before and after: figures of a machine
	// that does other work say little.
	Load     [2]string          `json:"load"`
	HeapMiB  uint64             `json:"heapMiB"`
	Pages    map[string]figures `json:"pagesMs"`
	Searches map[string]figures `json:"searchesMs"`
	Other    map[string]figures `json:"otherMs"`
	Streams  any                `json:"streams,omitempty"`
}

func measured(times []time.Duration) figures {
	slices.Sort(times)

	ms := func(share float64) float64 {
		at := min(int(share*float64(len(times))), len(times)-1)

		return float64(times[at].Microseconds()) / 1000
	}

	return figures{P50: ms(0.50), P99: ms(0.99), Max: ms(1)}
}

// asker asks over a real connection, as many times as it is told.
type asker struct {
	t      *testing.T
	server *httptest.Server
	dice   *rand.Rand
}

// ask measures one question; url makes it anew each time.
func (a *asker) ask(times int, url func() string) figures {
	a.t.Helper()

	var took []time.Duration

	spent, asked := cpuTime(a.t), 0

	if testing.Short() {
		times /= 5
	}

	for i := range times + times/10 {
		request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.server.URL+url(), nil)
		if err != nil {
			a.t.Fatal(err)
		}

		began := time.Now()

		answer, err := a.server.Client().Do(request)
		if err != nil {
			a.t.Fatal(err)
		}

		size, err := io.Copy(io.Discard, answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || size == 0 {
			a.t.Fatalf("%s: %d, %d bytes, %v", request.URL, answer.StatusCode, size, err)
		}

		answer.Body.Close()

		asked++

		// The first tenth warms up.
		if i >= times/10 {
			took = append(took, time.Since(began))
		}
	}

	told := measured(took)
	told.CPU = float64((cpuTime(a.t) - spent).Microseconds()) / 1000 / float64(asked)

	return told
}

// next finds the continue value of a page somewhere in a list.
func (a *asker) next(url string) string {
	a.t.Helper()

	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.server.URL+url, nil)
	if err != nil {
		a.t.Fatal(err)
	}

	answer, err := a.server.Client().Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()

	var body struct {
		Continue string `json:"continue"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		a.t.Fatal(err)
	}

	return body.Continue
}

// TestSpeed measures and prints one line of JSON; it fails when a page or a
// search takes longer than it may.
func TestSpeed(t *testing.T) {
	if os.Getenv("FREEHOLD_BENCH") != "1" {
		t.Skip("measures for a minute; use `make bench-api`")
	}

	w := newWorld(t)
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)

	before := load()
	stop := changing(w)
	a := &asker{t: t, server: server, dice: rand.New(rand.NewPCG(1, 2))}
	told := report{
		Pools: poolCount, Leases: leaseCount, ChangesPerS: changesPerSecond, CPUs: runtime.GOMAXPROCS(0),
		Pages: a.pages(), Searches: a.searches(), Other: a.others(),
	}

	stop()

	var memory runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&memory)
	told.HeapMiB = memory.HeapAlloc >> 20

	told.Load = [2]string{before, load()}
	told.Streams = streams(t, w)

	line, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}

	fmt.Println(string(line))

	for name, figures := range told.Pages {
		if figures.P99 >= float64(pageGoal.Milliseconds()) {
			t.Errorf("page %s: p99 is %.1f ms, must be below %s", name, figures.P99, pageGoal)
		}
	}

	for name, figures := range told.Searches {
		if figures.Max >= float64(searchGoal.Milliseconds()) {
			t.Errorf("search %s: the slowest took %.1f ms, must be below %s", name, figures.Max, searchGoal)
		}
	}
}

// load is the machine's load average of the last minute, or why it is not known.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err.Error()
	}

	first, _, _ := strings.Cut(string(text), " ")

	return first
}

// changing changes leases all the time until it is told to stop.
func changing(w *world) (stop func()) {
	var group sync.WaitGroup

	done := make(chan struct{})
	ticker := time.NewTicker(time.Second / changesPerSecond)

	group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-ticker.C:
				w.change(i * 7919)
			}
		}
	})

	return func() {
		ticker.Stop()
		close(done)
		group.Wait()
	}
}

func (a *asker) pages() map[string]figures {
	deep := a.next("/v1/leases?limit=1000")
	pools := func() string { i := a.dice.IntN(poolCount); return fmt.Sprintf("/v1/pools/tenant-%d/net-%d", i%40, i) }

	return map[string]figures{
		"leases":      a.ask(rounds, func() string { return "/v1/leases" }),
		"leasesNext":  a.ask(rounds, func() string { return "/v1/leases?continue=" + deep }),
		"leasesPool":  a.ask(rounds, func() string { return pools() + "/leases" }),
		"pools":       a.ask(rounds, func() string { return "/v1/pools" }),
		"poolsUrgent": a.ask(rounds, func() string { return "/v1/pools?sort=attention" }),
		"networks":    a.ask(rounds, func() string { return "/v1/networks" }),
		"vms":         a.ask(rounds, func() string { return "/v1/vms" }),
	}
}

func (a *asker) searches() map[string]figures {
	n := func() int { return a.dice.IntN(leaseCount) }

	return map[string]figures{
		"text":       a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?q=vm-%05d", n()) }),
		"textAll":    a.ask(rounds, func() string { return "/v1/leases?q=tenant" }),
		"textNone":   a.ask(rounds, func() string { return "/v1/leases?q=nothing-has-this" }),
		"macPart":    a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?q=%02x:%02x", n()%256, n()%256) }),
		"mac":        a.ask(rounds, func() string { i := n(); return fmt.Sprintf("/v1/leases?mac=5254.00%02x.%04x", i>>16, i&0xffff) }),
		"address":    a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?address=10.%d.0.", n()%poolCount) }),
		"cidr":       a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?address=10.%d.0.0/26", n()%poolCount) }),
		"vm":         a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?vm=vm-%05d", n()) }),
		"host":       a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?hostname=%05d", n()) }),
		"network":    a.ask(rounds, func() string { return fmt.Sprintf("/v1/leases?network=net-%d&sort=-mac", n()%poolCount) }),
		"sortVM":     a.ask(rounds, func() string { return "/v1/leases?sort=vm" }),
		"sortDown":   a.ask(rounds, func() string { return "/v1/leases?sort=-created&state=Allocated" }),
		"manyAtOnce": a.ask(rounds, func() string { return "/v1/leases?q=10.1&namespace=tenant-7&state=Allocated&sort=-address" }),
		"vms":        a.ask(rounds, func() string { return fmt.Sprintf("/v1/vms?q=vm-%05d", n()) }),
	}
}

func (a *asker) others() map[string]figures {
	n := func() int { return a.dice.IntN(poolCount) }

	return map[string]figures{
		"addresses": a.ask(rounds, func() string { i := n(); return fmt.Sprintf("/v1/pools/tenant-%d/net-%d/addresses", i%40, i) }),
		"explain":   a.ask(rounds, func() string { i := n(); return fmt.Sprintf("/v1/vms/tenant-%d/vm-%05d/explain", i%40, i) }),
		"csvOfAll":  a.ask(10, func() string { return "/v1/leases?format=csv" }),
	}
}
