package access

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// TokenTTL is how long the answer of a TokenReview is believed: a token that
	// was revoked is refused after this time.
	TokenTTL = 10 * time.Second
	// ReviewTTL is how long the answer of a SubjectAccessReview is believed: a
	// right that was taken away ends, and one that was given begins, after this
	// time.
	ReviewTTL = 5 * time.Second

	// reviewTimeout bounds one question to Kubernetes, all attempts together.
	reviewTimeout = 10 * time.Second

	// reviewQPS and reviewBurst bound the questions of one replica. They have a
	// client of their own, so that callers cannot keep controllers from writing.
	reviewQPS   = 100
	reviewBurst = 300

	// Where Kubernetes publishes who signs client certificates and who may speak
	// for others.
	trustNamespace = "kube-system"
	trustConfigMap = "extension-apiserver-authentication"
	clientCAKey    = "client-ca-file"
	proxyCAKey     = "requestheader-client-ca-file"
)

// Kubernetes asks the API server who a caller is and what they may do. Make one
// with New. It is safe for concurrent use.
type Kubernetes struct {
	clientCA, proxyCA *dynamiccertificates.ConfigMapCAController
	headers           *headerrequest.RequestHeaderAuthRequestController
	authenticator     authenticator.Request
	authorizer        authorizer.Authorizer
}

var (
	_ Authenticator = (*Kubernetes)(nil)
	_ Reviewer      = (*Kubernetes)(nil)
)

// New makes a Kubernetes that asks with the client configuration, which is
// copied. Nothing is asked before Run. The account needs the right to create
// TokenReviews and SubjectAccessReviews, and to read the ConfigMap
// kube-system/extension-apiserver-authentication.
func New(config *rest.Config) (*Kubernetes, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.Timeout = reviewQPS, reviewBurst, 0 // each call has a context
	config.RateLimiter = nil

	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make the client that asks about callers: %w", err)
	}

	k := &Kubernetes{headers: headerrequest.NewRequestHeaderAuthRequestController(trustConfigMap, trustNamespace, client,
		"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
		"requestheader-extra-headers-prefix", "requestheader-allowed-names")}

	if k.clientCA, err = dynamiccertificates.NewDynamicCAFromConfigMapController(
		"client-ca", trustNamespace, trustConfigMap, clientCAKey, client); err != nil {
		return nil, fmt.Errorf("follow the client CA: %w", err)
	}

	if k.proxyCA, err = dynamiccertificates.NewDynamicCAFromConfigMapController(
		"requestheader-client-ca", trustNamespace, trustConfigMap, proxyCAKey, client); err != nil {
		return nil, fmt.Errorf("follow the CA of front proxies: %w", err)
	}

	// A caller waits for the answer, so there is one more attempt and no more.
	backoff := &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 2}

	if k.authenticator, _, err = (authenticatorfactory.DelegatingAuthenticatorConfig{
		TokenAccessReviewClient:            client.AuthenticationV1(),
		TokenAccessReviewTimeout:           reviewTimeout,
		WebhookRetryBackoff:                backoff,
		CacheTTL:                           TokenTTL,
		ClientCertificateCAContentProvider: k.clientCA,
		RequestHeaderConfig: &authenticatorfactory.RequestHeaderConfig{
			CAContentProvider:   k.proxyCA,
			UsernameHeaders:     headerrequest.StringSliceProviderFunc(k.headers.UsernameHeaders),
			UIDHeaders:          headerrequest.StringSliceProviderFunc(k.headers.UIDHeaders),
			GroupHeaders:        headerrequest.StringSliceProviderFunc(k.headers.GroupHeaders),
			ExtraHeaderPrefixes: headerrequest.StringSliceProviderFunc(k.headers.ExtraHeaderPrefixes),
			AllowedClientNames:  headerrequest.StringSliceProviderFunc(k.headers.AllowedClientNames),
		},
	}).New(); err != nil {
		return nil, fmt.Errorf("make the authentication of callers: %w", err)
	}

	if k.authorizer, err = (authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client.AuthorizationV1(),
		AllowCacheTTL:             ReviewTTL,
		DenyCacheTTL:              ReviewTTL,
		WebhookRetryBackoff:       backoff,
	}).New(); err != nil {
		return nil, fmt.Errorf("make the authorisation of callers: %w", err)
	}

	return k, nil
}

// Run follows the certificate authorities and header names that Kubernetes
// publishes, until ctx ends. What it published at the start is read before ready
// is called, if it can be: without it only tokens tell who a caller is.
func (k *Kubernetes) Run(ctx context.Context, ready func()) error {
	group, ctx := errgroup.WithContext(ctx)

	for _, part := range []interface {
		RunOnce(ctx context.Context) error
		Run(ctx context.Context, workers int)
	}{k.clientCA, k.proxyCA, k.headers} {
		// The part goes on trying, and has said so in the log.
		_ = part.RunOnce(ctx)

		group.Go(func() error {
			part.Run(ctx, 1)

			return nil
		})
	}

	if ready != nil {
		ready()
	}

	return group.Wait() //nolint:wrapcheck // none of the parts returns an error
}

// ClientCAs are the authorities whose certificates mean something here. A TLS
// server names them to its clients, so that a browser does not ask its user to
// choose among certificates that have nothing to do with this.
func (k *Kubernetes) ClientCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(k.clientCA.CurrentCABundleContent())
	pool.AppendCertsFromPEM(k.proxyCA.CurrentCABundleContent())

	return pool
}

// Authenticate implements Authenticator: by the headers of a front proxy that
// shows a certificate of the cluster's, by the caller's own certificate, or by
// a bearer token. Headers without such a certificate are as good as absent.
func (k *Kubernetes) Authenticate(request *http.Request) (user.Info, bool, error) {
	// The token is taken out of the request that it is given, and headers too.
	answer, known, err := k.authenticator.AuthenticateRequest(request.Clone(request.Context()))

	if known && err == nil && answer.User.GetName() != user.Anonymous {
		return answer.User, true, nil
	}

	return nil, false, unasked(err)
}

// unasked returns err when it says that Kubernetes could not be asked. What it
// says of bad credentials is no error: the caller is not known, that is all.
func unasked(err error) error {
	var (
		several utilerrors.Aggregate
		status  apierrors.APIStatus
		broken  *url.Error
	)

	if errors.As(err, &several) {
		for _, one := range several.Errors() {
			if unasked(one) != nil {
				return unasked(one)
			}
		}

		return nil
	}

	if errors.As(err, &status) || errors.As(err, &broken) || wait.Interrupted(err) {
		return fmt.Errorf("ask Kubernetes who is calling: %w", err)
	}

	return nil
}

// May implements Reviewer by a SubjectAccessReview for the caller.
func (k *Kubernetes) May(ctx context.Context, caller user.Info, verb string, object Object) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()

	decision, _, err := k.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: caller, Verb: verb,
		APIGroup: object.Group, APIVersion: "*", Resource: object.Resource, Subresource: object.Subresource,
		Namespace: object.Namespace, Name: object.Name,
		ResourceRequest: true,
	})
	if err != nil {
		return false, fmt.Errorf("ask Kubernetes whether %s may %s %s: %w", caller.GetName(), verb, object, err)
	}

	return decision == authorizer.DecisionAllow, nil
}
