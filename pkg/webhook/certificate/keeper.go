// Package certificate keeps the certificate of the admission webhook and of the
// API: an authority and a server certificate in two Secrets that all replicas
// share, renewed in time, and the authority's certificates in the webhook
// configurations and in our APIService.
//
// Every replica does all of it, not only the leader: a certificate that is about
// to end or a bundle that somebody wiped must be put right also while there is
// no leader, because without it the API server reaches no replica. They do not
// get in each other's way: all compute the same from the same Secrets, write only
// what differs, and the one that loses a race reads again.
package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

const (
	// renewBefore is how long before its end the server certificate, which
	// lasts a year, is renewed.
	renewBefore = 90 * 24 * time.Hour

	// replaceBefore is how long before its end the authority, which lasts ten
	// years, is replaced. It is more than a server certificate lasts, so that
	// none outlives the authority that signed it.
	replaceBefore = 400 * 24 * time.Hour

	// checkEvery is how often everything is compared again: certificates end
	// and bundles are wiped in silence. Secrets are not watched, because that
	// would take the right to read every Secret of the namespace.
	checkEvery = time.Minute

	retryFirst = time.Second
	retryMost  = 30 * time.Second
)

// ErrNotReady says that there is no certificate yet.
var ErrNotReady = errors.New("the webhook has no certificate yet")

// Secrets reads and writes Secrets, not from a cache. Wrangler's SecretClient is
// one.
type Secrets interface {
	Get(namespace, name string, options metav1.GetOptions) (*corev1.Secret, error)
	Create(secret *corev1.Secret) (*corev1.Secret, error)
	Update(secret *corev1.Secret) (*corev1.Secret, error)
}

// APIServices reads and writes APIServices, not from a cache. The dynamic client
// of that resource is one.
type APIServices interface {
	Get(ctx context.Context, name string, options metav1.GetOptions, subresources ...string) (*unstructured.Unstructured, error)
	Update(ctx context.Context, object *unstructured.Unstructured, options metav1.UpdateOptions, subresources ...string) (*unstructured.Unstructured, error)
}

// Config is what a Keeper works with. All of it is required but CheckEvery,
// APIService and APIServices.
type Config struct {
	// Name is the Service that leads to the webhook and the API, and the name of the
	// MutatingWebhookConfiguration and the ValidatingWebhookConfiguration. The
	// Secrets are <Name>-webhook-ca and <Name>-webhook-tls.
	Name string
	// Namespace is where the Service and the Secrets are.
	Namespace string
	// Secrets reads and writes the two Secrets.
	Secrets Secrets
	// CheckEvery is how often the Keeper looks; 0 means once a minute.
	CheckEvery time.Duration
	// Kube reads and writes the webhook configurations.
	Kube kubernetes.Interface
	// APIService is the name of the APIService that leads to the Service; "" for
	// none. One that leads elsewhere is left alone.
	APIService string
	// APIServices reads and writes it; required when APIService is set.
	APIServices APIServices
	// Now is the clock.
	Now func() time.Time
	// Logger is told what was renewed and what failed.
	Logger *slog.Logger
}

// Keeper keeps the certificate. Make one with New. It is safe for concurrent use.
type Keeper struct {
	Config

	serving atomic.Pointer[tls.Certificate]
}

// New returns a Keeper that has no certificate yet.
func New(config Config) *Keeper {
	return &Keeper{Config: config}
}

// ServerName is the name in the server certificate, <name>.<namespace>.svc,
// which is what the API server asks for.
func (k *Keeper) ServerName() string { return k.Name + "." + k.Namespace + ".svc" }

// AuthoritySecret is the name of the Secret with the authority.
func (k *Keeper) AuthoritySecret() string { return k.Name + "-webhook-ca" }

// ServingSecret is the name of the Secret with the server certificate.
func (k *Keeper) ServingSecret() string { return k.Name + "-webhook-tls" }

// GetCertificate returns the current server certificate, whatever name the
// client asks for, or ErrNotReady. It is meant for tls.Config.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := k.serving.Load()
	if certificate == nil {
		return nil, ErrNotReady
	}

	return certificate, nil
}

// Run keeps the certificate and the bundles until ctx ends. Failures are logged
// and tried again. The function ready is called once, when there is a
// certificate that the API server can be expected to trust.
func (k *Keeper) Run(ctx context.Context, ready func()) error {
	wait := retryFirst

	for {
		next := k.CheckEvery
		if next == 0 {
			next = checkEvery
		}

		if err := k.Ensure(ctx); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the failure is that we were told to stop
			}

			k.Logger.WarnContext(ctx, "webhook certificate could not be kept; will try again", "error", err, "after", wait)

			next, wait = wait, min(2*wait, retryMost)
		} else {
			wait = retryFirst

			if ready != nil {
				ready()

				ready = nil
			}
		}

		timer := time.NewTimer(next)

		select {
		case <-ctx.Done():
			timer.Stop()

			return nil
		case <-timer.C:
		}
	}
}

// Ensure makes or renews what is needed, once: the authority, the server
// certificate, the bundles, in this order, so that the API server trusts a new
// authority before anything that it signed is served.
func (k *Keeper) Ensure(ctx context.Context) error {
	var (
		trusted authority
		serving *tls.Certificate
	)

	err := retry.OnError(retry.DefaultBackoff, lostRace, func() error {
		var err error

		if trusted, err = k.ensureAuthority(ctx); err != nil {
			return err
		}

		serving, err = k.ensureServing(ctx, trusted)

		return err
	})
	if err != nil {
		return err
	}

	if err := k.publish(ctx, trusted.bundle); err != nil {
		// What is served already may well be trusted: go on with it. With
		// nothing served yet, something is better than nothing.
		k.serving.CompareAndSwap(nil, serving)

		return err
	}

	k.serving.Store(serving)

	return nil
}

// lostRace tells whether another replica was faster.
func lostRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}
