package vmnetcfg

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/apitest"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

const manager = "system:serviceaccount:harvester-system:freehold"

func networks(names ...string) Networks {
	found := make([]*nadv1.NetworkAttachmentDefinition, len(names))
	for i, name := range names {
		found[i] = &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	}

	return apitest.CacheOf(nil, found...)
}

func pool(name, network string, paused bool) *v1alpha1.IPPool {
	return &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.IPPoolSpec{
			NetworkName: network, Paused: &paused,
			IPv4Config: v1alpha1.IPv4Config{
				ServerIP: "192.168.48.82", CIDR: "192.168.48.0/24", Router: "192.168.48.1",
				Pool: v1alpha1.Pool{Start: "192.168.48.81", End: "192.168.48.90", Exclude: []string{"192.168.48.81", "192.168.48.89"}},
			},
		},
	}
}

// world has a network net-48 whose pool is called otherwise, one whose pool is
// paused, one whose pool has mistakes, and one without a pool.
func world(leases ...*v1alpha1.IPLease) World {
	held := ledger.New()
	for _, lease := range leases {
		held.Put(lease)
	}

	broken := pool("broken", "default/broken", false)
	broken.Spec.IPv4Config.CIDR = "nonsense"

	return World{
		Networks: networks("net-48", "paused", "broken", "bare"),
		Pools:    apitest.Pools(pool("the-pool", "net-48", false), pool("paused", "default/paused", true), broken),
		Leases:   held,
		Manager:  manager,
	}
}

func lease(address, mac string, owner *v1alpha1.LeaseOwner) *v1alpha1.IPLease {
	return &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "the-pool." + address, UID: types.UID(address), ResourceVersion: "1"},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "the-pool", Address: address, MACAddress: mac, Owner: owner},
	}
}

func vm(namespace, name string) *v1alpha1.LeaseOwner {
	return &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: namespace, Name: name, UID: "1"}
}

func nic(network, mac, wanted string) v1alpha1.NetworkConfig {
	config := v1alpha1.NetworkConfig{NetworkName: network, MACAddress: mac}
	if wanted != "" {
		config.IPAddress = &wanted
	}

	return config
}

func config(nics ...v1alpha1.NetworkConfig) *v1alpha1.VirtualMachineNetworkConfig {
	return &v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "test-vm"},
		Spec:       v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "test-vm", NetworkConfigs: nics},
	}
}

func validate(t *testing.T, w World, user string, object, old *v1alpha1.VirtualMachineNetworkConfig) (problems, warnings []string) {
	t.Helper()

	question := review.Request[v1alpha1.VirtualMachineNetworkConfig]{
		Operation: admissionv1.Create, User: user, Object: object.DeepCopy(), Old: old.DeepCopy(),
	}

	switch {
	case object == nil:
		question.Operation = admissionv1.Delete
	case old != nil:
		question.Operation = admissionv1.Update
	default:
	}

	verdict, err := w.Validate(t.Context(), question)
	if err != nil {
		t.Fatalf("Validate: %v", err)
	}

	if diff := cmp.Diff(object, question.Object); diff != "" {
		t.Errorf("the object was changed (-before +after):\n%s", diff)
	}

	for _, problem := range verdict.Problems {
		problems = append(problems, problem.Error())
	}

	return problems, verdict.Warnings
}

const mac = "fa:cf:8e:50:82:fc"

