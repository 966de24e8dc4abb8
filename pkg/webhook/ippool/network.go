package ippool

import (
	"encoding/json"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
)

// Harvester's label with the type of a VM network, and the types that cannot
// have managed DHCP (harvester/network-controller-harvester, pkg/utils).
const (
	labelType   = "network.harvesterhci.io/type"
	typeOverlay = "OverlayNetwork"
	typeTrunk   = "L2VlanTrunkNetwork"

	cniKubeOVN = "kube-ovn"
)

// unfitness says why no pool can serve the network and what to do, or is "".
// The label decides where there is one, and else the CNI configuration. One
// that cannot be read is not ours to judge.
func unfitness(network *nadv1.NetworkAttachmentDefinition) string {
	var configuration struct {
		Type      string            `json:"type"`
		VLANTrunk []json.RawMessage `json:"vlanTrunk"`
	}

	kind := network.Labels[labelType]

	if kind == "" && json.Unmarshal([]byte(network.Spec.Config), &configuration) == nil {
		switch {
		case configuration.Type == cniKubeOVN:
			kind = typeOverlay
		case len(configuration.VLANTrunk) > 0:
			kind = typeTrunk
		}
	}

	switch kind {
	case typeOverlay:
		return "is an overlay network, whose addresses kube-ovn itself gives out; configure DHCP on its kube-ovn Subnet, or use a VLAN network"
	case typeTrunk:
		return "is a VLAN trunk, which carries many networks at once, so nobody could tell which one an address is for; " +
			"use a VM network for the one VLAN that needs addresses"
	default:
		return ""
	}
}
