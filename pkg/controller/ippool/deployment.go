package ippool

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

const (
	// annotationTemplate on an agent Deployment is the hash of what the manager
	// wanted when it wrote it: the API server fills in defaults, so what is
	// there cannot be compared with what is wanted.
	annotationTemplate = "network.harvesterhci.io/agent-template"

	// agentInterface is the agents' NIC on the network.
	agentInterface = "eth1"
	agentHTTPPort  = 8080
	agentStateDir  = "/var/lib/freehold"
	agentContainer = "agent"

	// agentNameLimit leaves room for what ReplicaSets and Pods add.
	agentNameLimit = 40
)

// AgentConfig is how agents are run; it is the same for all pools.
type AgentConfig struct {
	// Namespace is where agents run: the manager's own.
	Namespace string
	// Image is the image of the agents.
	Image string
	// ImagePullPolicy is that of the agents; empty means Kubernetes' default.
	ImagePullPolicy corev1.PullPolicy
	// ImagePullSecrets are names of Secrets in Namespace.
	ImagePullSecrets []string
	// ServiceAccount is the agents' ServiceAccount in Namespace.
	ServiceAccount string
	// Template has what the installer may set.
	Template AgentTemplate
}

// AgentTemplate is what the installer may set of the agents' Pods.
type AgentTemplate struct {
	Resources         corev1.ResourceRequirements `json:"resources,omitzero"`
	Tolerations       []corev1.Toleration         `json:"tolerations,omitempty"`
	PriorityClassName string                      `json:"priorityClassName,omitempty"`
	LogLevel          string                      `json:"logLevel,omitempty"`
}

// agentName names the pool's Deployment. The hash keeps pools apart whose
// namespace and name read the same when they are joined, such as a-b/c and a/b-c.
func agentName(pool *v1alpha1.IPPool) string {
	sum := sha256.Sum256([]byte(pool.Namespace + "/" + pool.Name))

	return kube.Shorten(pool.Namespace+"-"+pool.Name, agentNameLimit) + "-agent-" + hex.EncodeToString(sum[:])[:6]
}

// deployment returns the Deployment of the pool's agents. A new agent is ready
// before an old one stops, and each is on a node of its own.
func deployment(pool *v1alpha1.IPPool, network *nadv1.NetworkAttachmentDefinition, config AgentConfig, image string, replicas int32) (*appsv1.Deployment, error) {
	networks, err := json.Marshal([]nadv1.NetworkSelectionElement{{
		Namespace: network.Namespace, Name: network.Name, InterfaceRequest: agentInterface,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode network selection: %w", err)
	}

	labels := kube.AgentLabels(pool)
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	history := int32(2)

	wanted := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: config.Namespace,
			Name:      agentName(pool),
			Labels:    labels,
			// The labels have shortened names; this is the pool in full.
			Annotations: map[string]string{annotationPool: pool.Namespace + "/" + pool.Name},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas:             &replicas,
			RevisionHistoryLimit: &history,
			Selector:             &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels,
					Annotations: map[string]string{nadv1.NetworkAttachmentAnnot: string(networks)},
				},
				Spec: podSpec(pool, network, config, image),
			},
		},
	}

	hash, err := templateHash(wanted)
	if err != nil {
		return nil, err
	}

	wanted.Annotations[annotationTemplate] = hash

	return wanted, nil
}

// annotationPool on an agent Deployment names its pool, "namespace/name".
const annotationPool = "network.harvesterhci.io/ippool"

func templateHash(wanted *appsv1.Deployment) (string, error) {
	data, err := json.Marshal(wanted.Spec)
	if err != nil {
		return "", fmt.Errorf("encode Deployment %s: %w", wanted.Name, err)
	}

	sum := sha256.Sum256(data)

	return hex.EncodeToString(sum[:8]), nil
}

