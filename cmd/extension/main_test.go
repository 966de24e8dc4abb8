package main

import (
	"io"
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
