package certificate

import (
	"bytes"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// publish puts the bundle into every webhook of both configurations that has
// another. A configuration that does not exist needs none: an installation may
// do without it.
func (k *Keeper) publish(ctx context.Context, bundle []byte) error {
	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return k.publishMutating(ctx, bundle) }); err != nil {
		return fmt.Errorf("put the CA bundle into MutatingWebhookConfiguration %s: %w", k.Name, err)
	}

	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return k.publishValidating(ctx, bundle) }); err != nil {
		return fmt.Errorf("put the CA bundle into ValidatingWebhookConfiguration %s: %w", k.Name, err)
	}

	return nil
}

func (k *Keeper) publishMutating(ctx context.Context, bundle []byte) error {
	client := k.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()

	configuration, err := client.Get(ctx, k.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}

	if err != nil {
		return err //nolint:wrapcheck // the caller does
	}

	changed := false

	for i := range configuration.Webhooks {
		changed = replace(&configuration.Webhooks[i].ClientConfig.CABundle, bundle) || changed
	}

	if !changed {
		return nil
	}

	if _, err := client.Update(ctx, configuration, metav1.UpdateOptions{}); err != nil {
		return err //nolint:wrapcheck // the caller does, and must see a conflict
	}

	k.Logger.InfoContext(ctx, "CA bundle published", "kind", "MutatingWebhookConfiguration", "name", k.Name)

	return nil
}

func (k *Keeper) publishValidating(ctx context.Context, bundle []byte) error {
	client := k.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()

	configuration, err := client.Get(ctx, k.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}

	if err != nil {
		return err //nolint:wrapcheck // the caller does
	}

	changed := false

	for i := range configuration.Webhooks {
		changed = replace(&configuration.Webhooks[i].ClientConfig.CABundle, bundle) || changed
	}

	if !changed {
		return nil
	}

	if _, err := client.Update(ctx, configuration, metav1.UpdateOptions{}); err != nil {
		return err //nolint:wrapcheck // the caller does, and must see a conflict
	}

	k.Logger.InfoContext(ctx, "CA bundle published", "kind", "ValidatingWebhookConfiguration", "name", k.Name)

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
