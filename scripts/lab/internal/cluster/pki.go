package cluster

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// certificateLife is how long certificates last; a lab is newer than that.
const certificateLife = 365 * 24 * time.Hour

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

func newAuthority(name string, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := sign(template, template, key, key, now)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, pem: encode("CERTIFICATE", der)}, nil
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(certificateLife)
	return x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
}

// issue signs a certificate for a user or, with names or addresses, a server.
func (a *authority) issue(user string, groups, names []string, addrs []netip.Addr, now time.Time) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	usage := x509.ExtKeyUsageClientAuth
	if len(names)+len(addrs) > 0 {
		usage = x509.ExtKeyUsageServerAuth
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: user, Organization: groups}, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	for _, addr := range addrs {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	der, err := sign(template, a.cert, key, a.key, now)
	if err != nil {
		return pair{}, err
	}
	keyPEM, err := encodeKey(key)
	return pair{cert: encode("CERTIFICATE", der), key: keyPEM}, err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return encode("EC PRIVATE KEY", der), err
}

// user is somebody who talks to the API server.
type user struct {
	name   string
	groups []string
	file   string // kubeconfig, relative to the state directory
}

// users are all who talk to the API server, each under the name that
// Kubernetes' own roles expect.
func (c *Cluster) users() []user {
	users := []user{
		{name: "lab-admin", groups: []string{"system:masters"}, file: "kubeconfig"},
		{name: "system:kube-controller-manager", file: controlPlaneName + "/controller-manager.kubeconfig"},
		{name: "system:kube-scheduler", file: controlPlaneName + "/scheduler.kubeconfig"},
		{name: "system:kube-proxy", file: controlPlaneName + "/proxy.kubeconfig"},
	}
	for _, n := range c.nodes {
		dir := "nodes/" + n.Name
		users = append(users,
			user{name: "system:node:" + n.Name, groups: []string{"system:nodes"}, file: dir + "/kubelet.kubeconfig"},
			user{name: "system:kube-proxy", file: dir + "/proxy.kubeconfig"},
			user{name: multusUser, file: dir + "/multus.kubeconfig"})
	}
	return users
}

// multusUser is who Multus is; see multusRole.
const multusUser = "lab:multus"

// writePKI makes all keys, certificates and kubeconfigs of a new cluster.
func (c *Cluster) writePKI(now time.Time) error {
	ca, err := newAuthority("freehold-lab", now)
	if err != nil {
		return err
	}
	front, err := newAuthority("freehold-lab-front-proxy", now)
	if err != nil {
		return err
	}
	saKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	saPEM, err := encodeKey(saKey)
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.crt": ca.pem, "front-proxy-ca.crt": front.pem, "service-account.key": saPEM}
	firstService := netip.MustParsePrefix(serviceCIDR).Addr().Next()
	certs := []struct {
		name, user string
		by         *authority
		groups     []string
		names      []string
		addrs      []netip.Addr
	}{
		{
			name: "apiserver", user: "kube-apiserver", by: ca,
			names: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"},
			addrs: []netip.Addr{firstService, controlPlaneIP(), netip.MustParseAddr("127.0.0.1")},
		},
		{name: "kubelet-client", user: "kube-apiserver", by: ca, groups: []string{"system:masters"}},
		{name: "front-proxy-client", user: frontProxyName, by: front},
	}
	for _, want := range certs {
		p, err := want.by.issue(want.user, want.groups, want.names, want.addrs, now)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", want.name, err)
		}
		files[want.name+".crt"], files[want.name+".key"] = p.cert, p.key
	}
	for name, data := range files {
		if err := os.WriteFile(c.pki(name), data, 0o600); err != nil {
			return err
		}
	}
	return c.writeKubeconfigs(ca, now)
}

// frontProxyName is who the API server is to aggregated APIs.
const frontProxyName = "front-proxy-client"

func (c *Cluster) pki(name string) string { return filepath.Join(c.controlPlaneDir(), "pki", name) }

func (c *Cluster) writeKubeconfigs(ca *authority, now time.Time) error {
	for _, u := range c.users() {
		p, err := ca.issue(u.name, u.groups, nil, nil, now)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", u.name, err)
		}
		name := c.Options.Name
		config := clientcmdapi.Config{
			Clusters: map[string]*clientcmdapi.Cluster{
				name: {Server: "https://" + c.APIServer().String(), CertificateAuthorityData: bytes.Clone(ca.pem)},
			},
			AuthInfos:      map[string]*clientcmdapi.AuthInfo{u.name: {ClientCertificateData: p.cert, ClientKeyData: p.key}},
			Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: u.name}},
			CurrentContext: name,
		}
		if err := clientcmd.WriteToFile(config, filepath.Join(c.dir, u.file)); err != nil {
			return err
		}
	}
	return nil
}
