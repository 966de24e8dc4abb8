package harvester

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// NetworkType is a kind of VM network, from harvester-network-controller
// v1.7.1, pkg/utils/nad.go.
type NetworkType string

// The types of VM networks.
const (
	VLANNetwork     NetworkType = "L2VlanNetwork"
	UntaggedNetwork NetworkType = "UntaggedNetwork"
	TrunkNetwork    NetworkType = "L2VlanTrunkNetwork"
	OverlayNetwork  NetworkType = "OverlayNetwork"
)

// Mode says how Harvester knows a VM network's addresses.
type Mode string

// The modes of the route annotation.
const (
	ModeManual Mode = "manual" // somebody typed CIDR and gateway
	ModeAuto   Mode = "auto"   // Harvester asks a DHCP server that serves the network
	ModeNone   Mode = ""       // no route annotation
)

// maxVLAN is the last VLAN of IEEE 802.1Q that may be used.
const maxVLAN = 4094

// Network is a VM network as a user of Harvester makes one.
type Network struct {
	Namespace      string
	Name           string
	ClusterNetwork string
	Type           NetworkType // empty means VLANNetwork
	VLAN           int         // for VLANNetwork, 1 to 4094
	Mode           Mode
	CIDR           netip.Prefix // for ModeManual
	Gateway        netip.Addr   // for ModeManual
	Server         netip.Addr   // the DHCP server to ask in ModeAuto; may be invalid
	NotReady       bool
	Labels         map[string]string // more of them
	Annotations    map[string]string // more of them
}

// route is the annotation's value, in the order and with the empty field that
// Harvester's dashboard writes.
type route struct {
	Mode         Mode   `json:"mode"`
	ServerIPAddr string `json:"serverIPAddr"`
	CIDR         string `json:"cidr"`
	Gateway      string `json:"gateway"`
	Connectivity string `json:"connectivity,omitempty"`
}

// bridgeConfig is the CNI configuration of a VM network, in the order in which
// Harvester writes it.
type bridgeConfig struct {
	CNIVersion  string   `json:"cniVersion"`
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Bridge      string   `json:"bridge"`
	PromiscMode bool     `json:"promiscMode"`
	VLAN        int      `json:"vlan,omitempty"`
	IPAM        struct{} `json:"ipam"`
}

// Definition returns the NetworkAttachmentDefinition that a VM network is, or
// an error that names the field at fault. Overlay networks get the labels of
// theirs, which is what others look at, on a bridge that carries nothing.
func (n Network) Definition() (*unstructured.Unstructured, error) {
	if err := n.validate(); err != nil {
		return nil, fmt.Errorf("VM network %s/%s: %w", n.Namespace, n.Name, err)
	}
	labels := map[string]string{
		TypeLabel:           string(n.kind()),
		ClusterNetworkLabel: n.ClusterNetwork,
		ReadyLabel:          strconv.FormatBool(!n.NotReady),
	}
	if n.kind() == VLANNetwork {
		labels[VLANLabel] = strconv.Itoa(n.VLAN)
	}
	for k, v := range n.Labels {
		labels[k] = v
	}
	annotations := map[string]string{}
	if n.Mode != ModeNone {
		value, err := json.Marshal(n.route())
		if err != nil {
			return nil, err
		}
		annotations[RouteAnnotation] = string(value)
	}
	for k, v := range n.Annotations {
		annotations[k] = v
	}
	config, err := json.Marshal(bridgeConfig{
		CNIVersion: "0.3.1", Name: n.Name, Type: "bridge",
		Bridge: n.ClusterNetwork + "-br", PromiscMode: true, VLAN: n.VLAN,
	})
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
		"spec": map[string]any{"config": string(config)},
	}}
	o.SetNamespace(n.Namespace)
	o.SetName(n.Name)
	o.SetLabels(labels)
	o.SetAnnotations(annotations)
	return o, nil
}

func (n Network) kind() NetworkType {
	if n.Type == "" {
		return VLANNetwork
	}
	return n.Type
}

func (n Network) route() route {
	r := route{Mode: n.Mode}
	if n.Server.IsValid() {
		r.ServerIPAddr = n.Server.String()
	}
	if n.CIDR.IsValid() {
		r.CIDR = n.CIDR.String()
	}
	if n.Gateway.IsValid() {
		r.Gateway = n.Gateway.String()
		r.Connectivity = "true"
	}
	return r
}

func (n Network) validate() error {
	switch {
	case n.Namespace == "" || n.Name == "":
		return fmt.Errorf("namespace or name is empty: give both")
	case n.ClusterNetwork == "":
		return fmt.Errorf("clusterNetwork is empty: name the cluster network that carries it")
	case n.kind() == VLANNetwork && (n.VLAN < 1 || n.VLAN > maxVLAN):
		return fmt.Errorf("vlan %d: want 1 to %d", n.VLAN, maxVLAN)
	case n.kind() != VLANNetwork && n.VLAN != 0:
		return fmt.Errorf("vlan %d: a network of type %s has none", n.VLAN, n.kind())
	case n.Mode == ModeManual && !n.CIDR.IsValid():
		return fmt.Errorf("cidr is missing: mode manual wants it")
	case n.Mode == ModeManual && !n.Gateway.IsValid():
		return fmt.Errorf("gateway is missing: mode manual wants it")
	}
	return nil
}

// AddNetwork creates the VM network or brings it to what is given.
func (h *Harvester) AddNetwork(ctx context.Context, n Network) error {
	o, err := n.Definition()
	if err != nil {
		return err
	}
	return h.clients.Apply(ctx, o)
}
