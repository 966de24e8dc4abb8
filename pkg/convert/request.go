package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Request is what one NIC asks for.
type Request struct {
	// Network is the NetworkAttachmentDefinition.
	Network types.NamespacedName
	// MAC is zero while the NIC has no address of its own yet.
	MAC dhcp.MAC
	// Wanted is invalid when any address will do.
	Wanted netip.Addr
	// Interface is the name in the virtual machine's spec, "" when unknown.
	Interface string
}

// NIC reads one entry of a request. A network without a namespace is in the given
// one, that of the request. Fields with errors are left at their zero value.
func NIC(path *field.Path, c v1alpha1.NetworkConfig, namespace string) (Request, field.ErrorList) {
	var errs field.ErrorList
	r := Request{Interface: c.InterfaceName}
	ns, name, err := NetworkRef(c.NetworkName, namespace)
	switch {
	case err == nil:
		r.Network = types.NamespacedName{Namespace: ns, Name: name}
	case c.NetworkName == "":
		errs = append(errs, field.Required(path.Child("networkName"), err.Error()))
	default:
		errs = append(errs, field.Invalid(path.Child("networkName"), c.NetworkName, err.Error()))
	}
	if r.MAC, err = MAC(c.MACAddress); err != nil {
		errs = append(errs, field.Invalid(path.Child("macAddress"), c.MACAddress, err.Error()))
	}
	wanted, fieldErr := WantedAddress(path.Child("ipAddress"), c.IPAddress)
	if fieldErr != nil {
		errs = append(errs, fieldErr)
	}
	r.Wanted = wanted
	return r, errs
}

// MaxNICs is the largest number of entries of a request.
const MaxNICs = 64

// ValidateVMNetCfg returns everything that is wrong with a request by itself: the
// name of its virtual machine, every entry, and entries that cannot all be had: a
// MAC address or a wanted address twice on one network, an interface twice. One
// MAC address on two networks is allowed; they are different links. Entries under
// the old name networkConfig are judged as MergeNetworkConfig would move them.
func ValidateVMNetCfg(cfg *v1alpha1.VirtualMachineNetworkConfig) field.ErrorList {
	spec := cfg.Spec.DeepCopy()
	_, errs := MergeNetworkConfig(spec, cfg.Namespace)
	if spec.VMName == "" {
		errs = append(errs, field.Required(field.NewPath("spec", "vmName"), "write the name of the virtual machine"))
	} else if len(validation.IsDNS1123Subdomain(spec.VMName)) > 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "vmName"), spec.VMName,
			"cannot be the name of a virtual machine; write its name, in lower-case letters, digits, hyphens and dots"))
	}
	path := field.NewPath("spec", "networkConfigs")
	if n := len(spec.NetworkConfigs); n > MaxNICs {
		errs = append(errs, field.TooMany(path, n, MaxNICs))
	}

	seen := map[string]int{}
	once := func(at *field.Path, i int, value, key, what string) {
		if first, ok := seen[key]; ok {
			duplicate := field.Duplicate(at, value)
			duplicate.Detail = fmt.Sprintf("is %s of networkConfigs[%d] too; give each NIC its own, or remove one of the two", what, first)
			errs = append(errs, duplicate)
			return
		}
		seen[key] = i
	}
	for i, c := range spec.NetworkConfigs {
		at := path.Index(i)
		r, nicErrs := NIC(at, c, cfg.Namespace)
		errs = append(errs, nicErrs...)
		if r.Interface != "" {
			once(at.Child("interfaceName"), i, r.Interface, "interface "+r.Interface, "the interface")
		}
		if r.Network.Name == "" {
			continue
		}
		if !r.MAC.IsZero() {
			once(at.Child("macAddress"), i, c.MACAddress, "mac "+r.Network.String()+" "+r.MAC.String(), "the MAC address on this network")
		}
		if r.Wanted.IsValid() {
			once(at.Child("ipAddress"), i, *c.IPAddress, "ip "+r.Network.String()+" "+r.Wanted.String(), "the wanted address on this network")
		}
	}
	return errs
}

// MergeNetworkConfig moves the entries under the old name networkConfig to
// networkConfigs and returns a warning for the author when there were any. An
// entry for a NIC that networkConfigs has already, which is one with the same MAC
// address on the same network, is dropped; but when the two want different
// addresses nobody can tell which was meant: that is an error, and spec is left as
// it is.
func MergeNetworkConfig(spec *v1alpha1.VirtualMachineNetworkConfigSpec, namespace string) (warnings []string, errs field.ErrorList) {
	if len(spec.NetworkConfig) == 0 {
		return nil, nil
	}
	merged := slices.Clone(spec.NetworkConfigs)
	path := field.NewPath("spec", "networkConfig")
	for i, c := range spec.NetworkConfig {
		// What cannot be read matches nothing and is reported once it is moved.
		r, _ := NIC(path.Index(i), c, namespace)
		same := slices.IndexFunc(spec.NetworkConfigs, func(other v1alpha1.NetworkConfig) bool {
			o, _ := NIC(path, other, namespace)
			return r.Network.Name != "" && !r.MAC.IsZero() && r.Network == o.Network && r.MAC == o.MAC
		})
		if same < 0 {
			merged = append(merged, c)
			continue
		}
		kept, _ := NIC(path, spec.NetworkConfigs[same], namespace)
		switch {
		case !r.Wanted.IsValid() || r.Wanted == kept.Wanted:
		case !kept.Wanted.IsValid():
			merged[same].IPAddress = c.IPAddress
		default:
			errs = append(errs, field.Invalid(path.Index(i).Child("ipAddress"), r.Wanted.String(), fmt.Sprintf(
				"networkConfigs[%d] wants %s for the same NIC; write all NICs under networkConfigs only", same, kept.Wanted)))
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	spec.NetworkConfigs, spec.NetworkConfig = merged, nil
	return []string{"spec.networkConfig is an old name and was moved to spec.networkConfigs; write networkConfigs"}, nil
}

// MACAnnotation reads the annotation harvesterhci.io/mac-address, a JSON object
// of interface names and MAC addresses, in which Harvester keeps what a virtual
// machine had at its first boot. Entries that cannot be read are left out and
// named in the error; the others are good. An empty text holds none.
func MACAnnotation(text string) (map[string]dhcp.MAC, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var raw map[string]string
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("annotation %s is not a JSON object of interface names and MAC addresses (%w); "+
			`write it like {"default":"52:54:00:12:34:56"}, or remove it`, v1alpha1.AnnotationMACAddress, err)
	}
	macs := make(map[string]dhcp.MAC, len(raw))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		m, err := MAC(raw[name])
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("annotation %s, interface %q: %q %w", v1alpha1.AnnotationMACAddress, name, raw[name], err))
		case !m.IsZero():
			macs[name] = m
		}
	}
	return macs, errors.Join(errs...)
}
