package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
)

func noEnv(string) string { return "" }

// TestRefusalsNameFlagValueAndRemedy: every mistake at once, each in a way that
// tells what to write instead.
func TestRefusalsNameFlagValueAndRemedy(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"no pool":           {nil, []string{`--ippool-ref ""`, "namespace/name"}},
		"pool without name": {[]string{"--ippool-ref=ns"}, []string{`--ippool-ref "ns"`, "namespace/name"}},
		"no interface":      {[]string{"--ippool-ref=ns/p", "--nic="}, []string{"--nic is empty", "eth1"}},
		"port":              {[]string{"--ippool-ref=ns/p", "--http-port=70000"}, []string{"--http-port 70000", "1 to 65535"}},
		"log level":         {[]string{"--ippool-ref=ns/p", "--log-level=loud"}, []string{`--log-level "loud"`, "debug, info"}},
		"nameless speaker":  {[]string{"--ippool-ref=ns/p", "--lease-name=l"}, []string{"--lease-name needs", "POD_NAME"}},
		"all at once":       {[]string{"--http-port=0", "--log-level=loud"}, []string{"--ippool-ref", "--http-port 0", "--log-level"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := parseOptions(test.args, noEnv, io.Discard)
			if err == nil {
				t.Fatal("accepted")
			}

			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestOptionsComeFromFlagsAndEnvironment(t *testing.T) {
	t.Parallel()

	env := map[string]string{"IPPOOL_REF": "ns/pool", "POD_NAMESPACE": "system", "POD_NAME": "agent-1", "POD_UID": "1234"}

	o, err := parseOptions([]string{"--lease-name=l", "--log-level=debug", "--nic=net1"},
		func(key string) string { return env[key] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	want := options{
		pool: "ns/pool", nic: "net1", namespace: "system", identity: "agent-1", uid: "1234", lease: "l",
		httpPort: 8080, logLevel: slog.LevelDebug,
	}
	if o != want {
		t.Errorf("options = %+v, want %+v", o, want)
	}
}
