package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// replica is one manager that runs in this process as its own service account.
type replica struct {
	server   *server
	t        *testing.T
	identity string
	link     *link
	httpPort int
	hookPort int
	apiPort  int
	started  time.Time
	cancel   context.CancelFunc
	ended    chan struct{}
	err      error
}

// run starts a manager with the command line of the chart's Deployment. It is
// stopped at the end of the test, which fails if the manager was forbidden
// anything or ended by itself.
func (s *server) run(t *testing.T, identity string) *replica {
	t.Helper()

	r, err := s.start(t, identity)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

// start is run for other goroutines than the test's own.
func (s *server) start(t *testing.T, identity string) (*replica, error) {
	t.Helper()

	r := &replica{server: s, t: t, identity: identity, ended: make(chan struct{}), started: time.Now()}

	var err error
	if r.link, err = s.connect(t.Context(), managerAccount); err != nil {
		return nil, err
	}

	if r.httpPort, err = freePort(); err != nil {
		return nil, err
	}

	if r.hookPort, err = freePort(); err != nil {
		return nil, err
	}

	if r.apiPort, err = freePort(); err != nil {
		return nil, err
	}

	args := append(slices.Clone(s.chart.args), "--kubeconfig="+r.link.kubeconfig,
		fmt.Sprintf("--http-port=%d", r.httpPort), fmt.Sprintf("--webhook-port=%d", r.hookPort),
		fmt.Sprintf("--api-port=%d", r.apiPort), "--identity="+identity)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$(POD_NAMESPACE)", chartNamespace)
	}

	o, err := parseOptions(args, func(string) string { return "" }, io.Discard)
	if err != nil {
		return nil, err
	}

	// The manager may outlive the call that starts it, so not the test's context.
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel

	go func() {
		defer close(r.ended)

		r.err = newManager(o, logs.logger(identity, slog.LevelDebug)).run(ctx)
	}()

	s.service.add(r.hookPort)
	s.api.add(r.apiPort)
	t.Cleanup(r.stop)

	return r, nil
}

// ready waits until the manager says that it is.
func (r *replica) ready() bool {
	r.t.Helper()

	r.server.eventually(r.t, "manager "+r.identity+" is ready", func() string {
		select {
		case <-r.ended:
			r.t.Fatalf("manager %s ended: %v", r.identity, r.err)
		default:
		}

		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", r.httpPort))
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()

		if answer.StatusCode != http.StatusOK {
			text, err := io.ReadAll(answer.Body)

			return fmt.Sprint(string(text), err)
		}

		return ""
	})

	return !r.t.Failed()
}

// leads waits until the manager is ready and leads.
func (r *replica) leads() *replica {
	r.t.Helper()
	r.ready()
	r.server.eventually(r.t, "manager "+r.identity+" leads", func() string {
		if holder := r.server.leader(r.t); holder != r.identity {
			return fmt.Sprintf("%q does", holder)
		}

		return ""
	})

	return r
}

// leader returns the identity of the manager that leads, or "".
func (s *server) leader(t *testing.T) string {
	t.Helper()

	lease, err := s.clientset.CoordinationV1().Leases(chartNamespace).Get(t.Context(), chartRelease, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}

	return *lease.Spec.HolderIdentity
}

// stop ends the manager the way Kubernetes does, and looks back at what it did.
func (r *replica) stop() {
	r.server.service.remove(r.hookPort)
	r.server.api.remove(r.apiPort)
	r.cancel()

	select {
	case <-r.ended:
	case <-time.After(30 * time.Second):
		r.t.Errorf("manager %s does not end", r.identity)

		return
	}

	if cut := r.link.cut(); cut || r.err == nil {
		r.noneForbidden()

		return
	}

	r.t.Errorf("manager %s: %v", r.identity, r.err)
}

// kill ends the manager as the loss of its node does: from now on nothing that
// it says reaches the API server. The Lease that it cannot give back is removed,
// because how long a dead leader holds on is not what the tests are about.
func (r *replica) kill() {
	r.link.sever()
	r.server.service.remove(r.hookPort)
	r.server.api.remove(r.apiPort)
	r.cancel()

	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: chartNamespace, Name: chartRelease}}
	if err := r.server.client.Delete(context.Background(), lease); client.IgnoreNotFound(err) != nil {
		r.t.Error(err)
	}
}

func (r *replica) noneForbidden() {
	events, err := r.server.audit.all()
	if err != nil {
		r.t.Error(err)
	}

	for _, event := range events {
		if event.forbidden() && event.Received.After(r.started) {
			r.t.Errorf("the roles of the chart forbid %s: %s", event.User.Username, event)
		}
	}
}
