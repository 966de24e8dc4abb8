package kube

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
)

// networkConfig is what of a network's CNI configuration decides whether it can
// be served.
type networkConfig struct {
	Type      string            `json:"type"`
	VLAN      int               `json:"vlan"`
	VLANTrunk []json.RawMessage `json:"vlanTrunk"`
	IPAM      map[string]any    `json:"ipam"`
}

// NetworkUnsuitable says why no agent can serve the network, whatever the pool,
// and what to do, or "" if one can. The text is a clause of which the network is
// the subject.
func NetworkUnsuitable(network *nadv1.NetworkAttachmentDefinition) string {
	if reason := NetworkNeverSuitable(network); reason != "" {
		return reason
	}

	config, err := readNetworkConfig(network)

	switch {
	case err != nil:
		return fmt.Sprintf("its spec.config cannot be read (%s); correct it", err)
	case len(config.IPAM) > 0:
		return fmt.Sprintf("its CNI configuration has an IPAM plugin (%v), so KubeVirt answers DHCP in the pod itself; "+
			`write "ipam":{} in spec.config`, config.IPAM["type"])
	case network.Annotations[utils.StorageNetworkAnnotation] == utils.ValueTrue:
		return "it is Harvester's storage network, which has its own addresses; use another network"
	default:
		return ""
	}
}

// NetworkNeverSuitable is NetworkUnsuitable for what a network is, and not for
// what an edit of it can put right: overlays and trunks. Harvester's label
// decides where there is one, and else the CNI configuration; one that cannot be
// read says neither.
func NetworkNeverSuitable(network *nadv1.NetworkAttachmentDefinition) string {
	kind := utils.NetworkType(network.Labels[utils.KeyNetworkType])

	if config, err := readNetworkConfig(network); kind == "" && err == nil {
		switch {
		case config.Type == utils.CNITypeKubeOVN:
			kind = utils.OverlayNetwork
		case len(config.VLANTrunk) > 0:
			kind = utils.L2VlanTrunkNetwork
		}
	}

	switch kind {
	case utils.OverlayNetwork:
		return "it is an overlay network, whose addresses Kube-OVN itself gives out; " +
			"switch on DHCP in its Kube-OVN Subnet (spec.enableDHCP), or use a VLAN network"
	case utils.L2VlanTrunkNetwork:
		return "it is a VLAN trunk, which carries many networks at once, so nobody could tell which one an address is for; " +
			"use a VM network for the one VLAN that needs addresses"
	default:
		return ""
	}
}

// NetworkVLAN returns the VLAN identifier of the network, 0 for none or when it
// cannot be read.
func NetworkVLAN(network *nadv1.NetworkAttachmentDefinition) int {
	if vlan, err := strconv.Atoi(network.Labels[utils.KeyVlanLabel]); err == nil {
		return vlan
	}

	config, err := readNetworkConfig(network)
	if err != nil {
		return 0
	}

	return config.VLAN
}

// readNetworkConfig reads spec.config, which may be empty: Multus then looks for
// a file of the network's name on the node.
func readNetworkConfig(network *nadv1.NetworkAttachmentDefinition) (networkConfig, error) {
	var config networkConfig

	if network.Spec.Config == "" {
		return config, nil
	}

	err := json.Unmarshal([]byte(network.Spec.Config), &config)

	return config, err
}
