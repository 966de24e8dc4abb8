package nodeinit

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"
)

// ServiceStatus is what a node says of one of its daemons.
type ServiceStatus struct {
	Name    string `json:"name"`
	Wanted  bool   `json:"wanted"`  // false after an order to stop
	Running bool   `json:"running"` //
	Starts  int    `json:"starts"`  // more than one: it has ended and was started again
	Last    string `json:"last"`    // how it ended last; empty when it never has
	Log     string `json:"log"`
}

// order is one request over the socket; each connection carries one.
type order struct {
	Op      string `json:"op"` // start, stop, status
	Service string `json:"service,omitempty"`
}

type answer struct {
	Error    string          `json:"error,omitempty"`
	Services []ServiceStatus `json:"services,omitempty"`
}

// listen takes orders from now on.
func (s *supervisor) listen(path string) error {
	l, err := listenUnix(path)
	if err != nil {
		return fmt.Errorf("take orders on %s: %w", path, err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "take orders:", err)
				return
			}
			go s.serve(conn)
		}
	}()
	return nil
}

func (s *supervisor) serve(conn net.Conn) {
	defer conn.Close()
	var o order
	if err := json.NewDecoder(conn).Decode(&o); err != nil {
		return
	}
	var err error
	switch o.Op {
	case "start":
		err = s.startService(o.Service)
	case "stop":
		err = s.stopService(o.Service)
	case "status":
	default:
		err = fmt.Errorf("order %q: unknown", o.Op)
	}
	a := answer{Services: s.status()}
	if err != nil {
		a.Error = err.Error()
	}
	json.NewEncoder(conn).Encode(a) //nolint:errcheck,errchkjson // the asker is gone then
}

// Start lets the service of the node that listens on socket run.
func Start(ctx context.Context, socket, service string) error {
	_, err := call(ctx, socket, order{Op: "start", Service: service})
	return err
}

// Stop kills the service and keeps it from starting; it returns when the
// service is gone. What the service has started, such as pods, lives on.
func Stop(ctx context.Context, socket, service string) error {
	_, err := call(ctx, socket, order{Op: "stop", Service: service})
	return err
}

// Status asks for the state of all services.
func Status(ctx context.Context, socket string) ([]ServiceStatus, error) {
	return call(ctx, socket, order{Op: "status"})
}

func call(ctx context.Context, socket string, o order) ([]ServiceStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, stopWithin+5*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", o.Op, o.Service, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return nil, fmt.Errorf("%s %s: %w", o.Op, o.Service, err)
	}
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		if ctx.Err() != nil { // the connection was closed for it
			err = ctx.Err()
		}
		return nil, fmt.Errorf("%s %s: process 1 does not answer: %w", o.Op, o.Service, err)
	}
	if a.Error != "" {
		return a.Services, fmt.Errorf("%s %s: %s", o.Op, o.Service, a.Error)
	}
	return a.Services, nil
}
