package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/freehold-net/freehold/pkg/api/contracttest"
)

// caller is somebody who calls the API, and how they say who they are.
type caller struct {
	name        string
	token       string
	header      http.Header
	certificate *tls.Certificate
}

// serviceAccount makes an account in the namespace and returns it as a caller with
// a token.
func (s *server) serviceAccount(t *testing.T, namespace, name string) caller {
	t.Helper()

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := s.client.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}

	answer, err := s.clientset.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	return caller{name: name, token: answer.Status.Token}
}

// certified returns a caller with a certificate of the cluster's client CA.
func (s *server) certified(t *testing.T, name string, groups ...string) caller {
	t.Helper()

	account, err := s.envtest.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		t.Fatal(err)
	}

	config := account.Config()

	pair, err := tls.X509KeyPair(config.CertData, config.KeyData)
	if err != nil {
		t.Fatal(err)
	}

	return caller{name: name, certificate: &pair}
}

// proxied returns a caller for whom somebody speaks who shows the certificate.
func proxied(t *testing.T, name string, pair tls.Certificate, err error) caller {
	t.Helper()

	if err != nil {
		t.Fatal(err)
	}

	return caller{name: name, certificate: &pair, header: http.Header{
		"X-Remote-User": {name}, "X-Remote-Group": {"system:authenticated"},
	}}
}

// bind gives a subject a role: in the namespace, or everywhere when it is "".
func (s *server) bind(t *testing.T, namespace, role string, subject rbacv1.Subject) client.Object {
	t.Helper()

	roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}

	var binding client.Object = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}, RoleRef: roleRef, Subjects: []rbacv1.Subject{subject},
	}
	if namespace != "" {
		binding = &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "test-"}, RoleRef: roleRef, Subjects: []rbacv1.Subject{subject},
		}
	}

	if err := s.client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}

	return binding
}

func accountOf(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

func userOf(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

// aggregatedRoles waits until Kubernetes' own roles have learnt ours, and has them
// learn what the operators of KubeVirt and Multus add in a cluster.
func (s *server) aggregatedRoles(t *testing.T) {
	t.Helper()

	foreign := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "foreign-view", Labels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"kubevirt.io"}, Resources: []string{"virtualmachines"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{"k8s.cni.cncf.io"}, Resources: []string{"network-attachment-definitions"}, Verbs: []string{"get", "list", "watch"}},
		},
	}
	if err := s.client.Create(t.Context(), foreign); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}

	for role, want := range map[string]string{"view": "virtualmachines", "edit": "virtualmachines", "admin": "ipleases"} {
		s.eventually(t, "role "+role+" knows of "+want, func() string {
			found, err := s.clientset.RbacV1().ClusterRoles().Get(t.Context(), role, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}

			if text := fmt.Sprint(found.Rules); !strings.Contains(text, want) || !strings.Contains(text, "network.harvesterhci.io") {
				return text
			}

			return ""
		})
	}
}

// way is a way in to the API: to a manager itself, or through kube-apiserver.
type way struct {
	base string
	tls  *tls.Config
	// root stands for /v1/ there.
	root     string
	contract *contracttest.Contract
}

// direct is the way to the manager's own port, whose certificate is checked as by
// everybody in the cluster.
func (r *replica) direct(t *testing.T, contract *contracttest.Contract) way {
	t.Helper()

	secret, err := r.server.clientset.CoreV1().Secrets(chartNamespace).Get(t.Context(), "freehold-webhook-ca", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secret.Data[corev1.TLSCertKey])

	return way{
		base: fmt.Sprintf("https://127.0.0.1:%d", r.apiPort), root: "/v1/",
		tls:      &tls.Config{RootCAs: roots, ServerName: "freehold." + chartNamespace + ".svc", MinVersion: tls.VersionTLS12},
		contract: contract,
	}
}

// aggregated is the way through kube-apiserver.
func (s *server) aggregated(t *testing.T, contract *contracttest.Contract) way {
	t.Helper()

	config, err := rest.TLSConfigFor(rest.AnonymousClientConfig(s.config))
	if err != nil {
		t.Fatal(err)
	}

	return way{base: strings.TrimRight(s.config.Host, "/"), root: "/apis/api.freehold.net/v1/", tls: config, contract: contract}
}

// call is what is asked of the API.
type call struct {
	method, path, body string
	media              string
	header             http.Header
}

// reply is what it answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a reply) String() string { return fmt.Sprintf("%d %.400s", a.status, a.body) }

// into reads the body.
func (a reply) into(t *testing.T, value any) {
	t.Helper()

	if err := json.Unmarshal(a.body, value); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
}

// do calls as the caller and checks the answer against the description of the
// API, but for a refusal of kube-apiserver's own.
func (w way) do(t *testing.T, who caller, what call) reply {
	t.Helper()

	// A stream goes on, so its head is all that is read.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	response := w.open(ctx, t, who, what)
	defer response.Body.Close()

	answer := reply{status: response.StatusCode, header: response.Header}

	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		var err error
		if answer.body, err = io.ReadAll(response.Body); err != nil {
			t.Fatal(err)
		}
	}

	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") && response.StatusCode >= http.StatusBadRequest {
		return answer // a Status of kube-apiserver
	}

	asked, err := http.NewRequest(what.method, "https://x"+what.path, strings.NewReader(what.body))
	if err != nil {
		t.Fatal(err)
	}

	if err := w.contract.Check(asked, answer.status, answer.header, answer.body); err != nil && strings.HasPrefix(what.path, "/v1/") {
		t.Errorf("%s %s as %s: %v", what.method, what.path, who.name, err)
	}

	return answer
}

// open calls as the caller and returns the answer unread.
func (w way) open(ctx context.Context, t *testing.T, who caller, what call) *http.Response {
	t.Helper()

	path := what.path
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok {
		path = w.root + rest
	}

	request, err := http.NewRequestWithContext(ctx, what.method, w.base+path, bytes.NewReader([]byte(what.body)))
	if err != nil {
		t.Fatal(err)
	}

	for _, header := range []http.Header{who.header, what.header} {
		maps.Copy(request.Header, header)
	}

	if what.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}

	if what.media != "" {
		request.Header.Set("Content-Type", what.media)
	}

	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}

	config := w.tls.Clone()
	if who.certificate != nil {
		// Shown whatever authorities the server names: a forger would.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return who.certificate, nil }
	}

	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)

	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s as %s: %v", what.method, what.path, who.name, err)
	}

	return response
}