func podSpec(pool *v1alpha1.IPPool, network *nadv1.NetworkAttachmentDefinition, config AgentConfig, image string) corev1.PodSpec {
	grace := int64(5)

	spec := corev1.PodSpec{
		ServiceAccountName:            config.ServiceAccount,
		PriorityClassName:             config.Template.PriorityClassName,
		TerminationGracePeriodSeconds: &grace,
		Tolerations:                   tolerations(config.Template.Tolerations),
		TopologySpreadConstraints:     []corev1.TopologySpreadConstraint{spread(pool)},
		Volumes: []corev1.Volume{{
			Name:         "state",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		}},
		Containers: []corev1.Container{container(pool, config, image)},
	}

	for _, secret := range config.ImagePullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}

	if label := kube.ClusterNetworkLabel(network); label != "" {
		spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{
					MatchExpressions: []corev1.NodeSelectorRequirement{{
						Key: label, Operator: corev1.NodeSelectorOpIn, Values: []string{utils.ValueTrue},
					}},
				}},
			},
		}}
	}

	return spec
}

// spread keeps the agents of one pool on different nodes. Only agents of the
// same template count, so that during an upgrade the new ones find room.
func spread(pool *v1alpha1.IPPool) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{
		MaxSkew:           1,
		TopologyKey:       corev1.LabelHostname,
		WhenUnsatisfiable: corev1.DoNotSchedule,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: kube.AgentLabels(pool)},
		MatchLabelKeys:    []string{appsv1.DefaultDeploymentUniqueLabelKey},
	}
}

// tolerations lets agents run wherever the network is, and leave a dead node
// after half a minute: DHCP must not wait for five.
func tolerations(extra []corev1.Toleration) []corev1.Toleration {
	soon := int64(30)

	return append([]corev1.Toleration{
		{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpExists},
		{Key: "node-role.kubernetes.io/etcd", Operator: corev1.TolerationOpExists},
		{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &soon},
		{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &soon},
	}, extra...)
}

func container(pool *v1alpha1.IPPool, config AgentConfig, image string) corev1.Container {
	no, yes, root := false, true, int64(0)

	return corev1.Container{
		Name:            agentContainer,
		Image:           image,
		ImagePullPolicy: config.ImagePullPolicy,
		Command:         []string{"/agent"},
		Args: []string{
			"--ippool-ref=" + pool.Namespace + "/" + pool.Name,
			"--nic=" + agentInterface,
			"--state-dir=" + agentStateDir,
			fmt.Sprintf("--http-port=%d", agentHTTPPort),
			"--lease-name=" + agentName(pool),
			"--log-level=" + logLevel(config.Template.LogLevel),
		},
		Env: []corev1.EnvVar{
			fieldEnv("POD_NAME", "metadata.name"),
			fieldEnv("POD_UID", "metadata.uid"),
			fieldEnv("POD_NAMESPACE", "metadata.namespace"),
			fieldEnv("NODE_NAME", "spec.nodeName"),
		},
		Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: agentHTTPPort, Protocol: corev1.ProtocolTCP}},
		Resources:      config.Template.Resources,
		ReadinessProbe: probe("/readyz", 2, 2),
		LivenessProbe:  probe("/healthz", 10, 3),
		VolumeMounts:   []corev1.VolumeMount{{Name: "state", MountPath: agentStateDir}},
		SecurityContext: &corev1.SecurityContext{
			// Kubernetes cannot hand added capabilities to another user than
			// root, so the agent is root with this one capability: it opens a
			// packet socket.
			RunAsUser:                &root,
			RunAsGroup:               &root,
			AllowPrivilegeEscalation: &no,
			ReadOnlyRootFilesystem:   &yes,
			Capabilities: &corev1.Capabilities{
				Drop: []corev1.Capability{"ALL"},
				Add:  []corev1.Capability{"NET_RAW"},
			},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

func logLevel(level string) string {
	if level == "" {
		return "info"
	}

	return level
}

func fieldEnv(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}

func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString("http"), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds:    period,
		FailureThreshold: failures,
		TimeoutSeconds:   2,
	}
}