func TestCreate(t *testing.T) {
	t.Parallel()

	held := []*v1alpha1.IPLease{
		lease("192.168.48.85", "52:54:00:00:00:85", vm("default", "rival")),
		lease("192.168.48.86", mac, vm("default", "test-vm")),
		lease("192.168.48.87", "", nil),
		lease("192.168.48.88", "", vm("dev", "test-vm")),
		lease("192.168.48.83", "FA-CF-8E-50-82-FD", nil),
		lease("192.168.48.84", "", &v1alpha1.LeaseOwner{Kind: v1alpha1.OwnerVirtualMachine, Namespace: "default", Name: "test-vm"}),
		lease("192.168.48.89", "fa:cf:8e:50:82:fd", nil),
	}

	another := config(nic("net-48", "fa:cf:8e:50:82:fe", "192.168.48.84"))
	another.Spec.VMName = "another"

	for name, test := range map[string]struct {
		config            *v1alpha1.VirtualMachineNetworkConfig
		problems, warning []string
	}{
		"pool of another name":             {config: config(nic("default/net-48", mac, ""))},
		"no namespace":                     {config: config(nic("net-48", mac, ""))},
		"no NIC":                           {config: config()},
		"network without a pool":           {config: config(nic("default/bare", mac, "")), warning: []string{"spec.networkConfigs[0]|network default/bare has no IPPool"}},
		"pool is paused":                   {config: config(nic("default/paused", mac, "")), warning: []string{"IPPool default/paused is paused"}},
		"pool has mistakes, none wanted":   {config: config(nic("default/broken", mac, ""))},
		"pool has mistakes, one is wanted": {config: config(nic("default/broken", mac, "192.168.48.83")), warning: []string{"spec.networkConfigs[0].ipAddress|default/broken has mistakes"}},
		"network missing": {
			config:   config(nic("default/nonexist", mac, "")),
			problems: []string{"spec.networkConfigs[0].networkName: Not found|no NetworkAttachmentDefinition default/nonexist; create the VM network first"},
		},
		"malformed": {
			config:   config(nic("default/net-48", "zz:cf:8e:50:82:fc", "192.168.48"), nic("a/b/c", "", "")),
			problems: []string{"networkConfigs[0].macAddress|zz:cf:8e:50:82:fc", "networkConfigs[0].ipAddress|192.168.48", "networkConfigs[1].networkName|a/b/c"},
		},
		"MAC address twice": {
			config:   config(nic("net-48", mac, ""), nic("default/net-48", "FA-CF-8E-50-82-FC", "")),
			problems: []string{"spec.networkConfigs[1].macAddress: Duplicate|networkConfigs[0]"},
		},
		"wanted and free":                             {config: config(nic("default/net-48", mac, "192.168.48.90"))},
		"wanted and reserved for its MAC address":     {config: config(nic("net-48", "fa:cf:8e:50:82:fd", "192.168.48.83"))},
		"wanted and reserved for its machine":         {config: config(nic("net-48", mac, "192.168.48.84"))},
		"wanted, excluded and reserved for it":        {config: config(nic("net-48", "fa:cf:8e:50:82:fd", "192.168.48.89"))},
		"wanted and reserved for another MAC address": {config: config(nic("net-48", mac, "192.168.48.83")), problems: []string{"is held by IPLease default/the-pool.192.168.48.83, which is reserved for MAC address FA-CF-8E-50-82-FD|choose another"}},
		"wanted and reserved for another machine":     {config: another, problems: []string{"is held by IPLease default/the-pool.192.168.48.84, which is reserved for VirtualMachine default/test-vm"}},
		"MAC address that an address is reserved for": {config: config(nic("net-48", "fa:cf:8e:50:82:fd", ""))},
		"wanted and held by ourselves":                {config: config(nic("default/net-48", mac, "192.168.48.86"))},
		"wanted out of the range":                     {config: config(nic("net-48", mac, "192.168.48.91")), problems: []string{"spec.networkConfigs[0].ipAddress|IPPool default/the-pool|not in the range of the pool, 192.168.48.81-192.168.48.90|choose another"}},
		"wanted out of the network":                   {config: config(nic("net-48", mac, "10.0.0.1")), problems: []string{"ipAddress|10.0.0.1|not in the range"}},
		"wanted of another family":                    {config: config(nic("net-48", mac, "fd00::1")), problems: []string{"ipAddress|fd00::1|not in the range"}},
		"wanted and excluded":                         {config: config(nic("net-48", mac, "192.168.48.89")), problems: []string{"192.168.48.89|excluded"}},
		"wanted is the server":                        {config: config(nic("net-48", mac, "192.168.48.82")), problems: []string{"192.168.48.82|DHCP server"}},
		"wanted is the router":                        {config: config(nic("net-48", mac, "192.168.48.1")), problems: []string{"192.168.48.1|router"}},
		"wanted and held":                             {config: config(nic("net-48", mac, "192.168.48.85")), problems: []string{"ipAddress|192.168.48.85|is held by VirtualMachine default/rival|choose another address from 192.168.48.81-192.168.48.90"}},
		"wanted and held by a person":                 {config: config(nic("net-48", mac, "192.168.48.87")), problems: []string{"is held by IPLease default/the-pool.192.168.48.87, which is reserved for nobody"}},
		"wanted and held by a namesake":               {config: config(nic("net-48", mac, "192.168.48.88")), problems: []string{"is held by VirtualMachine dev/test-vm"}},
		"MAC address of another machine":              {config: config(nic("net-48", "52:54:00:00:00:85", "")), warning: []string{"VirtualMachine default/rival on network default/net-48 has the MAC address 52:54:00:00:00:85 already"}},
		"all problems at once": {
			config:   config(nic("net-48", "zz", "192.168.48.85"), nic("nonexist", "", "")),
			problems: []string{"networkConfigs[0].macAddress", "networkConfigs[0].ipAddress", "networkConfigs[1].networkName"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			problems, warnings := validate(t, world(held...), "admin", test.config, nil)
			apitest.Says(t, "problem", test.problems, problems)
			apitest.Says(t, "warning", test.warning, warnings)

			if problems, _ := validate(t, world(held...), manager, test.config, nil); len(problems) > 0 {
				t.Errorf("the manager itself was refused: %v", problems)
			}
		})
	}
}

