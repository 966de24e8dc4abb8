package httpserver_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/freehold-net/freehold/pkg/httpserver"
)

// start serves the handler and returns its address, how to stop it, and what
// ServeOn returned in the end.
func start(t *testing.T, handler http.HandlerFunc) (string, context.CancelFunc, <-chan error) {
	t.Helper()

	listener, err := httpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)

	ended := make(chan error, 1)

	go func() { ended <- httpserver.ServeOn(ctx, listener, httpserver.Config{Handler: handler}) }()

	return listener.Addr().String(), stop, ended
}

// A request that is under way is answered, and later ones are not.
func TestStopsAfterRequestsUnderWay(t *testing.T) {
	t.Parallel()

	arrived, goOn := make(chan struct{}), make(chan struct{})
	address, stop, ended := start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-goOn

		_, _ = io.WriteString(w, "done")
	})

	type answer struct {
		body []byte
		err  error
	}

	answers := make(chan answer, 1)

	go func() {
		response, err := http.Get("http://" + address)
		if err != nil {
			answers <- answer{err: err}

			return
		}
		defer response.Body.Close()

		body, err := io.ReadAll(response.Body)
		answers <- answer{body, err}
	}()

	<-arrived
	stop()

	select {
	case err := <-ended:
		t.Fatalf("ServeOn ended with a request under way: %v", err)
	case <-refused(address):
	}

	close(goOn)

	if got := <-answers; got.err != nil || string(got.body) != "done" {
		t.Errorf("answer %q, %v", got.body, got.err)
	}

	if err := <-ended; err != nil {
		t.Errorf("ServeOn() = %v", err)
	}
}

// refused is closed when nobody listens on the address.
func refused(address string) <-chan struct{} {
	done := make(chan struct{})

	go func() {
		defer close(done)

		for {
			connection, err := net.Dial("tcp", address)
			if err != nil {
				return
			}

			connection.Close()
		}
	}()

	return done
}

func TestSaysWhyItCannotServe(t *testing.T) {
	t.Parallel()

	address, _, _ := start(t, func(http.ResponseWriter, *http.Request) {})

	if err := httpserver.Serve(t.Context(), address, http.NotFoundHandler()); err == nil {
		t.Error("two servers on one address")
	}

	listener, err := httpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}

	if err := httpserver.ServeOn(t.Context(), listener, httpserver.Config{Handler: http.NotFoundHandler()}); err == nil {
		t.Error("served on a closed listener")
	}
}
