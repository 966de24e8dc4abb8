package main

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// leaseOf is a lease of that name in pool blue.
func leaseOf(name, address, mac string) *v1alpha1.IPLease {
	return &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "blue", Address: address, MACAddress: mac},
	}
}

func TestTheAPIServerRefusesWhatCannotBe(t *testing.T) {
	s := apiServer(t)
	s.run(t, "schema").leads()

	w := s.newWorld(t)
	w.network("blue", "", "", "", nil)
	w.network("red", "", "", "", nil)
	w.create(poolOf("blue", "blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20"))
	w.create(&v1alpha1.VirtualMachineNetworkConfig{
		ObjectMeta: named("web"),
		Spec:       v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "web"},
	})
	w.create(leaseOf("blue.10.1.0.20", "10.1.0.20", "52:54:00:00:00:01"))

	creations := []struct {
		name   string
		object client.Object
		// want is in the refusal; with "" the object is accepted.
		want string
	}{
		{"a lease that is named after its pool and address", leaseOf("blue.10.1.0.19", "10.1.0.19", ""), ""},
		{"a lease whose name has another address", leaseOf("blue.10.1.0.18", "10.1.0.17", ""), "metadata.name must be <spec.poolName>.<spec.address>"},
		{"a lease whose name has another pool", leaseOf("red.10.1.0.18", "10.1.0.18", ""), "metadata.name must be <spec.poolName>.<spec.address>"},
		{"a lease whose address has leading zeros", leaseOf("blue.10.1.0.018", "10.1.0.018", ""), "canonical spelling"},
		{"a lease of no address", leaseOf("blue.nowhere", "nowhere", ""), "canonical spelling"},
		{"a second lease of an address", leaseOf("blue.10.1.0.20", "10.1.0.20", ""), "already exists"},
		{"a lease with a MAC address that is none", leaseOf("blue.10.1.0.16", "10.1.0.16", "not-a-mac"), "spec.macAddress"},
		{"a pool without a network", poolOf("x", "", "10.1.0.0/24", "", ""), "spec.networkName"},
		{"a pool without a prefix", poolOf("x", "red", "", "", ""), "spec.ipv4Config.cidr"},
		{"a pool whose prefix is none", poolOf("x", "red", "10.1.0.0", "", ""), "spec.ipv4Config.cidr"},
		{"a pool whose range is outside its prefix", poolOf("x", "red", "10.1.0.0/24", "10.2.0.1", "10.2.0.9"), "spec.ipv4Config.pool"},
		{"a request without a machine", &v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: named("x")}, "spec.vmName"},
		{"a request with a MAC address that is none", &v1alpha1.VirtualMachineNetworkConfig{
			ObjectMeta: named("x"),
			Spec: v1alpha1.VirtualMachineNetworkConfigSpec{VMName: "x", NetworkConfigs: []v1alpha1.NetworkConfig{
				{NetworkName: "blue", MACAddress: "52:54:00:00:00"},
			}},
		}, "spec.networkConfigs[0].macAddress"},
	}

	for _, creation := range creations {
		t.Run(creation.name, func(t *testing.T) {
			w := &world{server: s, t: t, namespace: w.namespace}
			if err := w.tryCreate(creation.object); creation.want != "" {
				refused(t, err, creation.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}

	edits := []struct {
		name string
		edit func(*world) error
		want string
	}{
		{"the network of a pool cannot be changed", func(w *world) error {
			return tryEdit(w, &v1alpha1.IPPool{}, "blue", func(pool *v1alpha1.IPPool) { pool.Spec.NetworkName = "red" })
		}, "networkName cannot be changed"},
		{"the prefix of a pool cannot be changed", func(w *world) error {
			return tryEdit(w, &v1alpha1.IPPool{}, "blue", func(pool *v1alpha1.IPPool) { pool.Spec.IPv4Config.CIDR = "10.1.0.0/16" })
		}, "cidr cannot be changed"},
		{"another spelling of a pool's network is no change", func(w *world) error {
			return tryEdit(w, &v1alpha1.IPPool{}, "blue", func(pool *v1alpha1.IPPool) { pool.Spec.NetworkName = "blue" })
		}, ""},
		{"the machine of a request cannot be changed", func(w *world) error {
			return tryEdit(w, &v1alpha1.VirtualMachineNetworkConfig{}, "web", func(request *v1alpha1.VirtualMachineNetworkConfig) { request.Spec.VMName = "db" })
		}, "vmName cannot be changed"},
		{"the address of a lease cannot be changed", func(w *world) error {
			return tryEdit(w, &v1alpha1.IPLease{}, "blue.10.1.0.20", func(lease *v1alpha1.IPLease) { lease.Spec.Address = "10.1.0.15" })
		}, "metadata.name must be"},
		{"the MAC address of a lease can be changed", func(w *world) error {
			return tryEdit(w, &v1alpha1.IPLease{}, "blue.10.1.0.20", func(lease *v1alpha1.IPLease) { lease.Spec.MACAddress = "52:54:00:00:00:02" })
		}, ""},
	}

	for _, one := range edits {
		t.Run(one.name, func(t *testing.T) {
			err := one.edit(&world{server: s, t: t, namespace: w.namespace})
			if one.want != "" {
				refused(t, err, one.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
