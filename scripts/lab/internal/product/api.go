package product

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// tokenLife is how long a token of OpenAPI is good.
const tokenLife = 12 * time.Hour

// API is Freehold's REST API as a person on this machine reaches it.
type API struct {
	// URL is where the dashboard is, and below it the API.
	URL string
	// Token is a bearer token of a user who may do in every namespace what
	// Kubernetes' role of that name may.
	Token string

	client *http.Client
}

// OpenAPI makes a user with one of Kubernetes' own roles, such as admin, and
// returns the API as they reach it.
func OpenAPI(ctx context.Context, clients *kube.Clients, role string) (*API, error) {
	service, err := clients.Core.CoreV1().Services(Namespace).Get(ctx, Release, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("find Freehold's Service: %w", err)
	}

	port := 0

	for _, p := range service.Spec.Ports {
		if p.Name == "api" {
			port = int(p.Port)
		}
	}

	authority, err := clients.Core.CoreV1().Secrets(Namespace).Get(ctx, Release+"-webhook-ca", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("find the authority of Freehold's certificate: %w", err)
	}

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Data[corev1.TLSCertKey]) {
		return nil, errors.New("the authority of Freehold's certificate cannot be read")
	}

	token, err := userToken(ctx, clients, role)
	if err != nil {
		return nil, err
	}

	return &API{
		URL: "https://" + net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(port)) + "/", Token: token,
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: Release + "." + Namespace + ".svc",
		}}},
	}, nil
}

// userToken makes a service account with the role and returns a token of it.
func userToken(ctx context.Context, clients *kube.Clients, role string) (string, error) {
	name := "lab-" + role
	accounts := clients.Core.CoreV1().ServiceAccounts(Namespace)

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := accounts.Create(ctx, account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return "", fmt.Errorf("make user %s: %w", name, err)
	}

	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: Namespace, Name: name}},
	}

	_, err := clients.Core.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", fmt.Errorf("give user %s the role %s: %w", name, role, err)
	}

	seconds := int64(tokenLife / time.Second)

	request, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("make a token for %s: %w", name, err)
	}

	return request.Status.Token, nil
}

// Get reads the answer at a path such as v1/pools into into, which may be nil.
func (a *API) Get(ctx context.Context, path string, into any) error {
	response, err := a.open(ctx, path)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	if into == nil {
		into = &json.RawMessage{}
	}

	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}

	return nil
}

func (a *API) open(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}

	request.Header.Set("Authorization", "Bearer "+a.Token)

	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}

	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4096)) // only for the message
		response.Body.Close()

		return nil, fmt.Errorf("GET %s: %s: %s", path, response.Status, strings.TrimSpace(string(body)))
	}

	return response, nil
}

// Event is a change that the API told of.
type Event struct {
	Kind, Type, Namespace, Name string

	Object json.RawMessage
}

// AwaitEvent calls do once the stream of changes is open, and returns the first
// change after it that is the wanted one.
func (a *API) AwaitEvent(ctx context.Context, kind string, do func() error, wanted func(Event) bool) (Event, error) {
	response, err := a.open(ctx, "v1/events?kind="+kind)
	if err != nil {
		return Event{}, err
	}
	defer response.Body.Close()

	lines := bufio.NewReader(response.Body)
	// The first thing that is sent says that the stream has begun.
	if _, err := lines.ReadString('\n'); err != nil {
		return Event{}, fmt.Errorf("read the stream of changes: %w", err)
	}

	if err := do(); err != nil {
		return Event{}, err
	}

	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return Event{}, fmt.Errorf("read the stream of changes: %w", err)
		}

		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}

		var event Event
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return Event{}, fmt.Errorf("read the change %q: %w", data, err)
		}

		if wanted(event) {
			return event, nil
		}
	}
}
