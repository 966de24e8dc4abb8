package cluster

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// object is a configuration file before it is written.
type object map[string]any

// Names of a node's services, as orders and Status use them.
const (
	Containerd = "containerd"
	Kubelet    = "kubelet"
	KubeProxy  = "kube-proxy"
)

// Names of the control plane's services.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// cgroupRoot holds the control groups of all containers of the lab.
const cgroupRoot = "/freehold-lab"

func (n *Node) cgroup() string { return cgroupRoot + "/" + n.Name }

// file returns a path below the node's directory.
func (n *Node) file(name string) string { return filepath.Join(n.dir(), name) }

// kubeletConfig follows the kubelet of a default installation but for what a
// machine shared by several nodes does not allow: control groups per quality of
// service, and guessing at eviction from a disk that all share.
func (n *Node) kubeletConfig() object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": object{
			"anonymous": object{"enabled": false}, "webhook": object{"enabled": true},
			"x509": object{"clientCAFile": n.cluster.pki("ca.crt")},
		},
		"authorization":               object{"mode": "Webhook"},
		"cgroupDriver":                "cgroupfs",
		"cgroupRoot":                  n.cgroup(),
		"cgroupsPerQOS":               false,
		"enforceNodeAllocatable":      []string{},
		"failSwapOn":                  false,
		"failCgroupV1":                false,
		"containerRuntimeEndpoint":    "unix://" + n.ContainerdSocket(),
		"evictionHard":                object{"nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "50Mi"},
		"imageGCHighThresholdPercent": 100,
		"serializeImagePulls":         false,
		"resolvConf":                  "/etc/resolv.conf",
		"clusterDNS":                  []string{"10.96.0.10"}, // nobody answers there: the lab has no cluster DNS
		"clusterDomain":               "cluster.local",
		"maxPods":                     250,
		"rotateCertificates":          false,
		"volumePluginDir":             n.file("volume-plugins"),
	}
}

// proxyConfig is kube-proxy's, for a node or for the control plane.
func proxyConfig(hostname, kubeconfig string) object {
	return object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": "nftables", "clusterCIDR": podCIDR, "hostnameOverride": hostname,
		"clientConnection": object{"kubeconfig": kubeconfig},
		"conntrack":        object{"maxPerCore": 0, "min": 0},
		"nftables":         object{"masqueradeAll": true},
	}
}

func (n *Node) containerdConfig() string {
	runtime := n.cluster.RuntimeDir
	return fmt.Sprintf(`version = 3
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.nri.v1.nri"]

[grpc]
  address = %q

[plugins."io.containerd.cri.v1.runtime"]
  # Without the right to lower it, every pod would fail to start.
  restrict_oom_score_adj = true

  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [%q]
    conf_dir = %q

  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"

    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = %q

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q
`, n.file("containerd"), n.ContainerdSocket(), runtime, n.file("cni"), filepath.Join(runtime, "runc"), build.PauseImage)
}

// cniConfigs are the pod network and Multus before it, by file name.
func (n *Node) cniConfigs() map[string]object {
	pods := n.file("cni/10-pods.conflist")
	return map[string]object{
		"00-multus.conf": {
			"cniVersion": "1.0.0", "name": "multus", "type": "multus", "kubeconfig": n.file("multus.kubeconfig"),
			"confDir": n.file("cni"), "binDir": n.cluster.RuntimeDir, "cniDir": "/var/lib/cni/multus",
			"logLevel": "error", "logFile": filepath.Join(n.LogDir(), "multus.log"), "clusterNetwork": pods,
		},
		"10-pods.conflist": {
			"cniVersion": "1.0.0", "name": "pods",
			"plugins": []object{{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
				"ipam": object{
					"type": "host-local", "dataDir": "/run/cni-ipam",
					"ranges": [][]object{{{"subnet": n.PodCIDR}}}, "routes": []object{{"dst": "0.0.0.0/0"}},
				},
			}},
		},
	}
}

