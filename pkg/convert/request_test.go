package convert

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

const macA, macB = "52:54:00:00:00:0a", "52:54:00:00:00:0b"

func request(nics ...v1alpha1.NetworkConfig) *v1alpha1.VirtualMachineNetworkConfig {
	return &v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "vm1"},
		Spec:       v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "vm1", NetworkConfigs: nics},
	}
}

func nic(network, mac, ip, name string) v1alpha1.NetworkConfig {
	c := v1alpha1.NetworkConfig{NetworkName: network, MACAddress: mac, InterfaceName: name}
	if ip != "" {
		c.IPAddress = &ip
	}
	return c
}

func TestNIC(t *testing.T) {
	t.Parallel()
	path := field.NewPath("spec", "networkConfigs").Index(0)
	got, errs := NIC(path, nic("net-48", "52-54-00-00-00-0A", "::ffff:192.168.48.81", "default"), "vms")
	want := Request{
		Network: types.NamespacedName{Namespace: "vms", Name: "net-48"}, MAC: dhcp.MAC{0x52, 0x54, 0, 0, 0, 0x0a},
		Wanted: netip.MustParseAddr("192.168.48.81"), Interface: "default",
	}
	if len(errs) > 0 || cmp.Diff(want, got, cmpAddrs) != "" {
		t.Errorf("errors %v, request (-want +got):\n%s", errs, cmp.Diff(want, got, cmpAddrs))
	}
	got, errs = NIC(path, nic("a/b/c", "nonsense", "fd00:::1", "default"), "vms")
	if diff := cmp.Diff([]string{"spec.networkConfigs[0].networkName", "spec.networkConfigs[0].macAddress", "spec.networkConfigs[0].ipAddress"}, fields(errs)); diff != "" {
		t.Errorf("fields with errors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Request{Interface: "default"}, got, cmpAddrs); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestValidateVMNetCfg(t *testing.T) {
	t.Parallel()
	many := make([]v1alpha1.NetworkConfig, MaxNICs+1)
	for i := range many {
		many[i] = nic("net-48", "", "", "")
	}
	tests := []struct {
		name string
		cfg  *v1alpha1.VirtualMachineNetworkConfig
		want []string
		says string
	}{
		{"no NIC", request(), nil, ""},
		{"one NIC", request(nic("net-48", macA, "192.168.48.81", "default")), nil, ""},
		{"NIC without MAC address", request(nic("net-48", "", "", "default")), nil, ""},
		{"two without MAC address", request(nic("net-48", "", "", "a"), nic("net-48", "", "", "b")), nil, ""},
		{"MAC address on two networks", request(nic("net-48", macA, "", "a"), nic("net-49", macA, "", "b")), nil, ""},
		{"wanted address on two networks", request(nic("net-48", macA, "10.0.0.1", "a"), nic("net-49", macB, "10.0.0.1", "b")), nil, ""},
		{"two NICs without interface", request(nic("net-48", macA, "", ""), nic("net-48", macB, "", "")), nil, ""},
		{"no network", request(nic("", macA, "", "")), []string{"spec.networkConfigs[0].networkName"}, "Required value"},
		{"bad network", request(nic("net 48", macA, "", "")), []string{"spec.networkConfigs[0].networkName"}, `"net 48"`},
		{"bad MAC address", request(nic("net-48", "52:54:00", "", "")), []string{"spec.networkConfigs[0].macAddress"}, "52:54:00:12:34:56"},
		{"group MAC address", request(nic("net-48", "01:00:5e:00:00:01", "", "")), []string{"spec.networkConfigs[0].macAddress"}, "group"},
		{"bad address", request(nic("net-48", macA, "192.168.48.300", "")), []string{"spec.networkConfigs[0].ipAddress"}, "not an IP address"},
		{"MAC address twice", request(nic("net-48", macA, "", "a"), nic("net-48", macA, "", "b")), []string{"spec.networkConfigs[1].macAddress"}, "networkConfigs[0] too; give each NIC its own"},
		{"MAC address twice in other spellings", request(nic("net-48", "52-54-00-00-00-0A", "", "a"), nic("vms/net-48", macA, "", "b")), []string{"spec.networkConfigs[1].macAddress"}, ""},
		{"wanted address twice in other spellings", request(nic("net-48", macA, "::ffff:10.0.0.1", "a"), nic("vms/net-48", macB, "10.0.0.1", "b")), []string{"spec.networkConfigs[1].ipAddress"}, ""},
		{"interface twice", request(nic("net-48", macA, "", "a"), nic("net-49", macB, "", "a")), []string{"spec.networkConfigs[1].interfaceName"}, ""},
		{"too many", request(many...), []string{"spec.networkConfigs"}, "at most 64"},
		{"no virtual machine", func() *v1alpha1.VirtualMachineNetworkConfig { c := request(); c.Spec.VMName = ""; return c }(), []string{"spec.vmName"}, "Required"},
		{"bad virtual machine", func() *v1alpha1.VirtualMachineNetworkConfig { c := request(); c.Spec.VMName = "VM 1"; return c }(), []string{"spec.vmName"}, "cannot be the name"},
		{"old name", func() *v1alpha1.VirtualMachineNetworkConfig {
			c := request(nic("net-48", macA, "", "a"))
			c.Spec.NetworkConfig = []v1alpha1.NetworkConfig{nic("net-48", "x", "", "")}
			return c
		}(), []string{"spec.networkConfigs[1].macAddress"}, ""},
		{"old name that contradicts", func() *v1alpha1.VirtualMachineNetworkConfig {
			c := request(nic("net-48", macA, "10.0.0.1", "a"))
			c.Spec.NetworkConfig = []v1alpha1.NetworkConfig{nic("net-48", macA, "10.0.0.2", "")}
			return c
		}(), []string{"spec.networkConfig[0].ipAddress"}, "networkConfigs[0] wants 10.0.0.1"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			before := tc.cfg.DeepCopy()
			errs := ValidateVMNetCfg(tc.cfg)
			if diff := cmp.Diff(tc.want, fields(errs)); diff != "" {
				t.Fatalf("fields with errors (-want +got):\n%s\n%v", diff, errs)
			}
			if tc.says != "" && !strings.Contains(errs[0].Error(), tc.says) {
				t.Errorf("%q does not say %q", errs[0], tc.says)
			}
			if diff := cmp.Diff(before, tc.cfg); diff != "" {
				t.Errorf("the request was changed:\n%s", diff)
			}
		})
	}
}

func TestMergeNetworkConfig(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		now, old, want  []v1alpha1.NetworkConfig
		warnings, fails bool
	}{
		{name: "nothing under the old name", now: []v1alpha1.NetworkConfig{nic("n", macA, "", "")}, want: []v1alpha1.NetworkConfig{nic("n", macA, "", "")}},
		{name: "only the old name", old: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "")}, want: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "")}, warnings: true},
		{
			name: "other NICs", now: []v1alpha1.NetworkConfig{nic("n", macA, "", "")}, old: []v1alpha1.NetworkConfig{nic("n", macB, "", "")},
			want: []v1alpha1.NetworkConfig{nic("n", macA, "", ""), nic("n", macB, "", "")}, warnings: true,
		},
		{
			name: "the same NIC in another spelling", now: []v1alpha1.NetworkConfig{nic("vms/n", macA, "10.0.0.1", "a")},
			old:  []v1alpha1.NetworkConfig{nic("n", strings.ToUpper(macA), "::ffff:10.0.0.1", "")},
			want: []v1alpha1.NetworkConfig{nic("vms/n", macA, "10.0.0.1", "a")}, warnings: true,
		},
		{
			name: "the old name wants the address", now: []v1alpha1.NetworkConfig{nic("n", macA, "", "a")}, old: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "")},
			want: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "a")}, warnings: true,
		},
		{
			name: "the old name wants none", now: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "a")}, old: []v1alpha1.NetworkConfig{nic("n", macA, "", "")},
			want: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "a")}, warnings: true,
		},
		{
			name: "NICs without MAC address are not told apart", now: []v1alpha1.NetworkConfig{nic("n", "", "", "")}, old: []v1alpha1.NetworkConfig{nic("n", "", "", "")},
			want: []v1alpha1.NetworkConfig{nic("n", "", "", ""), nic("n", "", "", "")}, warnings: true,
		},
		{
			name: "contradiction", now: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "")}, old: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.2", "")},
			want: []v1alpha1.NetworkConfig{nic("n", macA, "10.0.0.1", "")}, fails: true,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			spec := v1alpha1.VirtualMachineNetworkConfigSpec{NetworkConfigs: tc.now, NetworkConfig: tc.old}
			shared := spec.DeepCopy()
			warnings, errs := MergeNetworkConfig(&spec, "vms")
			if (len(warnings) > 0) != tc.warnings || (len(errs) > 0) != tc.fails {
				t.Errorf("warnings %v, errors %v", warnings, errs)
			}
			if diff := cmp.Diff(tc.want, spec.NetworkConfigs); diff != "" {
				t.Errorf("networkConfigs (-want +got):\n%s", diff)
			}
			if !tc.fails && len(spec.NetworkConfig) > 0 {
				t.Errorf("networkConfig still has %v", spec.NetworkConfig)
			}
			if diff := cmp.Diff(shared.NetworkConfigs, tc.now); diff != "" {
				t.Errorf("the slice of another holder was written to:\n%s", diff)
			}
			if again, errs := MergeNetworkConfig(&spec, "vms"); !tc.fails && (len(again) > 0 || len(errs) > 0) {
				t.Errorf("a second time: %v, %v", again, errs)
			}
		})
	}
}

