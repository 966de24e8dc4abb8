package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// How long the parts of a start may take on a busy machine.
const (
	apiTimeout   = 2 * time.Minute
	readyTimeout = 3 * time.Minute
	nudgeAfter   = 25 * time.Second // a kubelet that lost the race to register its node is started again
)

// Up builds what is missing and starts the cluster. When the same cluster runs
// already and is well, Up returns it; what is left of another or a broken one
// is removed first. The error names the step, the cause and the log; what did
// start is left for inspection, and the next Up or Down removes it.
func Up(ctx context.Context, cache *build.Cache, o Options) (*Cluster, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("lab up: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("lab up: namespaces, bridges and mounts need root: run this as root")
	}
	if err := os.MkdirAll(o.StateDir, 0o755); err != nil {
		return nil, fmt.Errorf("lab up: %w", err)
	}
	unlock, err := lockState(ctx, o.StateDir, cache)
	if err != nil {
		return nil, fmt.Errorf("lab up: %w", err)
	}
	defer unlock()
	u := &starter{cache: cache, began: time.Now()}
	if err := u.run(ctx, o); err != nil {
		return nil, fmt.Errorf("lab up: %w", err)
	}
	return u.cluster, nil
}

// lockState keeps two starts or stops of one cluster apart.
func lockState(ctx context.Context, stateDir string, cache *build.Cache) (func(), error) {
	return build.LockFile(ctx, filepath.Clean(stateDir)+".lock", func(holder string) {
		if cache != nil {
			cache.Printf("waiting for another start or stop of the lab (%s) to end ...", holder)
		}
	})
}

// starter is one run of Up.
type starter struct {
	cache   *build.Cache
	cluster *Cluster
	began   time.Time
}

func (u *starter) step(name string, f func() error) error {
	start := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("step %q: %w", name, err)
	}
	u.cache.Printf("  %-44s %5.1f s", name, time.Since(start).Seconds())
	return nil
}

func (u *starter) run(ctx context.Context, o Options) error {
	s := state{Options: o}
	err := u.step("programs built", func() error { return u.build(ctx, &s) })
	if err != nil {
		return err
	}
	if old, err := Open(o.StateDir); err == nil {
		same := s
		same.Complete = true
		if reflect.DeepEqual(old.state, same) && old.well(ctx) {
			u.cluster = old
			u.cache.Printf("the lab is already up")
			return nil
		}
		u.cache.Printf("removing what is left of an earlier lab")
	}
	if err := down(ctx, o.StateDir); err != nil {
		return fmt.Errorf("step %q: %w", "earlier lab removed", err)
	}
	u.cluster = newCluster(s)
	u.cache.Printf("%s", s.Mode.Describe())
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"keys and configurations written", u.prepare},
		{"networks made", func(context.Context) error { return u.cluster.makeSwitches() }},
		{"control plane and nodes started", u.start},
		{"API server ready", u.awaitAPI},
		{"roles and kubelets started", u.enrol},
		{"nodes Ready", u.awaitNodes},
	}
	for _, st := range steps {
		if err := u.step(st.name, func() error { return st.do(ctx) }); err != nil {
			return err
		}
	}
	u.cluster.Complete = true
	if err := u.cluster.save(); err != nil {
		return err
	}
	u.cache.Printf("lab up: %d nodes Ready after %s; export KUBECONFIG=%s", len(u.cluster.nodes),
		time.Since(u.began).Round(100*time.Millisecond), u.cluster.Kubeconfig())
	return nil
}

// Packages returns the Debian packages that Up installs: nsenter, ip and nft are
// run by the lab, the tests and kube-proxy.
func Packages() []string {
	return []string{"util-linux", "iproute2", "nftables", "ca-certificates"}
}

// build makes sure of all programs and fills in where they are.
func (u *starter) build(ctx context.Context, s *state) (err error) {
	if err = u.cache.Apt(ctx, Packages()...); err != nil {
		return err
	}
	if s.RuntimeDir, err = u.cache.Runtime(ctx); err != nil {
		return err
	}
	if s.ControlPlaneDir, err = u.cache.ControlPlane(ctx); err != nil {
		return err
	}
	s.Mode, err = vlan.Detect(linkPrefix + "probe")
	return err
}

