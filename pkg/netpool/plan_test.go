package netpool

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

const (
	bridge = `{"cniVersion":"0.3.1","type":"bridge","bridge":"mgmt-br","vlan":48,"ipam":{}}`
	manual = `{"mode":"manual","cidr":"192.168.48.0/24","gateway":"192.168.48.1"}`
)

// vmNetwork is a Harvester VM network with that route, changed as given.
func vmNetwork(route string, changes ...func(*nadv1.NetworkAttachmentDefinition)) *nadv1.NetworkAttachmentDefinition {
	network := &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "net-48", UID: "net-uid",
			Labels:      map[string]string{utils.KeyNetworkType: string(utils.L2VlanNetwork), utils.KeyClusterNetworkLabel: "mgmt"},
			Annotations: map[string]string{},
		},
		Spec: nadv1.NetworkAttachmentDefinitionSpec{Config: bridge},
	}
	if route != "" {
		network.Annotations[utils.KeyNetworkRoute] = route
	}

	for _, change := range changes {
		change(network)
	}

	return network
}

type edit = func(*nadv1.NetworkAttachmentDefinition)

func says(value string) edit {
	return func(network *nadv1.NetworkAttachmentDefinition) {
		network.Annotations[v1alpha1.AnnotationManagedDHCP] = value
	}
}

func kind(value utils.NetworkType) edit {
	return func(network *nadv1.NetworkAttachmentDefinition) {
		network.Labels[utils.KeyNetworkType] = string(value)
	}
}

func config(text string) edit {
	return func(network *nadv1.NetworkAttachmentDefinition) { network.Spec.Config = text }
}

func storage(network *nadv1.NetworkAttachmentDefinition) {
	network.Annotations[utils.StorageNetworkAnnotation] = "true"
}

func ending(network *nadv1.NetworkAttachmentDefinition) {
	network.DeletionTimestamp = &metav1.Time{}
	network.DeletionTimestamp.Time = metav1.Unix(1, 0).Time
}

func TestPlan(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		network *nadv1.NetworkAttachmentDefinition
		has     bool
		off     bool
		// created is server, start, end and router of the pool; "" for none.
		created string
		refusal string
		warning bool
	}{
		{name: "manual", network: vmNetwork(manual), created: "192.168.48.2 192.168.48.3-192.168.48.254 192.168.48.1"},
		{
			name: "the gateway is the last address", network: vmNetwork(`{"mode":"manual","cidr":"10.1.0.0/29","gateway":"10.1.0.6"}`),
			created: "10.1.0.1 10.1.0.2-10.1.0.5 10.1.0.6",
		},
		{
			name: "no gateway", network: vmNetwork(`{"mode":"manual","cidr":"10.1.0.0/30"}`),
			created: "10.1.0.1 10.1.0.2-10.1.0.2 ",
		},
		{name: "a pool serves it: nothing is overwritten", network: vmNetwork(manual), has: true},
		{name: "it is being deleted", network: vmNetwork(manual, ending)},
		{name: "off by default", network: vmNetwork(manual), off: true},
		{name: "off by default, on here", network: vmNetwork(manual, says("enabled")), off: true, created: "192.168.48.2 192.168.48.3-192.168.48.254 192.168.48.1"},
		{name: "off here", network: vmNetwork(manual, says("disabled"))},
		{
			name: "an annotation that means nothing", network: vmNetwork(manual, says("yes")),
			refusal: `is "yes" and is ignored; write "enabled" or "disabled"`, warning: true,
		},
		{name: "auto", network: vmNetwork(`{"mode":"auto"}`), refusal: "another DHCP server serves it"},
		{
			name: "auto, and asked for", network: vmNetwork(`{"mode":"auto","cidr":"192.168.48.0/24","gateway":"192.168.48.1"}`, says("enabled")),
			created: "192.168.48.2 192.168.48.3-192.168.48.254 192.168.48.1",
		},
		{name: "auto, asked for, and its CIDR is not known", network: vmNetwork(`{"mode":"auto"}`, says("enabled")), refusal: "mode auto"},
		{name: "no route", network: vmNetwork("")},
		{name: "no route, and asked for", network: vmNetwork("", says("enabled")), refusal: "CIDR is not known", warning: true},
		{name: "a route that is no JSON", network: vmNetwork(`{"mode":`), refusal: "is not JSON", warning: true},
		{
			name: "a CIDR that is none", network: vmNetwork(`{"mode":"manual","cidr":"ten","gateway":"192.168.48.1"}`),
			refusal: `spec.ipv4Config.cidr: Invalid value: "ten"`, warning: true,
		},
		{name: "manual without a CIDR", network: vmNetwork(`{"mode":"manual"}`), refusal: "spec.ipv4Config.cidr", warning: true},
		{
			name: "a gateway of another network", network: vmNetwork(`{"mode":"manual","cidr":"192.168.48.0/24","gateway":"10.0.0.1"}`),
			refusal: "10.0.0.1", warning: true,
		},
		{name: "overlay", network: vmNetwork(manual, kind(utils.OverlayNetwork))},
		{name: "overlay, and asked for", network: vmNetwork(manual, kind(utils.OverlayNetwork), says("enabled")), refusal: "overlay network", warning: true},
		{name: "Kube-OVN without a label", network: vmNetwork(manual, kind(""), config(`{"type":"kube-ovn"}`), says("enabled")), refusal: "spec.enableDHCP", warning: true},
		{name: "trunk", network: vmNetwork(manual, kind(utils.L2VlanTrunkNetwork), says("enabled")), refusal: "trunk", warning: true},
		{name: "storage network", network: vmNetwork(manual, storage, says("enabled")), refusal: "storage network", warning: true},
		{
			name: "addresses come from a plugin", network: vmNetwork(manual, config(`{"type":"bridge","ipam":{"type":"whereabouts"}}`), says("enabled")),
			refusal: "IPAM plugin (whereabouts)", warning: true,
		},
		{name: "a configuration that is no JSON", network: vmNetwork(manual, config("{"), says("enabled")), refusal: "spec.config", warning: true},
		{name: "no configuration at all", network: vmNetwork(manual, config("")), created: "192.168.48.2 192.168.48.3-192.168.48.254 192.168.48.1"},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			before := tc.network.DeepCopy()
			do := Plan(tc.network, tc.has, !tc.off)

			created := ""

			if pool := do.Create; pool != nil {
				c := pool.Spec.IPv4Config
				created = c.ServerIP + " " + c.Pool.Start + "-" + c.Pool.End + " " + c.Router

				if pool.Namespace != "default" || pool.Name != "net-48" || pool.Spec.NetworkName != "default/net-48" ||
					len(pool.OwnerReferences) != 1 || pool.OwnerReferences[0].UID != "net-uid" {
					t.Errorf("pool is %+v", pool)
				}
			}

			if created != tc.created {
				t.Errorf("created %q, want %q", created, tc.created)
			}

			if (do.Refusal() == "") != (tc.refusal == "") || !strings.Contains(do.Refusal(), tc.refusal) || do.Warning != tc.warning {
				t.Errorf("refusal is %q (warning %t), want %q (%t)", do.Refusal(), do.Warning, tc.refusal, tc.warning)
			}

			// Whoever asks is told why there is no pool, and what to do.
			if none := do.Create == nil && !tc.has; none != (do.Why != "") {
				t.Errorf("no pool is %t, and why is %q", none, do.Why)
			}

			if diff := cmp.Diff(before, tc.network); diff != "" {
				t.Errorf("the network was changed:\n%s", diff)
			}
		})
	}
}
