package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
)

// secretStore keeps Secrets as the API server does: names are unique, and an
// update of what has changed meanwhile is a conflict.
type secretStore struct {
	mu      sync.Mutex
	secrets map[string]*corev1.Secret
	version int
	writes  int
	failing error
}

func resource() schema.GroupResource { return schema.GroupResource{Resource: "secrets"} }

func (s *secretStore) Get(_, name string, _ metav1.GetOptions) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.failing != nil {
		return nil, s.failing
	}

	if found := s.secrets[name]; found != nil {
		return found.DeepCopy(), nil
	}

	return nil, apierrors.NewNotFound(resource(), name)
}

func (s *secretStore) Create(secret *corev1.Secret) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.secrets[secret.Name] != nil {
		return nil, apierrors.NewAlreadyExists(resource(), secret.Name)
	}

	return s.put(secret), nil
}

func (s *secretStore) Update(secret *corev1.Secret) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if found := s.secrets[secret.Name]; found == nil || found.ResourceVersion != secret.ResourceVersion {
		return nil, apierrors.NewConflict(resource(), secret.Name, errors.New("it has changed"))
	}

	return s.put(secret), nil
}

func (s *secretStore) put(secret *corev1.Secret) *corev1.Secret {
	s.version++
	s.writes++

	stored := secret.DeepCopy()
	stored.ResourceVersion = strconv.Itoa(s.version)

	if s.secrets == nil {
		s.secrets = map[string]*corev1.Secret{}
	}

	s.secrets[stored.Name] = stored

	return stored.DeepCopy()
}

func (s *secretStore) delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.secrets, name)
}

func (s *secretStore) edit(t *testing.T, name string, change func(*corev1.Secret)) {
	t.Helper()

	secret, err := s.Get("", name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	change(secret)

	if _, err := s.Update(secret); err != nil {
		t.Fatal(err)
	}
}

func (s *secretStore) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.writes
}

func configurations() kubernetes.Interface {
	hook := admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Name: "freehold"}}

	return fake.NewClientset(
		&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "freehold"},
			Webhooks: []admissionregistrationv1.MutatingWebhook{
				{Name: "a.example.org", ClientConfig: hook}, {Name: "b.example.org", ClientConfig: hook},
			},
		},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "freehold"},
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "c.example.org", ClientConfig: hook}},
		},
	)
}

