package kube

import (
	"context"
	"fmt"

	"github.com/rancher/lasso/pkg/cache"
	"github.com/rancher/lasso/pkg/client"
	"github.com/rancher/lasso/pkg/controller"
	"github.com/rancher/wrangler/v3/pkg/generated/controllers/apps"
	appsctl "github.com/rancher/wrangler/v3/pkg/generated/controllers/apps/v1"
	"github.com/rancher/wrangler/v3/pkg/generated/controllers/core"
	corectl "github.com/rancher/wrangler/v3/pkg/generated/controllers/core/v1"
	"github.com/rancher/wrangler/v3/pkg/generic"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/generated/controllers/k8s.cni.cncf.io"
	nadctl "github.com/freehold-net/freehold/pkg/generated/controllers/k8s.cni.cncf.io/v1"
	"github.com/freehold-net/freehold/pkg/generated/controllers/kubevirt.io"
	kubevirtctl "github.com/freehold-net/freehold/pkg/generated/controllers/kubevirt.io/v1"
	"github.com/freehold-net/freehold/pkg/generated/controllers/network.harvesterhci.io"
	networkctl "github.com/freehold-net/freehold/pkg/generated/controllers/network.harvesterhci.io/v1alpha1"
)

// Clients holds the clients, caches and controllers of one process. All of them
// share one cache a kind. It is safe for concurrent use once made.
//
// Take every cache and register every index before StartCaches: an index that
// is added to a filled cache stays empty.
type Clients struct {
	// Kube serves what needs no cache: leader election, Events, disruption
	// budgets, webhook configurations.
	Kube kubernetes.Interface

	Pools    networkctl.IPPoolController
	Requests networkctl.VirtualMachineNetworkConfigController
	Leases   networkctl.IPLeaseController
	Networks nadctl.NetworkAttachmentDefinitionController
	VMs      kubevirtctl.VirtualMachineController
	VMIs     kubevirtctl.VirtualMachineInstanceController
	Nodes    corectl.NodeController

	// Deployments and Pods see our agents only, in the manager's own namespace.
	Deployments appsctl.DeploymentController
	Pods        corectl.PodController
	// Secrets is a client only; taking its cache would need the right to read
	// every Secret.
	Secrets corectl.SecretClient

	controllers controller.SharedControllerFactory
}

// agentsOnly narrows a list or watch to our agents.
func agentsOnly(options *metav1.ListOptions) {
	options.LabelSelector = v1alpha1.LabelComponent + "=" + v1alpha1.ComponentAgent
}

// NewClients makes the clients for config. The namespace is the manager's own.
// Nothing is read from the API server before StartCaches.
func NewClients(config *rest.Config, namespace string) (*Clients, error) {
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}

	clientFactory, err := client.NewSharedClientFactory(config, &client.SharedClientFactoryOptions{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make client factory: %w", err)
	}

	deployments := appsv1.SchemeGroupVersion.WithKind("Deployment")
	pods := corev1.SchemeGroupVersion.WithKind("Pod")

	cacheFactory := cache.NewSharedCachedFactory(clientFactory, &cache.SharedCacheFactoryOptions{
		KindNamespace: map[schema.GroupVersionKind]string{
			deployments: namespace, pods: namespace,
		},
		KindTweakList: map[schema.GroupVersionKind]cache.TweakListOptionsFunc{
			deployments: agentsOnly, pods: agentsOnly,
		},
	})
	controllers := controller.NewSharedControllerFactory(cacheFactory, nil)

	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make Kubernetes client: %w", err)
	}

	return wire(config, kube, controllers)
}

// wire takes one controller a kind from the generated factories, which all
// share the given controller factory.
func wire(config *rest.Config, kube kubernetes.Interface, controllers controller.SharedControllerFactory) (*Clients, error) {
	options := &generic.FactoryOptions{SharedControllerFactory: controllers}

	ours, err := network.NewFactoryFromConfigWithOptions(config, options)
	if err != nil {
		return nil, fmt.Errorf("make controllers of %s: %w", v1alpha1.SchemeGroupVersion.Group, err)
	}

	networks, err := k8s.NewFactoryFromConfigWithOptions(config, options)
	if err != nil {
		return nil, fmt.Errorf("make controllers of k8s.cni.cncf.io: %w", err)
	}

	vms, err := kubevirt.NewFactoryFromConfigWithOptions(config, options)
	if err != nil {
		return nil, fmt.Errorf("make controllers of kubevirt.io: %w", err)
	}

	coreFactory, err := core.NewFactoryFromConfigWithOptions(config, options)
	if err != nil {
		return nil, fmt.Errorf("make core controllers: %w", err)
	}

	appsFactory, err := apps.NewFactoryFromConfigWithOptions(config, options)
	if err != nil {
		return nil, fmt.Errorf("make apps controllers: %w", err)
	}

	return &Clients{
		Kube:        kube,
		Pools:       ours.Network().V1alpha1().IPPool(),
		Requests:    ours.Network().V1alpha1().VirtualMachineNetworkConfig(),
		Leases:      ours.Network().V1alpha1().IPLease(),
		Networks:    networks.K8s().V1().NetworkAttachmentDefinition(),
		VMs:         vms.Kubevirt().V1().VirtualMachine(),
		VMIs:        vms.Kubevirt().V1().VirtualMachineInstance(),
		Nodes:       coreFactory.Core().V1().Node(),
		Deployments: appsFactory.Apps().V1().Deployment(),
		Pods:        coreFactory.Core().V1().Pod(),
		Secrets:     coreFactory.Core().V1().Secret(),
		controllers: controllers,
	}, nil
}

// StartCaches starts every cache that was taken so far and waits until all of
// them hold what the API server held at the start. It fails only when ctx ends.
func (c *Clients) StartCaches(ctx context.Context) error {
	caches := c.controllers.SharedCacheFactory()
	if err := caches.Start(ctx); err != nil {
		return fmt.Errorf("start caches: %w", err)
	}

	for kind, synced := range caches.WaitForCacheSync(ctx) {
		if !synced {
			return fmt.Errorf("cache of %s did not fill before the process was told to stop", kind.Kind)
		}
	}

	return nil
}

// StartControllers starts the registered handlers, with the given number of
// workers a kind. They run until ctx ends. Only the leader calls it.
//
// Lasso does not tell when its workers have ended: when ctx ends, each still
// finishes what it is at and what is in its queue. So a process that led may
// write on for as long as it lives, beside the next leader. That is safe, because
// nothing relies on there being one leader, and short if the process exits.
func (c *Clients) StartControllers(ctx context.Context, workers int) error {
	if err := c.controllers.Start(ctx, workers); err != nil {
		return fmt.Errorf("start controllers: %w", err)
	}

	return nil
}
