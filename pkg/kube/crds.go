package kube

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/freehold-net/freehold/crds"
)

const (
	// fieldManager owns what we apply on the server's side.
	fieldManager = "freehold"
	crdPoll      = 200 * time.Millisecond
	crdTimeout   = time.Minute
)

// ApplyCRDs creates the definitions or brings present ones to this version, and
// waits until each is served. Definitions that vm-dhcp-controller's chart or an
// older version of ours installed are taken over. One that says all of this
// version already is not written.
func ApplyCRDs(ctx context.Context, config *rest.Config, definitions []crds.Definition) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client for CustomResourceDefinitions: %w", err)
	}

	served := client.ApiextensionsV1().CustomResourceDefinitions()
	force := true

	for _, definition := range definitions {
		present, err := served.Get(ctx, definition.Name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("get CustomResourceDefinition %s: %w", definition.Name, err)
		}

		current, err := upToDate(present, definition)
		if err != nil {
			return err
		}

		if current {
			continue
		}

		_, err = served.Patch(ctx, definition.Name, types.ApplyYAMLPatchType, definition.YAML,
			metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
		if err != nil {
			return fmt.Errorf("apply CustomResourceDefinition %s: %w", definition.Name, err)
		}
	}

	for _, definition := range definitions {
		err := wait.PollUntilContextTimeout(ctx, crdPoll, crdTimeout, true, func(ctx context.Context) (bool, error) {
			current, err := served.Get(ctx, definition.Name, metav1.GetOptions{})
			if err != nil {
				return false, fmt.Errorf("get CustomResourceDefinition %s: %w", definition.Name, err)
			}

			return apihelpers.IsCRDConditionTrue(current, apiextensionsv1.Established), nil
		})
		if err != nil {
			return fmt.Errorf("wait until CustomResourceDefinition %s is served: %w", definition.Name, err)
		}
	}

	return nil
}

// upToDate tells whether the definition on the server says what ours does, with
// the defaults that the server fills in, and no more than that: what an older
// version demanded and this one does not must go.
func upToDate(present *apiextensionsv1.CustomResourceDefinition, definition crds.Definition) (bool, error) {
	var wanted apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(definition.YAML, &wanted); err != nil {
		return false, fmt.Errorf("parse CustomResourceDefinition %s: %w", definition.Name, err)
	}

	apiextensionsv1.SetDefaults_CustomResourceDefinition(&wanted)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&wanted.Spec)

	return equality.Semantic.DeepEqual(wanted.Spec, present.Spec), nil
}

// foreignResources are the resources of others that must be served before our
// caches can fill.
func foreignResources() map[string]string {
	return map[string]string{
		"k8s.cni.cncf.io/v1": "network-attachment-definitions",
		"kubevirt.io/v1":     "virtualmachines",
	}
}

// WaitForForeignCRDs waits until Multus' and KubeVirt's resources are served.
// It calls waiting, at most once a resource, when one is not there yet.
func WaitForForeignCRDs(ctx context.Context, client discovery.DiscoveryInterface, waiting func(resource string)) error {
	for groupVersion, resource := range foreignResources() {
		told := false

		err := wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
			served, err := isServed(client, groupVersion, resource)
			if err != nil {
				return false, nil //nolint:nilerr // the API server may be starting; asked again
			}

			if !served && !told {
				told = true

				waiting(resource + "." + groupVersion)
			}

			return served, nil
		})
		if err != nil {
			return fmt.Errorf("wait for resource %s of %s: %w", resource, groupVersion, err)
		}
	}

	return nil
}

func isServed(client discovery.DiscoveryInterface, groupVersion, resource string) (bool, error) {
	list, err := client.ServerResourcesForGroupVersion(groupVersion)
	if apierrors.IsNotFound(err) {
		return false, nil
	}

	if err != nil {
		return false, fmt.Errorf("discover %s: %w", groupVersion, err)
	}

	for _, served := range list.APIResources {
		if served.Name == resource {
			return true, nil
		}
	}

	return false, nil
}
