package certificate

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
)

// publish puts the bundle into every webhook of both configurations that has
// another. A configuration that does not exist needs none: an installation may
// do without it.
func (k *Keeper) publish(ctx context.Context, bundle []byte) error {
	client := k.Kube.AdmissionregistrationV1()

	err := publishTo(ctx, k, "MutatingWebhookConfiguration", client.MutatingWebhookConfigurations(), bundle,
		func(configuration *admissionregistrationv1.MutatingWebhookConfiguration) []*[]byte {
			return bundlePlaces(configuration.Webhooks, func(w *admissionregistrationv1.MutatingWebhook) *[]byte { return &w.ClientConfig.CABundle })
		})
	if err != nil {
		return err
	}

	err = publishTo(ctx, k, "ValidatingWebhookConfiguration", client.ValidatingWebhookConfigurations(), bundle,
		func(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) []*[]byte {
			return bundlePlaces(configuration.Webhooks, func(w *admissionregistrationv1.ValidatingWebhook) *[]byte { return &w.ClientConfig.CABundle })
		})
	if err != nil {
		return err
	}

	return k.publishToAPIService(ctx, bundle)
}

// bundlePlaces are the places of the CA bundle in each webhook.
func bundlePlaces[T any](webhooks []T, of func(*T) *[]byte) []*[]byte {
	places := make([]*[]byte, len(webhooks))
	for i := range webhooks {
		places[i] = of(&webhooks[i])
	}

	return places
}

// publishToAPIService puts the bundle into the APIService, so that the Kubernetes
// API server trusts what we serve to it. It is handled without its Go type, which
// would bring the aggregator's whole module along for one field.
func (k *Keeper) publishToAPIService(ctx context.Context, bundle []byte) error {
	if k.APIService == "" {
		return nil
	}

	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		service, err := k.APIServices.Get(ctx, k.APIService, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}

		if err != nil {
			return err
		}

		name, _, _ := unstructured.NestedString(service.Object, "spec", "service", "name")
		namespace, _, _ := unstructured.NestedString(service.Object, "spec", "service", "namespace")
		present, _, _ := unstructured.NestedString(service.Object, "spec", "caBundle")

		wanted := base64.StdEncoding.EncodeToString(bundle)
		if name != k.Name || namespace != k.Namespace || present == wanted {
			return nil
		}

		if err := unstructured.SetNestedField(service.Object, wanted, "spec", "caBundle"); err != nil {
			return err
		}

		if _, err := k.APIServices.Update(ctx, service, metav1.UpdateOptions{}); err != nil {
			return err
		}

		k.Logger.InfoContext(ctx, "CA bundle published", "kind", "APIService", "name", k.APIService)

		return nil
	})
	if err != nil {
		return fmt.Errorf("put the CA bundle into APIService %s: %w", k.APIService, err)
	}

	return nil
}

// configurationClient is a client for one kind of webhook configuration.
type configurationClient[T any] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Update(ctx context.Context, configuration T, options metav1.UpdateOptions) (T, error)
}

// publishTo puts the bundle into the places of the configuration of our name,
// and writes nothing when it is there already.
func publishTo[T any](
	ctx context.Context, k *Keeper, kind string, client configurationClient[T], bundle []byte, places func(T) []*[]byte,
) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		configuration, err := client.Get(ctx, k.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}

		if err != nil {
			return err
		}

		changed := false
		for _, place := range places(configuration) {
			changed = replace(place, bundle) || changed
		}

		if !changed {
			return nil
		}

		if _, err := client.Update(ctx, configuration, metav1.UpdateOptions{}); err != nil {
			return err
		}

		k.Logger.InfoContext(ctx, "CA bundle published", "kind", kind, "name", k.Name)

		return nil
	})
	if err != nil {
		return fmt.Errorf("put the CA bundle into %s %s: %w", kind, k.Name, err)
	}

	return nil
}

// replace puts bundle into place and tells whether anything changed.
func replace(place *[]byte, bundle []byte) bool {
	if bytes.Equal(*place, bundle) {
		return false
	}

	*place = bytes.Clone(bundle)

	return true
}