// nodeSysctls make the node a router for its pods, and keep frames that cross a
// bridge away from the packet filter: a cluster network is plain wire.
func nodeSysctls() [][2]string {
	return [][2]string{
		{"net/ipv4/ip_forward", "1"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		// One for each VLAN in the overlay; the default of 20 is soon used up.
		{"net/ipv4/igmp_max_memberships", "4096"},
		{"net/bridge/bridge-nf-call-iptables", "0"},
		{"net/bridge/bridge-nf-call-ip6tables", "0"},
		{"net/bridge/bridge-nf-call-arptables", "0"},
	}
}

// path is the PATH of daemons and of what Exec runs.
func (c *Cluster) path() string {
	return "PATH=" + strings.Join(append(c.BinDirs(), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"), ":")
}

func (n *Node) spec() nodeinit.Spec {
	c := n.cluster
	log := func(name string) string { return filepath.Join(n.LogDir(), name+".log") }
	env := []string{c.path()}
	spec := nodeinit.Spec{
		Hostname: n.Name, Socket: n.ControlSocket(), Dir: n.dir(), Machine: true,
		Sysctls: nodeSysctls(), MTU: vlan.MTU + vlan.Overhead, Filter: c.Mode == vlan.Filtering,
		Links:  []nodeinit.Link{{Name: "eth0", Address: netip.PrefixFrom(nodeIP(n.index), underlayBits)}},
		Routes: c.routes(n),
		VLANs:  &vlan.Config{Node: n.Name, Mode: c.Mode, Networks: map[string]vlan.Network{}},
		Services: []nodeinit.Service{
			{Name: Containerd, Log: log(Containerd), Env: env, Argv: []string{filepath.Join(c.RuntimeDir, "containerd"), "--config", n.file("containerd.toml")}},
			{Name: Kubelet, Log: log(Kubelet), Env: env, Held: true, WaitFor: n.ContainerdSocket(), Argv: []string{
				filepath.Join(c.ControlPlaneDir, "kubelet"), "--config", n.file("kubelet.yaml"), "--kubeconfig", n.file("kubelet.kubeconfig"),
				"--hostname-override", n.Name, "--node-ip", n.IP, "--cert-dir", n.file("kubelet-pki"),
			}},
			{Name: KubeProxy, Log: log(KubeProxy), Env: env, Held: true, Argv: []string{
				filepath.Join(c.ControlPlaneDir, "kube-proxy"), "--config", n.file("kube-proxy.yaml"),
			}},
		},
	}
	for _, cn := range n.networks {
		link := nodeinit.Link{Name: uplinkName(cn.Name), Bridge: vlan.BridgeName(cn.Name)}
		if c.Mode == vlan.Overlay {
			link.Address = netip.PrefixFrom(cn.Uplink, 24)
		}
		spec.Links = append(spec.Links, link)
		spec.VLANs.Networks[link.Bridge] = cn
	}
	return spec
}

// routes lead to everybody's pods but the node's own; nil means the control
// plane's.
func (c *Cluster) routes(own *Node) []nodeinit.Route {
	routes := []nodeinit.Route{{Via: machineIP()}}
	for _, n := range c.nodes {
		if n != own {
			routes = append(routes, nodeinit.Route{Destination: nodePods(n.index), Via: nodeIP(n.index)})
		}
	}
	return routes
}

// writeConfigs writes everything that the node's daemons read.
func (n *Node) writeConfigs() error {
	for _, dir := range []string{"cni", "log", "volume-plugins"} {
		if err := os.MkdirAll(n.file(dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(n.file("containerd.toml"), []byte(n.containerdConfig()), 0o644); err != nil {
		return err
	}
	if err := writeYAML(n.file("kubelet.yaml"), n.kubeletConfig()); err != nil {
		return err
	}
	if err := writeYAML(n.file("kube-proxy.yaml"), proxyConfig(n.Name, n.file("proxy.kubeconfig"))); err != nil {
		return err
	}
	for name, config := range n.cniConfigs() {
		data, err := json.MarshalIndent(config, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(n.file("cni/"+name), append(data, '\n'), 0o600); err != nil {
			return err
		}
	}
	return n.spec().Write(n.file("init.json"))
}

func writeYAML(path string, o object) error {
	data, err := yaml.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