func (u *starter) prepare(context.Context) error {
	c := u.cluster
	dirs := []string{filepath.Join(c.dir, "bin"), filepath.Join(c.controlPlaneDir(), "pki")}
	for _, n := range c.nodes {
		dirs = append(dirs, n.dir())
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// A copy, so that clearing the cache does not take a running lab's program.
	if err := copyFile(filepath.Join(c.RuntimeDir, build.NodeInit), filepath.Join(c.dir, "bin", build.NodeInit)); err != nil {
		return err
	}
	if err := c.writePKI(time.Now()); err != nil {
		return err
	}
	if err := raiseLimits(c.dir); err != nil {
		return err
	}
	// From here on Open, and with it Down and Status, know of the cluster.
	return errors.Join(c.writeControlPlaneConfigs(), c.save())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// start starts the control plane and, at the same time, the nodes up to
// containerd with the pause image.
func (u *starter) start(ctx context.Context) error {
	c := u.cluster
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := c.spawnControlPlane(ctx); err != nil {
			return fmt.Errorf("control plane: %w", err)
		}
		return nil
	})
	for _, n := range c.nodes {
		g.Go(func() error {
			if err := n.Start(ctx); err != nil {
				return err
			}
			_, err := n.ctr(ctx, "images", "import", filepath.Join(c.RuntimeDir, build.PauseTar))
			return err
		})
	}
	return g.Wait()
}

func (u *starter) awaitAPI(ctx context.Context) error { return u.cluster.AwaitAPI(ctx) }

// AwaitAPI waits until the API server says that it is ready. The error quotes
// the log of etcd or of the API server.
func (c *Cluster) AwaitAPI(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.readyz(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			name := APIServer
			if services, statusErr := nodeinit.Status(context.WithoutCancel(ctx), c.ControlSocket()); statusErr == nil {
				for _, s := range services {
					if s.Name == Etcd && !s.Running {
						name = Etcd
					}
				}
			}
			return failed(name, err, filepath.Join(c.controlPlaneDir(), "log", name+".log"))
		case <-tick.C:
		}
	}
}

func (c *Cluster) readyz(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := c.RestConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// multusRole is what Multus does: it reads pods and networks and notes on the
// pod what it attached.
func multusRole() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: multusUser},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"k8s.cni.cncf.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: []string{"update", "patch"}},
			{APIGroups: []string{"", "events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch", "update"}},
		},
	}
}

// enrol gives Multus its rights and lets the kubelets register their nodes.
func (u *starter) enrol(ctx context.Context) error {
	client, err := u.cluster.client()
	if err != nil {
		return err
	}
	role := multusRole()
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: multusUser}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	for _, n := range u.cluster.nodes {
		if err := n.StartKubelet(ctx); err != nil {
			return err
		}
	}
	return nil
}

// awaitNodes waits for the nodes and gives the control plane's its labels,
// which a kubelet may not give itself.
func (u *starter) awaitNodes(ctx context.Context) error {
	g, waitCtx := errgroup.WithContext(ctx)
	for _, n := range u.cluster.nodes {
		g.Go(func() error { return n.AwaitReady(waitCtx, time.Time{}) }) // nobody of before is in a new cluster
	}
	if err := g.Wait(); err != nil {
		return err
	}
	client, err := u.cluster.client()
	if err != nil {
		return err
	}
	const labels = `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":"true","node-role.kubernetes.io/etcd":"true"}}}`
	for _, n := range u.cluster.nodes {
		if !n.ControlPlane {
			continue
		}
		_, err := client.CoreV1().Nodes().Patch(ctx, n.Name, types.StrategicMergePatchType, []byte(labels), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("label node %s: %w", n.Name, err)
		}
	}
	return nil
}

// AwaitReady waits until the node is Ready and its kubelet has been heard of
// after since (the zero time asks for nothing): what the API server has of a
// dead node looks Ready for a while.
// The error quotes the log of the kubelet.
func (n *Node) AwaitReady(ctx context.Context, since time.Time) error {
	client, err := n.cluster.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for nudge := time.Now().Add(nudgeAfter); ; {
		why := "it has not registered"
		node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err == nil {
			var ready bool
			if ready, why = nodeReady(node); ready {
				if since.IsZero() || n.heardSince(ctx, client, since) {
					return nil
				}
				why = "its kubelet has not been heard of since its start"
			}
		}
		if time.Now().After(nudge) {
			nudge = time.Now().Add(nudgeAfter)
			if err := n.restart(ctx, Kubelet); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return failed("node "+n.Name+" is not Ready", errors.New(why), filepath.Join(n.LogDir(), Kubelet+".log"))
		case <-tick.C:
		}
	}
}

// heardSince reports whether the kubelet has renewed its lease after since.
func (n *Node) heardSince(ctx context.Context, client kubernetes.Interface, since time.Time) bool {
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, n.Name, metav1.GetOptions{})
	return err == nil && lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(since)
}

func (n *Node) restart(ctx context.Context, service string) error {
	return errors.Join(nodeinit.Stop(ctx, n.ControlSocket(), service), nodeinit.Start(ctx, n.ControlSocket(), service))
}

func nodeReady(node *corev1.Node) (ready bool, why string) {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue, c.Reason + ": " + c.Message
		}
	}
	return false, "it has not said so"
}
