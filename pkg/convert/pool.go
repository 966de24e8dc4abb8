package convert

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// ValidatePool returns everything that is wrong with a pool by itself: its name,
// the reference to its network, the address plan and the DHCP options. An address
// plan with defaults still to be filled in is judged as CompletePool would fill
// it.
func ValidatePool(pool *v1alpha1.IPPool) field.ErrorList {
	var errs field.ErrorList
	if len(pool.Name) > MaxPoolName {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), pool.Name, fmt.Sprintf(
			"has %d characters, and the names of its leases, <pool>.<address>, would be too long; use %d or fewer", len(pool.Name), MaxPoolName)))
	}
	if _, _, err := NetworkRef(pool.Spec.NetworkName, pool.Namespace); err != nil {
		path := field.NewPath("spec", "networkName")
		if pool.Spec.NetworkName == "" {
			errs = append(errs, field.Required(path, err.Error()))
		} else {
			errs = append(errs, field.Invalid(path, pool.Spec.NetworkName, err.Error()))
		}
	}
	plan, planErrs := PoolPlan(&pool.Spec)
	errs = append(errs, planErrs...)
	return append(errs, readOptions(&pool.Spec.IPv4Config, plan.Prefix).errs...)
}
