package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/freehold-net/freehold/pkg/webhook/certificate"
)

type secrets struct {
	mu   sync.Mutex
	held map[string]*corev1.Secret
}

func (s *secrets) Get(_, name string, _ metav1.GetOptions) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if found := s.held[name]; found != nil {
		return found.DeepCopy(), nil
	}

	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
}

func (s *secrets) Create(secret *corev1.Secret) (*corev1.Secret, error) { return s.Update(secret) }

func (s *secrets) Update(secret *corev1.Secret) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.held[secret.Name] = secret.DeepCopy()

	return secret, nil
}

// TestServe asks over TLS as the API server does, and stops the server.
func TestServe(t *testing.T) {
	t.Parallel()

	store := &secrets{held: map[string]*corev1.Secret{}}
	ready := make(chan struct{})
	logger := slog.New(slog.DiscardHandler)
	keeper := certificate.New(certificate.Config{
		Name: "freehold", Namespace: "system", Secrets: store, Kube: fake.NewClientset(), Now: time.Now, Logger: logger,
	})
	config := ServeConfig{Ready: func() { close(ready) }, Logger: logger, Certificate: keeper.GetCertificate}

	if err := keeper.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- serve(ctx, config, handler(t), listener) }()

	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("never ready")
	}

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(store.held["freehold-webhook-ca"].Data[corev1.TLSCertKey])

	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "freehold.system.svc", MinVersion: tls.VersionTLS12},
	}}
	defer client.CloseIdleConnections()

	body := reviewOf("ippools", admissionv1.Create, "admin", emptyPool, "")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+listener.Addr().String()+PathValidatePools, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	request.Header.Set("Content-Type", "application/json")

	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}

	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("answer %d, %v", response.StatusCode, err)
	}

	stop()

	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestServeWithoutAddress(t *testing.T) {
	t.Parallel()

	if err := Serve(t.Context(), ServeConfig{Address: "nonsense"}, http.NotFoundHandler()); err == nil {
		t.Error("an address that cannot be listened on was accepted")
	}
}
