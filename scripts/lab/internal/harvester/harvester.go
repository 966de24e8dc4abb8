// Package harvester plays Harvester's part on a lab cluster, where there is no
// Harvester: it installs the kinds of Harvester's networks, labels nodes and VM
// networks, and writes into virtual machines what Harvester writes. Nothing
// here belongs to the product under test, which meets it as it would meet the
// real thing.
package harvester

//go:generate sh -c "cd ../../modules/harvester && go run . ../../internal/harvester/crds"

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// group is the API group of Harvester's networks and the prefix of its keys.
const group = "network.harvesterhci.io"

// Keys of labels and annotations, from harvester-network-controller v1.7.1,
// pkg/utils/labels.go.
const (
	TypeLabel           = group + "/type"
	ClusterNetworkLabel = group + "/clusternetwork"
	VLANLabel           = group + "/vlan-id"
	ReadyLabel          = group + "/ready"
	RouteAnnotation     = group + "/route"
)

// MACAnnotation is where Harvester keeps the MACs of a VM's NICs, as a JSON
// object from NIC name to MAC, since v1.6 (harvester issue 9212).
const MACAnnotation = "harvesterhci.io/mac-address"

//go:embed crds
var crds embed.FS

// Harvester plays Harvester's part on one cluster. It may be used concurrently.
type Harvester struct {
	clients *kube.Clients
}

// New returns a Harvester that has not done anything yet.
func New(clients *kube.Clients) *Harvester { return &Harvester{clients: clients} }

// Install installs the kinds NetworkAttachmentDefinition, ClusterNetwork,
// VlanConfig and VlanStatus, as generated from their owners' Go types. A second
// time changes nothing.
func (h *Harvester) Install(ctx context.Context) error {
	objects, err := definitions()
	if err != nil {
		return fmt.Errorf("install Harvester's kinds: %w", err)
	}
	if err := h.clients.Apply(ctx, objects...); err != nil {
		return fmt.Errorf("install Harvester's kinds: %w", err)
	}
	return nil
}

func definitions() ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	names, err := fs.Glob(crds, "crds/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := crds.ReadFile(name)
		if err != nil {
			return nil, err
		}
		o, err := kube.Decode(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, o...)
	}
	return objects, nil
}

// AddClusterNetwork makes a cluster network known on the nodes that carry it,
// and only there: its ClusterNetwork, a VlanConfig that selects the nodes, a
// VlanStatus for each, and the nodes' label. Called again with other nodes it
// adds and removes labels and statuses to match.
func (h *Harvester) AddClusterNetwork(ctx context.Context, name string, nodes []string) error {
	label := NodeLabel(name)
	all, err := h.clients.Core.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cluster network %s: list nodes: %w", name, err)
	}
	carries := map[string]bool{}
	for _, n := range nodes {
		carries[n] = true
	}
	for _, n := range all.Items {
		want := carries[n.Name]
		delete(carries, n.Name)
		if (n.Labels[label] == "true") == want {
			continue
		}
		value := any(nil) // removes the label
		if want {
			value = "true"
		}
		if err := h.labelNode(ctx, n.Name, label, value); err != nil {
			return fmt.Errorf("cluster network %s: label node %s: %w", name, n.Name, err)
		}
	}
	for n := range carries {
		return fmt.Errorf("cluster network %s: the cluster has no node %q", name, n)
	}
	if err := h.clients.Apply(ctx, clusterNetwork(name, nodes)...); err != nil {
		return fmt.Errorf("cluster network %s: %w", name, err)
	}
	return h.pruneStatuses(ctx, name, nodes)
}

func (h *Harvester) labelNode(ctx context.Context, node, label string, value any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{label: value}}})
	if err != nil {
		return err
	}
	_, err = h.clients.Core.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// pruneStatuses removes the VlanStatus of nodes that no longer carry the
// cluster network.
func (h *Harvester) pruneStatuses(ctx context.Context, name string, nodes []string) error {
	statuses := h.clients.Dynamic.Resource(schema.GroupVersionResource{Group: group, Version: "v1beta1", Resource: "vlanstatuses"})
	list, err := statuses.List(ctx, metav1.ListOptions{LabelSelector: ClusterNetworkLabel + "=" + name})
	if err != nil {
		return fmt.Errorf("cluster network %s: list VlanStatus: %w", name, err)
	}
	keep := map[string]bool{}
	for _, n := range nodes {
		keep[statusName(name, n)] = true
	}
	for _, s := range list.Items {
		if keep[s.GetName()] {
			continue
		}
		if err := statuses.Delete(ctx, s.GetName(), metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("cluster network %s: delete VlanStatus %s: %w", name, s.GetName(), err)
		}
	}
	return nil
}

// NodeLabel is the label that nodes which carry a cluster network have, with
// the value "true".
func NodeLabel(clusterNetwork string) string { return group + "/" + clusterNetwork }

func statusName(clusterNetwork, node string) string { return clusterNetwork + "-" + node }

// clusterNetwork returns the objects that describe a cluster network.
func clusterNetwork(name string, nodes []string) []*unstructured.Unstructured {
	ready := []any{map[string]any{"type": "ready", "status": "True"}}
	object := func(kind, objectName string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": group + "/v1beta1", "kind": kind}}
		o.SetName(objectName)
		o.SetLabels(map[string]string{ClusterNetworkLabel: name})
		return o
	}
	network := object("ClusterNetwork", name)
	network.SetLabels(nil)
	network.Object["status"] = map[string]any{"conditions": ready}
	config := object("VlanConfig", name)
	config.Object["spec"] = map[string]any{
		"clusterNetwork": name,
		"description":    "made by the lab, which plays Harvester's part",
		"nodeSelector":   map[string]any{NodeLabel(name): "true"},
		"uplink":         map[string]any{"nics": []any{"eth1"}},
	}
	objects := []*unstructured.Unstructured{network, config}
	for _, n := range nodes {
		status := object("VlanStatus", statusName(name, n))
		status.Object["status"] = map[string]any{
			"clusterNetwork": name, "vlanConfig": name, "linkMonitor": name, "node": n, "conditions": ready,
		}
		objects = append(objects, status)
	}
	return objects
}
