package cluster

import (
	"net/netip"
	"os"
	"path/filepath"

	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
)

// auditPolicy notes every write, by whom and with which program, and no reads:
// what the tests count is writes.
func auditPolicy() object {
	return object{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
		"omitStages": []string{"RequestReceived"},
		"rules": []object{
			{"level": "None", "verbs": []string{"get", "list", "watch"}},
			{"level": "Metadata"},
		},
	}
}

func (c *Cluster) controlPlaneSpec() nodeinit.Spec {
	dir := c.controlPlaneDir()
	argv := func(name string, flags ...string) nodeinit.Service {
		return nodeinit.Service{
			Name: name, Log: filepath.Join(dir, "log", name+".log"), Env: []string{c.path()},
			Argv: append([]string{filepath.Join(c.ControlPlaneDir, name)}, flags...),
		}
	}
	const etcdURL = "http://127.0.0.1:2379"
	return nodeinit.Spec{
		Hostname: controlPlaneName, Socket: c.ControlSocket(), Dir: dir, Sysctls: nodeSysctls(),
		Links:  []nodeinit.Link{{Name: "eth0", Address: netip.PrefixFrom(controlPlaneIP(), underlayBits)}},
		Routes: c.routes(nil),
		Services: []nodeinit.Service{
			argv(Etcd, "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
				"--listen-peer-urls", "http://127.0.0.1:2380", "--log-level", "warn",
				"--unsafe-no-fsync"), // a lab's data need not survive the machine's loss of power
			argv(APIServer, c.apiServerFlags(etcdURL)...),
			argv(ControllerManager, "--kubeconfig", filepath.Join(dir, "controller-manager.kubeconfig"),
				"--service-account-private-key-file", c.pki("service-account.key"), "--root-ca-file", c.pki("ca.crt"),
				"--use-service-account-credentials", "--leader-elect=false"),
			argv(Scheduler, "--kubeconfig", filepath.Join(dir, "scheduler.kubeconfig"), "--leader-elect=false"),
			argv(KubeProxy, "--config", filepath.Join(dir, "kube-proxy.yaml")),
		},
	}
}

func (c *Cluster) apiServerFlags(etcdURL string) []string {
	return []string{
		"--etcd-servers", etcdURL,
		"--bind-address", "0.0.0.0", "--advertise-address", controlPlaneIP().String(), "--secure-port", "6443",
		"--service-cluster-ip-range", serviceCIDR,
		"--tls-cert-file", c.pki("apiserver.crt"), "--tls-private-key-file", c.pki("apiserver.key"),
		"--client-ca-file", c.pki("ca.crt"),
		"--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction", "--allow-privileged",
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", c.pki("service-account.key"), "--service-account-signing-key-file", c.pki("service-account.key"),
		"--kubelet-client-certificate", c.pki("kubelet-client.crt"), "--kubelet-client-key", c.pki("kubelet-client.key"),
		"--kubelet-preferred-address-types", "InternalIP",
		"--requestheader-client-ca-file", c.pki("front-proxy-ca.crt"), "--requestheader-allowed-names", frontProxyName,
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--proxy-client-cert-file", c.pki("front-proxy-client.crt"), "--proxy-client-key-file", c.pki("front-proxy-client.key"),
		"--enable-aggregator-routing",
		"--audit-policy-file", filepath.Join(c.controlPlaneDir(), "audit-policy.yaml"), "--audit-log-path", c.AuditLog(),
		"--audit-log-format", "json",
	}
}

func (c *Cluster) writeControlPlaneConfigs() error {
	dir := c.controlPlaneDir()
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "etcd"), 0o700); err != nil {
		return err
	}
	if err := writeYAML(filepath.Join(dir, "audit-policy.yaml"), auditPolicy()); err != nil {
		return err
	}
	// kube-proxy wants to be some node; which one matters only for services
	// that ask for endpoints of the same node.
	proxy := proxyConfig(c.nodes[0].Name, filepath.Join(dir, "proxy.kubeconfig"))
	if err := writeYAML(filepath.Join(dir, "kube-proxy.yaml"), proxy); err != nil {
		return err
	}
	return c.controlPlaneSpec().Write(filepath.Join(dir, "init.json"))
}
