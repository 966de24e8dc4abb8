package change

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// mostAffected is how many leases a preview lists.
const mostAffected = 1000

// differences returns the fields that differ between two plans, by name. A nil
// plan has none.
func differences(before, after *v1alpha1.IPPoolSpec) []v1.FieldChange {
	was, is := fieldsOf(before), fieldsOf(after)
	names := map[string]struct{}{}

	for name := range was {
		names[name] = struct{}{}
	}

	for name := range is {
		names[name] = struct{}{}
	}

	changes := []v1.FieldChange{}

	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(was[name], is[name]) {
			changes = append(changes, v1.FieldChange{Field: "spec." + name, From: was[name], To: is[name]})
		}
	}

	return changes
}

// fieldsOf returns the fields of a plan by their path. Lists are one value.
func fieldsOf(spec *v1alpha1.IPPoolSpec) map[string]any {
	fields := map[string]any{}

	if spec == nil {
		return fields
	}

	data, err := json.Marshal(spec)
	if err != nil {
		return fields // a plan that came as JSON can be written as JSON
	}

	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return fields
	}

	var walk func(path string, node map[string]any)

	walk = func(path string, node map[string]any) {
		for name, value := range node {
			if inner, ok := value.(map[string]any); ok {
				walk(path+name+".", inner)
			} else {
				fields[path+name] = value
			}
		}
	}
	walk("", tree)

	return fields
}

// effect is what a change of a pool does to one lease.
type effect struct {
	lease  *v1alpha1.IPLease
	effect string
}

// effectsOn returns what the change from before to after does to the leases, in
// their order, and how many more there are than can be listed. A nil before is a
// pool that was not there: leases that are left from an earlier one of its name
// are answered again.
func effectsOn(leases []*v1alpha1.IPLease, before, after *v1alpha1.IPPoolSpec) (effects []effect, left int) {
	general := generalEffects(before, after)
	was, is := planOr(before), planOr(after)

	for _, lease := range leases {
		var texts []string

		if lease.Spec.MACAddress != "" {
			texts = append(texts, general...)
		}

		if text := roleEffect(was, is, ledger.AddressOf(lease)); text != "" {
			texts = append(texts, text)
		}

		switch {
		case len(texts) == 0:
		case len(effects) == mostAffected:
			left++
		default:
			effects = append(effects, effect{lease: lease, effect: strings.Join(texts, "; ")})
		}
	}

	return effects, left
}

// planOr is the plan, or the zero Plan for one that cannot be read.
func planOr(spec *v1alpha1.IPPoolSpec) ipam.Plan {
	if spec == nil {
		return ipam.Plan{}
	}

	plan, _ := convert.PoolPlan(spec)

	return plan
}

// generalEffects are what every guest of the pool learns of the change.
func generalEffects(before, after *v1alpha1.IPPoolSpec) []string {
	var texts []string

	if before == nil {
		return []string{"is answered by the new pool"}
	}

	switch was, is := isPaused(before.Paused), isPaused(after.Paused); {
	case is && !was:
		texts = append(texts, "is not answered while the pool is paused; the guest keeps the address until its lease ends")
	case was && !is:
		texts = append(texts, "is answered again")
	default:
	}

	was, _ := guestOptions(before)
	is, _ := guestOptions(after)

	if changed := changedOptions(was, is); len(changed) > 0 {
		texts = append(texts, "learns at its next renewal: "+strings.Join(changed, ", "))
	}

	if old, now := planOr(before).Server, planOr(after).Server; old.IsValid() && old != now {
		texts = append(texts, fmt.Sprintf("finds the server at %s when its renewal from %s is not answered, at 7/8 of its lease at the latest", now, old))
	}

	return texts
}

// changedOptions names the options that differ, with what they say then.
func changedOptions(was, is []v1.Option) []string {
	old := map[int]string{}
	for _, option := range was {
		old[option.Code] = option.Value
	}

	var texts []string

	for _, option := range is {
		if value, had := old[option.Code]; !had || value != option.Value {
			texts = append(texts, option.Name+" "+option.Value)
		}

		delete(old, option.Code)
	}

	for _, option := range was {
		if _, gone := old[option.Code]; gone {
			texts = append(texts, "no "+option.Name+" any more")
		}
	}

	return texts
}

// roleEffect says what becomes of a held address whose part in the plan changes.
func roleEffect(was, is ipam.Plan, address netip.Addr) string {
	if !address.IsValid() || !was.Prefix.IsValid() || !is.Prefix.IsValid() {
		return ""
	}

	old, now := was.Role(address), is.Role(address)
	if old == now {
		return ""
	}

	switch now {
	case ipam.RoleFree:
		return "its address can be given out again when it is released"
	case ipam.RoleExcluded:
		return "its address is excluded then: it is held as before, and not given out again when it is released"
	case ipam.RoleOutOfRange:
		return "its address is out of the range then: it is held as before, and not given out again when it is released"
	case ipam.RoleServer:
		return "its address is the DHCP server's then, so both would answer for it"
	case ipam.RoleRouter:
		return "its address is the router's then, so both would answer for it"
	default:
		return "its address is no host's on the network then"
	}
}

// sampleMAC is of the guest that a preview is for; nobody has it, because it is of
// the range for documentation (RFC 9542, section 2.1.4).
func sampleMAC() dhcp.MAC { return dhcp.MAC{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01} }

// guestOptions returns what a guest of the pool is told, by the code that the
// agents answer with, and what cannot be told here; never nil.
func guestOptions(spec *v1alpha1.IPPoolSpec) (options []v1.Option, notes []string) {
	options = []v1.Option{}

	network, problems := convert.PoolNetwork(spec, nil)
	for _, one := range problems {
		notes = append(notes, one.Error())
	}

	for _, server := range spec.IPv4Config.NTP {
		if _, err := netip.ParseAddr(server); err != nil {
			notes = append(notes, fmt.Sprintf("the agents look up %s and tell its addresses; it is left out here", server))
		}
	}

	plan := planOr(spec)

	address, err := ipam.Allocate(plan, nil, ipam.Request{})
	if err != nil {
		return options, append(notes, "what a guest is told cannot be shown: "+err.Error())
	}

	snapshot, err := dhcp.NewSnapshot(network, []dhcp.Entry{{MAC: sampleMAC(), Address: address}})
	if err != nil {
		return options, append(notes, "what a guest is told cannot be shown: "+err.Error())
	}

	for _, option := range snapshot.Preview(sampleMAC()) {
		options = append(options, v1.Option{Code: int(option.Code), Name: option.Name, Value: option.Value})
	}

	return options, notes
}
