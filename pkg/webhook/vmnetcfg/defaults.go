package vmnetcfg

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// Complete gives everything its one spelling: entries under the old name
// networkConfig move to networkConfigs, networks are named with their namespace,
// MAC addresses are written in lower case with colons, wanted addresses in their
// canonical form. What cannot be read is left as it is, for Validate to say so.
// It is a review.Defaults.
func (w World) Complete(_ context.Context, request review.Request[v1alpha1.VirtualMachineNetworkConfig]) (review.Changes, error) {
	var changes review.Changes

	config := request.Object
	if !config.DeletionTimestamp.IsZero() {
		return changes, nil
	}

	given := config.Spec.DeepCopy()
	spec := config.Spec.DeepCopy()

	warnings, problems := convert.MergeNetworkConfig(spec, config.Namespace)
	if len(problems) > 0 {
		return changes, nil
	}

	changes.Warnings = warnings

	for i := range spec.NetworkConfigs {
		respell(&spec.NetworkConfigs[i], config.Namespace)
	}

	if !equality.Semantic.DeepEqual(given.NetworkConfigs, spec.NetworkConfigs) {
		changes.Set(spec.NetworkConfigs, "spec", "networkConfigs")
	}

	if len(given.NetworkConfig) > 0 {
		changes.Set(nil, "spec", "networkConfig")
	}

	return changes, nil
}

// respell writes what can be read of an entry in its one spelling.
func respell(entry *v1alpha1.NetworkConfig, namespace string) {
	nic, _ := convert.NIC(nicsPath(), *entry, namespace)

	if nic.Network.Name != "" {
		entry.NetworkName = nic.Network.String()
	}

	if !nic.MAC.IsZero() {
		entry.MACAddress = nic.MAC.String()
	}

	if nic.Wanted.IsValid() {
		wanted := nic.Wanted.String()
		entry.IPAddress = &wanted
	}
}
