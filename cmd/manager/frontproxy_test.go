package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// authority signs client certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}

	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}

	certificate, err := x509.ParseCertificate(raw)

	return &authority{certificate: certificate, key: key}, err
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue makes a client certificate.
func (a *authority) issue(name string, groups ...string) (certificatePEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: groups},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}

	raw, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}

	keyRaw, err := x509.MarshalECPrivateKey(key)

	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyRaw}), err
}

// pair is issue for a TLS client.
func (a *authority) pair(name string, groups ...string) (tls.Certificate, error) {
	certificatePEM, keyPEM, err := a.issue(name, groups...)
	if err != nil {
		return tls.Certificate{}, err
	}

	return tls.X509KeyPair(certificatePEM, keyPEM)
}

// proxyName is the name in the certificate that kube-apiserver shows as a front
// proxy.
const proxyName = "front-proxy-client"

// setUpAggregation has kube-apiserver speak for its callers to APIs behind it, as
// in every cluster with kubeadm, k3s or RKE2.
func (s *server) setUpAggregation() error {
	var err error
	if s.proxyCA, err = newAuthority("front-proxy-ca"); err != nil {
		return err
	}

	certificatePEM, keyPEM, err := s.proxyCA.issue(proxyName)
	if err != nil {
		return err
	}

	flags := s.envtest.ControlPlane.GetAPIServer().Configure().
		Set("requestheader-allowed-names", proxyName).
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-")

	for flag, content := range map[string][]byte{
		"requestheader-client-ca-file": s.proxyCA.pem(), "proxy-client-cert-file": certificatePEM, "proxy-client-key-file": keyPEM,
	} {
		path := filepath.Join(s.dir, flag)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}

		flags.Set(flag, path)
	}

	return nil
}
