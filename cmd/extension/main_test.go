package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestWhatIsWrongOnTheCommandLine(t *testing.T) {
	cases := map[string]struct{ arg, want string }{
		"a port too large":  {"--http-port=70000", "at most 65535"},
		"a negative port":   {"--http-port=-1", "--http-port=-1"},
		"an argument":       {"serve", `argument "serve"`},
		"an unknown flag":   {"--listen=:1", "not defined: -listen"},
		"a port of letters": {"--http-port=http", "invalid value"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := parsePort([]string{test.arg}, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestItServesUntilItIsToldToEnd(t *testing.T) {
	var config net.ListenConfig

	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	handler := http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) { response.WriteHeader(http.StatusTeapot) })

	go func() { ended <- serve(ctx, listener, handler) }()

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}

	_ = response.Body.Close()

	if response.StatusCode != http.StatusTeapot {
		t.Errorf("got %d", response.StatusCode)
	}

	end()

	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
}
