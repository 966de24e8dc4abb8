package nodeinit

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tickEvery  = 100 * time.Millisecond // how often due starts are looked for
	restartGap = time.Second            // between the end of a daemon and its next start
	stopWithin = 20 * time.Second       // a stopped daemon has to be gone
)

// daemon is a Service and what has become of it.
type daemon struct {
	Service
	wanted bool
	pid    int       // 0 when it does not run
	due    time.Time // not to be started before
	starts int
	last   string // how it ended last
}

// supervisor starts, restarts and stops daemons. All methods may be called from
// several goroutines.
type supervisor struct {
	mu      sync.Mutex
	daemons []*daemon
}

func newSupervisor(spec Spec) *supervisor {
	s := &supervisor{}
	for _, service := range spec.Services {
		s.daemons = append(s.daemons, &daemon{Service: service, wanted: !service.Held})
	}
	return s
}

// run starts what is due and collects what has ended, for ever.
func (s *supervisor) run() error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE, unix.SIGTERM, unix.SIGINT)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		s.startDue(time.Now())
		select {
		case <-ended:
		case <-tick.C:
		}
		s.reap(time.Now())
	}
}

func (s *supervisor) startDue(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.daemons {
		if !d.wanted || d.pid != 0 || now.Before(d.due) {
			continue
		}
		if _, err := os.Stat(d.WaitFor); d.WaitFor != "" && err != nil {
			continue
		}
		if err := d.start(); err != nil {
			d.last = err.Error()
			d.due = now.Add(restartGap)
			fmt.Fprintf(os.Stderr, "%s: start: %v\n", d.Name, err)
		}
	}
}

// start runs the daemon. The caller holds the lock, so that reap cannot see its
// end before its pid is noted.
func (d *daemon) start() error {
	log, err := os.OpenFile(d.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess(d.Argv[0], d.Argv, &os.ProcAttr{
		Env: append(os.Environ(), d.Env...), Files: []*os.File{null, log, log}, Sys: &unix.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	d.pid = p.Pid
	d.starts++
	return p.Release() // reap waits for it, as for every other child
}

// reap collects all children that have ended, orphans of the node included.
func (s *supervisor) reap(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, d := range s.daemons {
			if d.pid != pid {
				continue
			}
			d.pid, d.due = 0, now.Add(restartGap)
			d.last = describe(status)
			if d.wanted {
				fmt.Fprintf(os.Stderr, "%s: %s; starting it again\n", d.Name, d.last)
			}
		}
	}
}

func describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return "ended by signal " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("ended with code %d", status.ExitStatus())
}

func (s *supervisor) find(name string) (*daemon, error) {
	for _, d := range s.daemons {
		if d.Name == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("service %q: unknown", name)
}

// startService lets a daemon run from now on.
func (s *supervisor) startService(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(name)
	if err == nil {
		d.wanted, d.due = true, time.Time{}
	}
	return err
}

// stopService kills a daemon, as a crash does, and keeps it from starting. It
// returns when the daemon is gone.
func (s *supervisor) stopService(name string) error {
	gone := func(kill bool) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		d, err := s.find(name)
		if err != nil || d.pid == 0 {
			if err == nil {
				d.wanted = false
			}
			return true, err
		}
		if kill {
			d.wanted = false
			return false, unix.Kill(d.pid, unix.SIGKILL)
		}
		return false, nil
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(stopWithin)
	for kill := true; ; kill = false {
		done, err := gone(kill)
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("service %s: still there %s after SIGKILL", name, stopWithin)
		}
		<-tick.C
	}
}

// status describes all daemons.
func (s *supervisor) status() []ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []ServiceStatus
	for _, d := range s.daemons {
		list = append(list, ServiceStatus{Name: d.Name, Wanted: d.wanted, Running: d.pid != 0, Starts: d.starts, Last: d.last, Log: d.Log})
	}
	return list
}
