package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// service stands for the chart's Service: it forwards connections to the
// webhooks of any manager that takes them.
type service struct {
	listener net.Listener

	mu    sync.Mutex
	ports []int
}

func newService() (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	s := &service{listener: listener}

	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed
			}

			go s.forward(from)
		}
	}()

	return s, nil
}

func (s *service) port() int {
	address, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}

	return address.Port
}

func (s *service) add(port int) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.ports = append(s.ports, port)
}

func (s *service) remove(port int) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.ports = slices.DeleteFunc(s.ports, func(other int) bool { return other == port })
}

func (s *service) forward(from net.Conn) {
	defer from.Close()

	s.mu.Lock()
	ports := slices.Clone(s.ports)
	s.mu.Unlock()

	for _, port := range ports {
		to, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer to.Close()

		go func() {
			defer to.Close()

			io.Copy(to, from) //nolint:errcheck // either side may go away
		}()

		io.Copy(from, to) //nolint:errcheck // as above

		return
	}
}

func (s *service) close() { s.listener.Close() }