// bundles returns the bundle of each webhook.
func bundles(t *testing.T, kube kubernetes.Interface) []string {
	t.Helper()

	client := kube.AdmissionregistrationV1()

	mutating, err := client.MutatingWebhookConfigurations().Get(t.Context(), "freehold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	validating, err := client.ValidatingWebhookConfigurations().Get(t.Context(), "freehold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	return []string{
		string(mutating.Webhooks[0].ClientConfig.CABundle),
		string(mutating.Webhooks[1].ClientConfig.CABundle),
		string(validating.Webhooks[0].ClientConfig.CABundle),
	}
}

// updates counts the writes to the webhook configurations.
func updates(kube kubernetes.Interface) int {
	number := 0

	for _, action := range kube.(*fake.Clientset).Actions() {
		if action.GetVerb() == "update" {
			number++
		}
	}

	return number
}

func keeper(store *secretStore, kube kubernetes.Interface, now func() time.Time) *Keeper {
	return New(Config{
		Name: "freehold", Namespace: "system", Secrets: store, Kube: kube, Now: now, CheckEvery: time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
}

// verify checks the served certificate as the API server does: by the bundle
// and the name of the Service.
func verify(t *testing.T, k *Keeper, bundle string, at time.Time) *x509.Certificate {
	t.Helper()

	served, err := k.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatalf("GetCertificate: %v", err)
	}

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(bundle)) {
		t.Fatalf("no certificate in the bundle %q", bundle)
	}

	if _, err := served.Leaf.Verify(x509.VerifyOptions{
		DNSName: "freehold.system.svc", Roots: roots, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		t.Fatalf("the API server would not trust the certificate: %v", err)
	}

	return served.Leaf
}

func ensure(t *testing.T, k *Keeper) {
	t.Helper()

	if err := k.Ensure(t.Context()); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
}

func TestFirstStart(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	k := keeper(store, kube, time.Now)

	if _, err := k.GetCertificate(nil); !errors.Is(err, ErrNotReady) {
		t.Errorf("before Ensure: got %v, want ErrNotReady", err)
	}

	ensure(t, k)

	published := bundles(t, kube)
	for i, bundle := range published {
		if bundle == "" || bundle != published[0] {
			t.Errorf("webhook %d has another bundle: %q", i, bundle)
		}
	}

	leaf := verify(t, k, published[0], time.Now())

	if diff := cmp.Diff([]string{"freehold.system.svc"}, leaf.DNSNames); diff != "" {
		t.Errorf("names in the certificate (-want +got):\n%s", diff)
	}

	for _, name := range []string{"freehold-webhook-ca", "freehold-webhook-tls"} {
		if secret := store.secrets[name]; secret == nil || secret.Type != corev1.SecretTypeTLS || secret.Namespace != "system" {
			t.Errorf("Secret %s: %+v", name, secret)
		}
	}
}

func TestUnchangedWorldIsNotWritten(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	k := keeper(store, kube, time.Now)
	ensure(t, k)

	secrets, hooks := store.written(), updates(kube)
	first := k.serving.Load()

	for range 3 {
		ensure(t, k)
		ensure(t, keeper(store, kube, time.Now)) // another replica
	}

	if store.written() != secrets || updates(kube) != hooks {
		t.Errorf("writes went from %d and %d to %d and %d", secrets, hooks, store.written(), updates(kube))
	}

	if !first.Leaf.Equal(k.serving.Load().Leaf) {
		t.Error("the certificate changed")
	}
}

func TestReplicasAgree(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	replicas := make([]*Keeper, 8)

	var group sync.WaitGroup

	for i := range replicas {
		replicas[i] = keeper(store, kube, time.Now)

		group.Go(func() {
			if err := replicas[i].Ensure(context.Background()); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}

	group.Wait()

	bundle := bundles(t, kube)[0]
	for _, replica := range replicas {
		if leaf := verify(t, replica, bundle, time.Now()); !leaf.Equal(replicas[0].serving.Load().Leaf) {
			t.Error("replicas serve different certificates")
		}
	}

	if store.written() != 2 {
		t.Errorf("Secrets were written %d times, want once each", store.written())
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()

	for name, damage := range map[string]func(*testing.T, *secretStore){
		"serving secret deleted":   func(_ *testing.T, s *secretStore) { s.delete("freehold-webhook-tls") },
		"authority secret deleted": func(_ *testing.T, s *secretStore) { s.delete("freehold-webhook-ca") },
		"both deleted": func(_ *testing.T, s *secretStore) {
			s.delete("freehold-webhook-tls")
			s.delete("freehold-webhook-ca")
		},
		"serving secret emptied": func(t *testing.T, s *secretStore) {
			s.edit(t, "freehold-webhook-tls", func(secret *corev1.Secret) { secret.Data = nil })
		},
		"authority is rubbish": func(t *testing.T, s *secretStore) {
			s.edit(t, "freehold-webhook-ca", func(secret *corev1.Secret) { secret.Data["tls.crt"] = []byte("rubbish") })
		},
		"authority has the key of another": func(t *testing.T, s *secretStore) {
			other := &secretStore{}
			ensure(t, keeper(other, configurations(), time.Now))
			s.edit(t, "freehold-webhook-ca", func(secret *corev1.Secret) {
				secret.Data["tls.key"] = other.secrets["freehold-webhook-ca"].Data["tls.key"]
			})
		},
		"certificate is that of another installation": func(t *testing.T, s *secretStore) {
			other := &secretStore{}
			ensure(t, keeper(other, configurations(), time.Now))
			s.edit(t, "freehold-webhook-tls", func(secret *corev1.Secret) {
				secret.Data = other.secrets["freehold-webhook-tls"].Data
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			store, kube := &secretStore{}, configurations()
			k := keeper(store, kube, time.Now)
			ensure(t, k)
			damage(t, store)

			writes := store.written()
			ensure(t, k)

			if store.written() == writes {
				t.Error("nothing was written")
			}

			verify(t, k, bundles(t, kube)[0], time.Now())

			writes = store.written()
			ensure(t, k)

			if store.written() != writes {
				t.Error("it was written again")
			}
		})
	}
}

func TestWipedBundleIsPutBack(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	k := keeper(store, kube, time.Now)
	ensure(t, k)

	want := bundles(t, kube)
	client := kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()

	configuration, err := client.Get(t.Context(), "freehold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	configuration.Webhooks[0].ClientConfig.CABundle = nil
	if _, err := client.Update(t.Context(), configuration, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	ensure(t, k)

	if diff := cmp.Diff(want, bundles(t, kube)); diff != "" {
		t.Errorf("bundles (-want +got):\n%s", diff)
	}
}

func TestNoConfigurationsIsNoError(t *testing.T) {
	t.Parallel()

	ensure(t, keeper(&secretStore{}, fake.NewClientset(), time.Now))
}

func TestCertificateIsRenewedInTime(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	ensure(t, keeper(store, kube, time.Now))
	bundle := bundles(t, kube)[0]

	for _, test := range []struct {
		days  int
		renew bool
	}{{270, false}, {280, true}, {400, true}} {
		later := func() time.Time { return time.Now().AddDate(0, 0, test.days) }
		k := keeper(store, kube, later)
		before := string(store.secrets["freehold-webhook-tls"].Data["tls.crt"])
		ensure(t, k)

		if renewed := before != string(store.secrets["freehold-webhook-tls"].Data["tls.crt"]); renewed != test.renew {
			t.Errorf("after %d days: renewed %t, want %t", test.days, renewed, test.renew)
		}

		if diff := cmp.Diff(bundle, bundles(t, kube)[0]); diff != "" {
			t.Errorf("after %d days the authority changed too (-want +got):\n%s", test.days, diff)
		}
	}
}

// TestAuthorityIsReplacedInTime checks that what the old authority signed is
// trusted until it is renewed.
func TestAuthorityIsReplacedInTime(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	k := keeper(store, kube, time.Now)
	ensure(t, k)

	old := bundles(t, kube)[0]
	leaf := k.serving.Load().Leaf

	// Nine years on. Time passes for the keeper only, so the certificate, which
	// would have ended, is taken as just issued by the check of the time.
	now := time.Now().AddDate(8, 11, 15)
	later := keeper(store, kube, func() time.Time { return now })

	trusted, err := later.ensureAuthority(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "freehold.system.svc", Roots: trusted.roots, CurrentTime: time.Now()}); err != nil {
		t.Errorf("what the old authority signed is no longer trusted: %v", err)
	}

	number := 0
	for block, rest := pem.Decode(trusted.bundle); block != nil; block, rest = pem.Decode(rest) {
		number++
	}

	if number != 2 || string(trusted.bundle) == old {
		t.Errorf("the bundle has %d authorities, want the new and the old one", number)
	}

	// When the old one has ended it is dropped.
	now = time.Now().AddDate(9, 11, 29)
	if _, err = later.ensureAuthority(t.Context()); err != nil {
		t.Fatal(err)
	}

	now = time.Now().AddDate(10, 1, 0)

	certificates, _, err := later.readAuthority(store.secrets["freehold-webhook-ca"])
	if err == nil {
		t.Errorf("an authority that has ended was accepted: %d certificates", len(certificates))
	}
}

func TestFailureIsTold(t *testing.T) {
	t.Parallel()

	store := &secretStore{failing: errors.New("etcd is away")}

	err := keeper(store, configurations(), time.Now).Ensure(t.Context())
	if err == nil || !errors.Is(err, store.failing) {
		t.Errorf("got %v, want it to wrap %v", err, store.failing)
	}
}

// TestRun checks that Run becomes ready once, sees a deleted Secret when it next
// looks, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()

	store, kube := &secretStore{}, configurations()
	k := keeper(store, kube, time.Now)
	ctx, stop := context.WithCancel(t.Context())
	ready := make(chan struct{})
	ended := make(chan error, 1)

	go func() { ended <- k.Run(ctx, func() { close(ready) }) }()

	wait(t, ready, "Run to become ready")

	before := k.serving.Load()

	store.delete(k.ServingSecret())

	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)

	defer tick.Stop()

	for k.serving.Load() == before {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("a deleted Secret was not noticed")
		}
	}

	stop()

	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func wait(t *testing.T, what <-chan struct{}, name string) {
	t.Helper()

	select {
	case <-what:
	case <-time.After(30 * time.Second):
		t.Fatalf("waited in vain for %s", name)
	}
}
