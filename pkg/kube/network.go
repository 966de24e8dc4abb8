package kube

import (
	"encoding/json"
	"fmt"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
)

// NetworkUnsuitable says why no agent can serve the network, whatever the pool, or ""
// if one can.
func NetworkUnsuitable(network *nadv1.NetworkAttachmentDefinition) string {
	var cni struct {
		Type string         `json:"type"`
		IPAM map[string]any `json:"ipam"`
	}

	if network.Spec.Config != "" {
		if err := json.Unmarshal([]byte(network.Spec.Config), &cni); err != nil {
			return fmt.Sprintf("spec.config of the network is not JSON (%s); correct it", err)
		}
	}

	kind := utils.NetworkType(network.Labels[utils.KeyNetworkType])

	switch {
	case kind == utils.OverlayNetwork || cni.Type == utils.CNITypeKubeOVN:
		return "it is an overlay network of Kube-OVN, which gives out its own addresses; " +
			"switch on DHCP in its Subnet (spec.enableDHCP) instead"
	case kind == utils.L2VlanTrunkNetwork:
		return "it is a trunk of many VLANs, and one pool has one; create a network for the VLAN and use that"
	case len(cni.IPAM) > 0:
		return fmt.Sprintf("its CNI configuration has an IPAM plugin (%v), so KubeVirt answers DHCP in the pod itself; "+
			`write "ipam":{} in spec.config`, cni.IPAM["type"])
	case network.Annotations[utils.StorageNetworkAnnotation] == utils.ValueTrue:
		return "it is Harvester's storage network, which has its own addresses"
	default:
		return ""
	}
}
