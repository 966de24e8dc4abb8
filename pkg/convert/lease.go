package convert

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Held is what a lease says: an address, and the NIC that is answered with it.
type Held struct {
	Address netip.Addr
	// MAC is zero when the address is held and answered to nobody.
	MAC dhcp.MAC
}

// Lease reads a lease and returns everything that is wrong with it by itself: an
// address or MAC address that cannot be read or is not in its one spelling, and a
// name that is not <pool>.<address>. Whatever can be read is returned also with
// errors: an address stays held by a lease whose MAC address is a mistake.
func Lease(lease *v1alpha1.IPLease) (Held, field.ErrorList) {
	var errs field.ErrorList
	var held Held
	var err error
	path := field.NewPath("spec")
	if held.Address, err = Address(lease.Spec.Address); err != nil {
		errs = append(errs, field.Invalid(path.Child("address"), lease.Spec.Address, err.Error()))
	} else if held.Address.String() != lease.Spec.Address {
		errs = append(errs, field.Invalid(path.Child("address"), lease.Spec.Address, "is not in canonical spelling; write "+held.Address.String()))
	}
	if held.MAC, err = MAC(lease.Spec.MACAddress); err != nil {
		errs = append(errs, field.Invalid(path.Child("macAddress"), lease.Spec.MACAddress, err.Error()))
	}
	if lease.Spec.PoolName == "" {
		errs = append(errs, field.Required(path.Child("poolName"), "write the name of the pool"))
	} else if held.Address.IsValid() {
		if want := LeaseName(lease.Spec.PoolName, held.Address); lease.Name != want {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), lease.Name, "does not say what is leased; name it "+want))
		}
	}
	return held, errs
}