func TestUpdateJudgesWhatChanges(t *testing.T) {
	t.Parallel()

	bad := nic("default/nonexist", "zz", "192.168.48.91")
	good := nic("default/net-48", mac, "")
	deleting := config(nic("default/nonexist", mac, ""))
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}

	labelled := config(bad)
	labelled.Labels = map[string]string{"a": "b"}

	for name, test := range map[string]struct {
		old, new           *v1alpha1.VirtualMachineNetworkConfig
		problems, warnings []string
	}{
		"a label":                            {old: config(bad), new: labelled},
		"a NIC beside an old mistake":        {old: config(bad), new: config(bad, good), warnings: []string{"networkConfigs[0].macAddress"}},
		"a NIC in front of an old mistake":   {old: config(bad), new: config(good, bad), warnings: []string{"networkConfigs[1].macAddress"}},
		"the mistake again":                  {old: config(bad), new: config(bad, bad), problems: []string{"networkConfigs[1].macAddress", "networkConfigs[1].ipAddress: Duplicate"}, warnings: []string{"networkConfigs[0].macAddress"}},
		"a new mistake":                      {old: config(good), new: config(good, nic("nonexist", "", "")), problems: []string{"networkConfigs[1].networkName"}},
		"the wanted address of one NIC":      {old: config(good, bad), new: config(nic("net-48", mac, "192.168.48.91"), bad), problems: []string{"networkConfigs[0].ipAddress"}, warnings: []string{"networkConfigs[1].macAddress"}},
		"an old mistake taken away":          {old: config(good, bad), new: config(good)},
		"a finalizer of one being deleted":   {old: config(good), new: deleting},
		"another spelling of the same":       {old: config(nic("default/net-48", mac, "192.168.48.91")), new: config(nic("net-48", "FA:CF:8E:50:82:FC", "192.168.48.91"))},
		"a second NIC with the MAC of first": {old: config(good), new: config(nic("net-48", mac, ""), good), problems: []string{"Duplicate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			problems, warnings := validate(t, world(), "admin", test.new, test.old)
			apitest.Says(t, "problem", test.problems, problems)
			apitest.Says(t, "warning", test.warnings, warnings)
		})
	}
}

func TestDeleteIsNeverRefused(t *testing.T) {
	t.Parallel()

	if problems, _ := validate(t, world(), "admin", nil, config(nic("x y", "zz", "zz"))); len(problems) > 0 {
		t.Errorf("refused: %v", problems)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()

	old := config()
	old.Spec.NetworkConfig = []v1alpha1.NetworkConfig{nic("net-48", mac, "")}

	contradicting := config(nic("net-48", mac, "192.168.48.83"))
	contradicting.Spec.NetworkConfig = []v1alpha1.NetworkConfig{nic("net-48", mac, "192.168.48.84")}

	for name, test := range map[string]struct {
		given    *v1alpha1.VirtualMachineNetworkConfig
		want     []review.Edit
		warnings []string
	}{
		"already in its one spelling": {given: config(nic("default/net-48", mac, "192.168.48.83"), nic("dev/net", "", ""))},
		"other spellings": {
			given: config(nic("net-48", "FA-CF-8E-50-82-FC", "::ffff:192.168.48.83"), nic("dev/net", "facf.8e50.82fd", "")),
			want: []review.Edit{{
				Path:  []string{"spec", "networkConfigs"},
				Value: []v1alpha1.NetworkConfig{nic("default/net-48", mac, "192.168.48.83"), nic("dev/net", "fa:cf:8e:50:82:fd", "")},
			}},
		},
		"what cannot be read is left": {given: config(nic("a/b/c", "zz", "nonsense"))},
		"the old field": {
			given: old,
			want: []review.Edit{
				{Path: []string{"spec", "networkConfigs"}, Value: []v1alpha1.NetworkConfig{nic("default/net-48", mac, "")}},
				{Path: []string{"spec", "networkConfig"}},
			},
			warnings: []string{"spec.networkConfig |write networkConfigs"},
		},
		"fields that contradict each other": {given: contradicting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			question := review.Request[v1alpha1.VirtualMachineNetworkConfig]{Operation: admissionv1.Create, Object: test.given.DeepCopy()}

			changes, err := world().Complete(t.Context(), question)
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(test.want, changes.Edits); diff != "" {
				t.Errorf("edits (-want +got):\n%s", diff)
			}

			apitest.Says(t, "warning", test.warnings, changes.Warnings)

			if diff := cmp.Diff(test.given, question.Object); diff != "" {
				t.Errorf("the object was changed (-before +after):\n%s", diff)
			}
		})
	}

	if problems, _ := validate(t, world(), "admin", contradicting, nil); len(problems) == 0 {
		t.Error("fields that contradict each other were admitted")
	}
}
