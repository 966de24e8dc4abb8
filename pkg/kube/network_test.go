package kube_test

import (
	"strings"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/kube"
)

func TestNetworkUnsuitable(t *testing.T) {
	t.Parallel()

	const (
		vlan    = "L2VlanNetwork"
		overlay = "OverlayNetwork"
		trunk   = "L2VlanTrunkNetwork"
	)

	tests := map[string]struct {
		label       string
		annotations map[string]string
		config      string
		// want are words of the reason in order, split by "|"; "" is suitable.
		want string
		// never is for what no edit of the network can put right.
		never bool
	}{
		"VLAN":                    {label: vlan, config: `{"type":"bridge","vlan":48,"ipam":{}}`},
		"untagged":                {label: "UntaggedNetwork", config: `{"type":"bridge","ipam":{}}`},
		"macvlan":                 {config: `{"type":"macvlan"}`},
		"no configuration":        {},
		"IPAM is null":            {config: `{"type":"bridge","ipam":null}`},
		"overlay":                 {label: overlay, config: `{"type":"kube-ovn"}`, want: "overlay network|Kube-OVN Subnet", never: true},
		"overlay without a label": {config: `{"cniVersion":"0.3.1","type":"kube-ovn"}`, want: "overlay network|or use a VLAN", never: true},
		"overlay that is unread":  {label: overlay, config: `{`, want: "overlay network", never: true},
		"trunk":                   {label: trunk, config: `{"type":"bridge"}`, want: "VLAN trunk|the one VLAN", never: true},
		"trunk without a label":   {config: `{"type":"bridge","vlan":0,"vlanTrunk":[{"minID":300,"maxID":320}]}`, want: "VLAN trunk", never: true},
		"trunk of nothing":        {config: `{"type":"bridge","vlan":48,"vlanTrunk":[]}`},
		"label before type":       {label: vlan, config: `{"type":"kube-ovn"}`},
		"label before trunk":      {label: vlan, config: `{"type":"bridge","vlanTrunk":[{"minID":1,"maxID":2}]}`},
		"IPAM":                    {label: vlan, config: `{"type":"bridge","ipam":{"type":"whereabouts"}}`, want: `(whereabouts)|write "ipam":{}`},
		"configuration unread":    {label: vlan, config: `{"type":`, want: "its spec.config cannot be read|correct it"},
		"IPAM of another type":    {config: `{"type":"bridge","ipam":"dhcp"}`, want: "spec.config cannot be read|ipam"},
		"storage network":         {annotations: storage("true"), config: `{"type":"bridge"}`, want: "storage network|use another"},
		"storage network no more": {annotations: storage("false"), config: `{"type":"bridge"}`},
		"storage network of IPAM": {annotations: storage("true"), config: `{"ipam":{"type":"whereabouts"}}`, want: "IPAM plugin"},
		"trunk with IPAM":         {label: trunk, config: `{"ipam":{"type":"whereabouts"}}`, want: "VLAN trunk", never: true},
		"label that nobody knows": {label: "Other", config: `{"type":"bridge"}`},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			network := &nadv1.NetworkAttachmentDefinition{
				ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations},
				Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: test.config},
			}
			if test.label != "" {
				network.Labels = map[string]string{"network.harvesterhci.io/type": test.label}
			}

			got := kube.NetworkUnsuitable(network)
			if (got == "") != (test.want == "") {
				t.Fatalf("NetworkUnsuitable() = %q, want %q", got, test.want)
			}

			rest := got
			for word := range strings.SplitSeq(test.want, "|") {
				_, after, found := strings.Cut(rest, word)
				if !found {
					t.Fatalf("NetworkUnsuitable() = %q, want %q in it", got, word)
				}

				rest = after
			}

			never := ""
			if test.never {
				never = got
			}

			if reason := kube.NetworkNeverSuitable(network); reason != never {
				t.Errorf("NetworkNeverSuitable() = %q, want %q", reason, never)
			}
		})
	}
}

func storage(value string) map[string]string {
	return map[string]string{"storage-network.settings.harvesterhci.io": value}
}
