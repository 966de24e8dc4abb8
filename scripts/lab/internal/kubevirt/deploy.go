package kubevirt

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// deployTimeout bounds each thing Deploy waits for. On two cores all of it
// takes about a minute.
const deployTimeout = 8 * time.Minute

// Deployment is KubeVirt on a cluster, on its way to being ready.
type Deployment struct {
	cache   *build.Cache
	cluster *cluster.Cluster
	clients *kube.Clients
}

// Install puts KubeVirt and the guest's boot image on the cluster: it builds
// what is missing, imports the images on every node and applies the operator.
// It tells its steps on the cache's Progress. On a cluster that has it all it
// changes nothing and takes a second or two.
func Install(ctx context.Context, cache *build.Cache, c *cluster.Cluster) (*Deployment, error) {
	cfg, err := c.RestConfig()
	if err != nil {
		return nil, fmt.Errorf("install KubeVirt: %w", err)
	}
	clients, err := kube.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("install KubeVirt: %w", err)
	}
	d := &Deployment{cache: cache, cluster: c, clients: clients}
	if err := d.install(ctx); err != nil {
		return nil, fmt.Errorf("install KubeVirt: %w", err)
	}
	return d, nil
}

// Await returns when KubeVirt says Deployed and every node takes guests. The
// error says which of its pods do not run.
func (d *Deployment) Await(ctx context.Context) error {
	if err := d.wait(ctx); err != nil {
		return fmt.Errorf("deploy KubeVirt: %w", err)
	}
	return nil
}

// install imports the guest's image while KubeVirt's may still be building.
func (d *Deployment) install(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		boot, err := guest.Build(ctx, d.cache)
		if err != nil {
			return err
		}
		return d.importArchive(ctx, "guest", boot.Archive, guest.ImageName)
	})
	g.Go(func() error {
		parts, err := Build(ctx, d.cache)
		if err != nil {
			return err
		}
		if err := d.importArchive(ctx, "kubevirt", parts.Archive, registry+"/virt-launcher:"+Version); err != nil {
			return err
		}
		return d.apply(ctx, parts.Manifest)
	})
	return g.Wait()
}

// importArchive imports an archive on the nodes that do not have it. Which one
// a node has is kept in an annotation; the node's own list of images is asked
// too, because that of a node made anew is empty.
func (d *Deployment) importArchive(ctx context.Context, name, archive, image string) error {
	annotation := "lab.freehold.net/archive-" + name
	key := filepath.Base(filepath.Dir(archive))
	var missing []string
	for _, n := range d.cluster.Nodes() {
		node, err := d.clients.Core.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if node.Annotations[annotation] != key || !hasImage(node, image) {
			missing = append(missing, n.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	d.cache.Printf("importing the %s images on %d nodes ...", name, len(missing))
	o := cluster.ImportOptions{TagDigest: true, Nodes: missing}
	if err := d.cluster.ImportImageWith(ctx, archive, o); err != nil {
		return err
	}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, annotation, key)
	for _, n := range missing {
		if _, err := d.clients.Core.CoreV1().Nodes().Patch(ctx, n, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func hasImage(node *corev1.Node, name string) bool {
	for _, image := range node.Status.Images {
		for _, n := range image.Names {
			if n == name {
				return true
			}
		}
	}
	return false
}

func (d *Deployment) apply(ctx context.Context, manifest string) error {
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(Namespace)
	namespace.SetLabels(map[string]string{"pod-security.kubernetes.io/enforce": "privileged"})
	data, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	operator, err := kube.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", manifest, err)
	}
	data, err = files.ReadFile("files/kubevirt-cr.yaml")
	if err != nil {
		return err
	}
	cr, err := kube.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if err := d.clients.Apply(ctx, append([]*unstructured.Unstructured{namespace}, operator...)...); err != nil {
		return err
	}
	// The API server serves the operator's kind a moment after taking its CRD.
	return kube.Poll(ctx, time.Minute, "the KubeVirt kind", func(ctx context.Context) (bool, string, error) {
		err := d.clients.Apply(ctx, cr...)
		return err == nil, fmt.Sprint(err), nil
	})
}

// wait returns when KubeVirt is deployed and all nodes take guests.
func (d *Deployment) wait(ctx context.Context) error {
	kubevirts := d.clients.Dynamic.Resource(schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: "kubevirts"})
	told := ""
	err := kube.Poll(ctx, deployTimeout, "KubeVirt to be Deployed", func(ctx context.Context) (bool, string, error) {
		kv, err := kubevirts.Namespace(Namespace).Get(ctx, "kubevirt", metav1.GetOptions{})
		if err != nil {
			return false, err.Error(), nil
		}
		phase, _, _ := unstructured.NestedString(kv.Object, "status", "phase") // empty then
		available := conditionTrue(kv, "Available")
		state := fmt.Sprintf("phase %q, available %v", phase, available)
		if state != told {
			told = state
			d.cache.Printf("  KubeVirt: %s", state)
		}
		return phase == "Deployed" && available, state, nil
	})
	if err != nil {
		return d.explain(ctx, err)
	}
	err = kube.Poll(ctx, deployTimeout, "every node to take guests", func(ctx context.Context) (bool, string, error) {
		ready, err := d.nodesReady(ctx)
		if err != nil {
			return false, err.Error(), nil
		}
		want := len(d.cluster.Nodes())
		return ready >= want, fmt.Sprintf("%d of %d nodes", ready, want), nil
	})
	return d.explain(ctx, err)
}

// nodesReady counts the nodes whose virt-handler reports in.
func (d *Deployment) nodesReady(ctx context.Context) (int, error) {
	ds, err := d.clients.Core.AppsV1().DaemonSets(Namespace).Get(ctx, "virt-handler", metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	nodes, err := d.clients.Core.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "kubevirt.io/schedulable=true"})
	if err != nil {
		return 0, err
	}
	return min(int(ds.Status.NumberReady), len(nodes.Items)), nil
}

func conditionTrue(o *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions") // none then
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m["status"] == "True"
		}
	}
	return false
}

// explain adds to an error which of KubeVirt's pods do not run and why.
func (d *Deployment) explain(ctx context.Context, cause error) error {
	if cause == nil {
		return nil
	}
	pods, err := d.clients.Core.CoreV1().Pods(Namespace).List(context.WithoutCancel(ctx), metav1.ListOptions{})
	if err != nil {
		return cause
	}
	text := ""
	for _, p := range pods.Items {
		for _, s := range p.Status.ContainerStatuses {
			if !s.Ready {
				text += fmt.Sprintf("\n  pod %s (%s): container %s is not ready%s", p.Name, p.Status.Phase, s.Name, waiting(s.State))
			}
		}
	}
	return fmt.Errorf("%w%s", cause, text)
}

func waiting(s corev1.ContainerState) string {
	switch {
	case s.Waiting != nil:
		return fmt.Sprintf(": %s %s", s.Waiting.Reason, s.Waiting.Message)
	case s.Terminated != nil:
		return fmt.Sprintf(": %s %s", s.Terminated.Reason, s.Terminated.Message)
	}
	return ""
}
