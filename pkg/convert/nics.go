package convert

import (
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// NetworkConfigs returns the entries of a request, those under the old name
// networkConfig among them: requests that were written while no webhook was
// there to move them count too. The result shares memory with the request and
// must not be changed.
func NetworkConfigs(request *v1alpha1.VirtualMachineNetworkConfig) []v1alpha1.NetworkConfig {
	if len(request.Spec.NetworkConfig) == 0 {
		return request.Spec.NetworkConfigs
	}

	spec := request.Spec.DeepCopy()
	if _, errs := MergeNetworkConfig(spec, request.Namespace); len(errs) > 0 {
		// Two entries for one NIC want different addresses; the one under the
		// right name is the one that counts.
		return request.Spec.NetworkConfigs
	}

	return spec.NetworkConfigs
}
