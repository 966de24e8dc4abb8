package certificate

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/rancher/dynamiclistener/factory"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// authority is who signs server certificates, and who is trusted: the one that
// signs now and those before it that have not ended.
type authority struct {
	signer *x509.Certificate
	key    crypto.Signer
	roots  *x509.CertPool
	// bundle is the certificates of all that are trusted, in PEM, the signer first.
	bundle []byte
}

// ensureAuthority returns the authority in the Secret, made or replaced when it
// is missing, unreadable or about to end.
func (k *Keeper) ensureAuthority(ctx context.Context) (authority, error) {
	name := k.AuthoritySecret()

	found, err := k.Secrets.Get(k.Namespace, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return authority{}, fmt.Errorf("read Secret %s/%s: %w", k.Namespace, name, err)
	}

	missing := err != nil

	var certificates []*x509.Certificate

	if !missing {
		var key crypto.Signer

		certificates, key, err = k.readAuthority(found)
		if err == nil && certificates[0].NotAfter.Sub(k.Now()) > replaceBefore {
			return newAuthority(certificates, key), nil
		}

		if err != nil {
			k.Logger.WarnContext(ctx, "webhook authority cannot be used and is replaced", "secret", name, "error", err)
		}
	}

	signer, key, err := factory.GenCA()
	if err != nil {
		return authority{}, fmt.Errorf("make an authority for the webhook: %w", err)
	}

	// Those that were trusted stay trusted until they end, so that what they
	// signed goes on being served meanwhile.
	made := newAuthority(append([]*x509.Certificate{signer}, certificates...), key)

	_, keyPEM, err := encode(key, signer)
	if err != nil {
		return authority{}, err
	}

	secret := tlsSecret(k.Namespace, name, made.bundle, keyPEM)
	if err := k.write(found, missing, secret); err != nil {
		return authority{}, err
	}

	k.Logger.InfoContext(ctx, "webhook authority made", "secret", name, "until", signer.NotAfter)

	return made, nil
}

// readAuthority returns the certificates in the Secret that have not ended, the
// signer first. It returns those that can be trusted also with an error.
func (k *Keeper) readAuthority(secret *corev1.Secret) ([]*x509.Certificate, crypto.Signer, error) {
	all, key, err := factory.LoadCAChain(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, nil, fmt.Errorf("read the authority: %w", err)
	}

	var trusted []*x509.Certificate

	for _, certificate := range all {
		if certificate.IsCA && k.Now().Before(certificate.NotAfter) {
			trusted = append(trusted, certificate)
		}
	}

	if len(trusted) == 0 || trusted[0] != all[0] {
		return trusted, nil, errors.New("the authority has ended or is none")
	}

	public, ok := key.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	if !ok || !public.Equal(trusted[0].PublicKey) {
		return trusted, nil, errors.New("the authority's key does not belong to its certificate")
	}

	return trusted, key, nil
}

func newAuthority(certificates []*x509.Certificate, key crypto.Signer) authority {
	made := authority{signer: certificates[0], key: key, roots: x509.NewCertPool()}

	var bundle bytes.Buffer

	for _, certificate := range certificates {
		made.roots.AddCert(certificate)
		bundle.Write(pem.EncodeToMemory(&pem.Block{Type: factory.CertificateBlockType, Bytes: certificate.Raw}))
	}

	made.bundle = bundle.Bytes()

	return made
}

// ensureServing returns the server certificate in the Secret, issued anew when it
// is missing, unreadable, about to end, for another name or from an authority
// that is not trusted.
func (k *Keeper) ensureServing(ctx context.Context, trusted authority) (*tls.Certificate, error) {
	name := k.ServingSecret()

	found, err := k.Secrets.Get(k.Namespace, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read Secret %s/%s: %w", k.Namespace, name, err)
	}

	missing := err != nil

	if !missing {
		serving, err := k.readServing(found, trusted)
		if err == nil {
			return serving, nil
		}

		k.Logger.InfoContext(ctx, "webhook certificate is replaced", "secret", name, "reason", err.Error())
	}

	issuer := factory.TLS{
		CACert:       []*x509.Certificate{trusted.signer},
		CAKey:        trusted.key,
		CN:           k.ServerName(),
		Organization: []string{"freehold"},
	}

	issued, _, err := issuer.AddCN(&corev1.Secret{}, k.ServerName())
	if err != nil {
		return nil, fmt.Errorf("issue the webhook's certificate: %w", err)
	}

	secret := tlsSecret(k.Namespace, name, issued.Data[corev1.TLSCertKey], issued.Data[corev1.TLSPrivateKeyKey])
	if err := k.write(found, missing, secret); err != nil {
		return nil, err
	}

	serving, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("read the certificate just issued: %w", err)
	}

	k.Logger.InfoContext(ctx, "webhook certificate issued", "secret", name, "serverName", k.ServerName(), "until", serving.Leaf.NotAfter)

	return &serving, nil
}

// readServing returns the certificate in the Secret if it can be served for a
// good while yet; the error says why not.
func (k *Keeper) readServing(secret *corev1.Secret, trusted authority) (*tls.Certificate, error) {
	serving, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}

	if _, err := serving.Leaf.Verify(x509.VerifyOptions{
		DNSName: k.ServerName(), Roots: trusted.roots, CurrentTime: k.Now(),
	}); err != nil {
		return nil, fmt.Errorf("it would not be trusted: %w", err)
	}

	if serving.Leaf.NotAfter.Sub(k.Now()) < renewBefore {
		return nil, fmt.Errorf("it ends on %s", serving.Leaf.NotAfter.Format(time.DateOnly))
	}

	return &serving, nil
}

// write creates the Secret or puts its data into the one that was found, unless
// that has changed meanwhile.
func (k *Keeper) write(found *corev1.Secret, missing bool, wanted *corev1.Secret) error {
	if missing {
		if _, err := k.Secrets.Create(wanted); err != nil {
			return fmt.Errorf("create Secret %s/%s: %w", wanted.Namespace, wanted.Name, err)
		}

		return nil
	}

	changed := found.DeepCopy()
	changed.Data = wanted.Data

	if _, err := k.Secrets.Update(changed); err != nil {
		return fmt.Errorf("update Secret %s/%s: %w", wanted.Namespace, wanted.Name, err)
	}

	return nil
}

func tlsSecret(namespace, name string, certificates, key []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: certificates, corev1.TLSPrivateKeyKey: key},
	}
}

// encode returns the certificate and its key in PEM.
func encode(key crypto.Signer, certificate *x509.Certificate) (certificatePEM, keyPEM []byte, err error) {
	keyPEM, certificatePEM, err = factory.MarshalChain(key, certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("write the webhook's key: %w", err)
	}

	return certificatePEM, keyPEM, nil
}
