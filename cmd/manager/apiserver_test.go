package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/freehold-net/freehold/pkg/kube"
)

// assetsVariable names the directory of etcd, kube-apiserver,
// kube-controller-manager and kubectl.
const assetsVariable = "KUBEBUILDER_ASSETS"

// server is a real kube-apiserver with etcd, the part of the
// kube-controller-manager that ends what belongs to ended owners and
// namespaces, and what the chart installs but its Pods.
type server struct {
	envtest   envtest.Environment
	config    *rest.Config
	client    client.Client
	clientset *kubernetes.Clientset
	dir       string
	audit     auditLog
	chart     chart
	service   *service
	// api is the Service's way to the API of any manager.
	api        *service
	proxyCA    *authority
	controller *exec.Cmd
}

// shared is started by the first test that needs it; every test works in
// namespaces of its own. Managers look after the whole cluster, so tests that
// run one do not run side by side.
var shared struct {
	once   sync.Once
	server *server
	err    error
}

func TestMain(m *testing.M) {
	frameworks := logs.logger("frameworks", slog.LevelInfo)
	kube.BridgeLogs(frameworks)
	log.SetLogger(logr.FromSlogHandler(frameworks.Handler())) // the test's own client

	code := m.Run()

	if shared.server != nil {
		if testing.Verbose() {
			reportUnusedRules(shared.server)
		}

		if err := shared.server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
		}
	}

	os.Exit(code)
}

// apiServer returns the running API server. Without its programs the test is
// skipped, or fails where FREEHOLD_REQUIRE_TOOLS is 1.
func apiServer(t *testing.T) *server {
	t.Helper()

	missing := ""
	if os.Getenv(assetsVariable) == "" {
		missing = assetsVariable + " is not set, so there is no kube-apiserver"
	} else if _, err := helmPath(); err != nil {
		missing = err.Error()
	}

	if missing != "" {
		if os.Getenv("FREEHOLD_REQUIRE_TOOLS") == "1" {
			t.Fatal(missing)
		}

		t.Skip(missing + "; use `make test`, which builds what is needed")
	}

	shared.once.Do(func() {
		shared.err = errors.New("the first manager failed, see the test that started it")
		shared.server, shared.err = startServer(t)
	})

	if shared.server == nil {
		t.Fatalf("the API server did not start: %v", shared.err)
	}

	t.Cleanup(func() {
		if t.Failed() {
			logs.dump(t)
		}
	})

	return shared.server
}

// startServer starts everything in the order of an installation by Helm, but
// for the definitions of our kinds: the first manager makes them.
func startServer(t *testing.T) (*server, error) {
	t.Helper()

	dir, err := os.MkdirTemp("", "freehold-apiserver-") //nolint:usetesting // it outlives the test that starts it
	if err != nil {
		return nil, err
	}

	s := &server{dir: dir, audit: auditLog{path: filepath.Join(dir, "audit.log")}}
	if err := s.startAPIServer(); err != nil {
		return nil, errors.Join(err, s.stop())
	}

	if err := s.install(t); err != nil {
		return nil, errors.Join(err, s.stop())
	}

	// The garbage collector learns of kinds when it starts and then only every
	// half minute, so it starts after our kinds are there.
	if err := s.firstStart(t); err != nil {
		return nil, errors.Join(err, s.stop())
	}

	if err := s.startControllerManager(); err != nil {
		return nil, errors.Join(err, s.stop())
	}

	return s, nil
}

func (s *server) startAPIServer() error {
	policy := filepath.Join(s.dir, "audit-policy.json")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}

	s.envtest = envtest.Environment{
		CRDInstallOptions: envtest.CRDInstallOptions{
			// Multus' definition as the lab generates it from the published types.
			Paths: []string{filepath.FromSlash(
				"../../scripts/lab/internal/harvester/crds/network-attachment-definitions.k8s.cni.cncf.io.yaml")},
			CRDs: []*apiextensionsv1.CustomResourceDefinition{
				standIn("VirtualMachine", "virtualmachine", "vm"),
				standIn("VirtualMachineInstance", "virtualmachineinstance", "vmi"),
			},
			ErrorIfPathMissing: true,
		},
		ControlPlaneStartTimeout: 2 * time.Minute,
	}
	s.envtest.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", s.audit.path)

	if err := s.setUpAggregation(); err != nil {
		return err
	}

	config, err := s.envtest.Start()
	if err != nil {
		return fmt.Errorf("start kube-apiserver and etcd: %w", err)
	}

	config.QPS, config.Burst = -1, 0
	s.config = config

	scheme, err := testScheme()
	if err != nil {
		return err
	}

	if s.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}

	s.clientset, err = kubernetes.NewForConfig(config)

	return err
}

