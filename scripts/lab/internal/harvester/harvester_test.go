package harvester

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The network tenant-a/net-48 of a real installation, to the letter.
func TestDefinition(t *testing.T) {
	t.Parallel()
	got, err := Network{
		Namespace: "tenant-a", Name: "net-48", ClusterNetwork: "provider", VLAN: 48, Mode: ModeManual,
		CIDR: netip.MustParsePrefix("192.168.48.0/24"), Gateway: netip.MustParseAddr("192.168.48.1"),
	}.Definition()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
		"metadata": map[string]any{
			"namespace": "tenant-a", "name": "net-48",
			"labels": map[string]any{
				"network.harvesterhci.io/type":           "L2VlanNetwork",
				"network.harvesterhci.io/clusternetwork": "provider",
				"network.harvesterhci.io/vlan-id":        "48",
				"network.harvesterhci.io/ready":          "true",
			},
			"annotations": map[string]any{
				"network.harvesterhci.io/route": `{"mode":"manual","serverIPAddr":"","cidr":"192.168.48.0/24","gateway":"192.168.48.1","connectivity":"true"}`,
			},
		},
		"spec": map[string]any{
			"config": `{"cniVersion":"0.3.1","name":"net-48","type":"bridge","bridge":"provider-br","promiscMode":true,"vlan":48,"ipam":{}}`,
		},
	}
	if diff := cmp.Diff(want, got.Object); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
}

func TestDefinitionRefuses(t *testing.T) {
	t.Parallel()
	good := Network{Namespace: "a", Name: "n", ClusterNetwork: "c", VLAN: 1}
	tests := map[string]struct {
		change func(*Network)
		want   string
	}{
		"no cluster network": {func(n *Network) { n.ClusterNetwork = "" }, "clusterNetwork"},
		"no VLAN":            {func(n *Network) { n.VLAN = 0 }, "vlan 0: want 1 to 4094"},
		"VLAN too large":     {func(n *Network) { n.VLAN = 4095 }, "vlan 4095"},
		"untagged with VLAN": {func(n *Network) { n.Type = UntaggedNetwork }, "has none"},
		"manual, no CIDR":    {func(n *Network) { n.Mode = ModeManual }, "cidr"},
		"manual, no gateway": {func(n *Network) { n.Mode, n.CIDR = ModeManual, netip.MustParsePrefix("10.0.0.0/8") }, "gateway"},
	}
	if _, err := good.Definition(); err != nil {
		t.Fatalf("the network the others are made from: %v", err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := good
			tt.change(&n)
			if _, err := n.Definition(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestMergeMACs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, annotation string
		reported         map[string]string
		want             string
		changed, wantErr bool
	}{
		{name: "nothing reported"},
		{name: "first boot", reported: map[string]string{"b": "2", "a": "1"}, want: `{"a":"1","b":"2"}`, changed: true},
		{name: "no news", annotation: `{"b":"2", "a":"1"}`, reported: map[string]string{"a": "1"}, want: `{"b":"2", "a":"1"}`},
		{name: "new NIC", annotation: `{"a":"1"}`, reported: map[string]string{"b": "2"}, want: `{"a":"1","b":"2"}`, changed: true},
		{name: "new MAC", annotation: `{"a":"1"}`, reported: map[string]string{"a": "9"}, want: `{"a":"9"}`, changed: true},
		{name: "null", annotation: `null`, reported: map[string]string{"a": "1"}, want: `{"a":"1"}`, changed: true},
		{name: "no JSON", annotation: `a=1`, reported: map[string]string{"a": "1"}, wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, changed, err := mergeMACs(tt.annotation, tt.reported)
			if got != tt.want || changed != tt.changed || (err != nil) != tt.wantErr {
				t.Errorf("got %q, changed %v, error %v; want %q, %v, error %v", got, changed, err, tt.want, tt.changed, tt.wantErr)
			}
		})
	}
}

func TestReportedMACs(t *testing.T) {
	t.Parallel()
	vmi := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"domain": map[string]any{"devices": map[string]any{"interfaces": []any{
			map[string]any{"name": "nic-0", "macAddress": "02:00:00:00:00:01"}, map[string]any{"name": "nic-1"},
		}}}},
		"status": map[string]any{"interfaces": []any{
			map[string]any{"name": "nic-0", "mac": "02:00:00:00:00:99"},
			map[string]any{"name": "nic-1", "mac": "02:00:00:00:00:02"},
			map[string]any{"mac": "02:00:00:00:00:03", "interfaceName": "docker0"},
		}},
	}}
	want := map[string]string{"nic-0": "02:00:00:00:00:01", "nic-1": "02:00:00:00:00:02"}
	if diff := cmp.Diff(want, reportedMACs(vmi)); diff != "" {
		t.Errorf("MACs (-want +got):\n%s", diff)
	}
}

func TestDefinitionsOfKinds(t *testing.T) {
	t.Parallel()
	objects, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objects {
		names = append(names, o.GetName())
	}
	want := []string{
		"clusternetworks." + group, "network-attachment-definitions.k8s.cni.cncf.io",
		"vlanconfigs." + group, "vlanstatuses." + group,
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