func TestMACAnnotation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       map[string]dhcp.MAC
		err        string
	}{
		{name: "none"},
		{name: "blank", text: " \n"},
		{name: "empty object", text: "{}", want: map[string]dhcp.MAC{}},
		{name: "null", text: "null", want: map[string]dhcp.MAC{}},
		{name: "two", text: `{"default":"52:54:00:00:00:0A","nic-1":"52-54-00-00-00-0b","nic-2":""}`, want: map[string]dhcp.MAC{"default": {0x52, 0x54, 0, 0, 0, 0x0a}, "nic-1": {0x52, 0x54, 0, 0, 0, 0x0b}}},
		{name: "one bad", text: `{"default":"52:54:00:00:00:0a","nic-1":"x"}`, want: map[string]dhcp.MAC{"default": {0x52, 0x54, 0, 0, 0, 0x0a}}, err: `interface "nic-1": "x" is not a MAC address`},
		{name: "cut off", text: `{"default":`, err: "is not a JSON object"},
		{name: "a list", text: `["52:54:00:00:00:0a"]`, err: "is not a JSON object"},
		{name: "numbers", text: `{"default":5}`, err: "is not a JSON object"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := MACAnnotation(tc.text)
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzMACAnnotation(f *testing.F) {
	f.Add(`{"default":"52:54:00:00:00:0a"}`)
	f.Add(`{"a":"x","a":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		macs, err := MACAnnotation(text)
		for name, m := range macs {
			if m.IsZero() || m.IsGroup() {
				t.Fatalf("interface %q has %s (%v)", name, m, err)
			}
		}
	})
}

func TestLease(t *testing.T) {
	t.Parallel()
	lease := func(name, pool, address, mac string) *v1alpha1.IPLease {
		return &v1alpha1.IPLease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.IPLeaseSpec{PoolName: pool, Address: address, MACAddress: mac}}
	}
	tests := []struct {
		name  string
		lease *v1alpha1.IPLease
		addr  string
		want  []string
	}{
		{"sound", lease("p.10.0.0.1", "p", "10.0.0.1", macA), "10.0.0.1", nil},
		{"without MAC address", lease("p.10.0.0.1", "p", "10.0.0.1", ""), "10.0.0.1", nil},
		{"another spelling of the MAC address", lease("p.10.0.0.1", "p", "10.0.0.1", "525400-00000A"), "10.0.0.1", []string{"spec.macAddress"}},
		{"another spelling of the address", lease("p.10.0.0.1", "p", "::ffff:10.0.0.1", ""), "10.0.0.1", []string{"spec.address"}},
		{"bad address", lease("p.x", "p", "x", macA), "", []string{"spec.address"}},
		{"bad MAC address", lease("p.10.0.0.1", "p", "10.0.0.1", "x"), "10.0.0.1", []string{"spec.macAddress"}},
		{"another name", lease("p.10.0.0.2", "p", "10.0.0.1", macA), "10.0.0.1", []string{"metadata.name"}},
		{"another pool", lease("q.10.0.0.1", "p", "10.0.0.1", macA), "10.0.0.1", []string{"metadata.name"}},
		{"no pool", lease(".10.0.0.1", "", "10.0.0.1", macA), "10.0.0.1", []string{"spec.poolName"}},
		{"nothing", lease("", "", "", ""), "", []string{"spec.address", "spec.poolName"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			held, errs := Lease(tc.lease)
			if diff := cmp.Diff(tc.want, fields(errs)); diff != "" {
				t.Errorf("fields with errors (-want +got):\n%s\n%v", diff, errs)
			}
			if held.Address.IsValid() != (tc.addr != "") || held.Address.IsValid() && held.Address.String() != tc.addr {
				t.Errorf("address %s, want %s", held.Address, tc.addr)
			}
		})
	}
}