func testScheme() (*runtime.Scheme, error) {
	scheme, err := kube.NewScheme()
	if err != nil {
		return nil, err
	}

	return scheme, apiextensionsv1.AddToScheme(scheme)
}

// standIn is a stand-in for a definition of KubeVirt's, whose operator makes it
// from Go code: it has the names and takes any fields.
func standIn(kind, singular, short string) *apiextensionsv1.CustomResourceDefinition {
	preserve := true

	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: singular + "s.kubevirt.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "kubevirt.io",
			Names: apiextensionsv1.CustomResourceDefinitionNames{
				Kind: kind, ListKind: kind + "List", Singular: singular, Plural: singular + "s", ShortNames: []string{short},
			},
			Scope: apiextensionsv1.NamespaceScoped,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: &preserve,
				}},
			}},
		},
	}
}

// install creates what the chart renders, and a node that carries mgmt.
func (s *server) install(t *testing.T) error {
	t.Helper()

	forwarder, err := newService()
	if err != nil {
		return err
	}

	s.service = forwarder

	if s.api, err = newService(); err != nil {
		return err
	}

	if s.chart, err = renderChart(t.Context(), s.dir, forwarder.port(), s.api.port()); err != nil {
		return err
	}

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: chartNamespace}}
	if err := s.client.Create(t.Context(), namespace); err != nil {
		return err
	}

	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: "node-1", Labels: map[string]string{utils.HarvesterMgmtClusterNetworkLabeyKey: utils.ValueTrue},
	}}
	if err := s.client.Create(t.Context(), node); err != nil {
		return err
	}

	for i := range s.chart.objects {
		object := &s.chart.objects[i]

		// Strict: a field that Kubernetes does not know is a mistake of the chart.
		if err := s.client.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			return fmt.Errorf("create %s %s of the chart: %w", object.GetKind(), object.GetName(), err)
		}
	}

	return nil
}

// firstStart runs a manager on a cluster that does not know our kinds yet.
func (s *server) firstStart(t *testing.T) error {
	t.Helper()

	first := s.run(t, "first")
	defer first.stop()

	if !first.ready() {
		return errors.New("the first manager did not become ready")
	}

	return nil
}

// startControllerManager runs the controllers of Kubernetes that end what
// belongs to what has ended, and no others.
func (s *server) startControllerManager() error {
	path := filepath.Join(s.dir, "admin.kubeconfig")
	if err := os.WriteFile(path, s.envtest.KubeConfig, 0o600); err != nil {
		return err
	}

	output, err := os.Create(filepath.Join(s.dir, "controller-manager.log"))
	if err != nil {
		return err
	}

	s.controller = exec.Command(filepath.Join(os.Getenv(assetsVariable), "kube-controller-manager"),
		"--kubeconfig="+path, "--controllers=garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller",
		"--leader-elect=false", "--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400")
	s.controller.Stdout, s.controller.Stderr = output, output

	if err := s.controller.Start(); err != nil {
		return fmt.Errorf("start kube-controller-manager: %w", err)
	}

	return nil
}

func (s *server) stop() error {
	var errs []error

	if s.controller != nil {
		errs = append(errs, s.controller.Process.Kill())
		_ = s.controller.Wait()
	}

	for _, forwarder := range []*service{s.service, s.api} {
		if forwarder != nil {
			forwarder.close()
		}
	}

	if s.config != nil {
		errs = append(errs, s.envtest.Stop())
	}

	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// token returns a token of the service account, as the kubelet would put into a
// Pod.
func (s *server) token(ctx context.Context, account string) (string, error) {
	seconds := int64(2 * 60 * 60)

	answer, err := s.clientset.CoreV1().ServiceAccounts(chartNamespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("make token of ServiceAccount %s: %w", account, err)
	}

	return answer.Status.Token, nil
}

// freePort returns a TCP port that nobody listens on.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()

	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%s is no TCP address", listener.Addr())
	}

	return address.Port, nil
}
