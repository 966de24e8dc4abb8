package change

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// release answers DELETE /v1/leases/{namespace}/{name}.
func (c *Changes) release(call *api.Call) (api.Answer, error) {
	key := named(call)
	if err := call.Require("delete", freehold(leases, key)); err != nil {
		return api.Answer{}, err
	}

	run, err := call.DryRun()
	if err != nil {
		return api.Answer{}, err
	}

	lease, _, err := read[v1alpha1.IPLease](call.Context(), c.objects, leases, key)
	if err != nil {
		return api.Answer{}, told(err, v1.KindLease, key)
	}

	if uid := call.Request.URL.Query().Get("uid"); uid != "" && uid != string(lease.UID) {
		return api.Answer{}, problem.Conflict(fmt.Sprintf("IPLease %s is another one than you looked at: it was released and given out again meanwhile; read it again", key),
			v1.FieldProblem{Field: "uid", Value: uid, Detail: "is not that of the present lease, " + string(lease.UID), Remedy: "read the lease again"})
	}

	answer := v1.Release{Lease: c.Store.DescribeLease(lease), Warnings: warningsOfRelease(lease)}

	err = c.objects.of(leases, key.Namespace).Delete(call.Context(), key.Name, metav1.DeleteOptions{
		DryRun: dry(run), Preconditions: &metav1.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion},
	})
	if err != nil {
		return api.Answer{}, told(err, v1.KindLease, key)
	}

	if !run {
		c.Ledger.Deleted(lease)
		c.done(call, "release", key)
	}

	return api.OK(answer), nil
}

// warningsOfRelease says what the release of a lease brings about; never nil.
func warningsOfRelease(lease *v1alpha1.IPLease) []string {
	told := []string{}

	if !convert.Reserved(lease) {
		told = append(told, fmt.Sprintf("%s holds the address: its guest uses it until it next asks, while it may be given to another machine; "+
			"as long as it has the NIC it is given an address anew, perhaps another", convert.OwnerName(lease.Spec.Owner)))
	}

	switch kept := convert.ReservationOf(lease); {
	case kept == nil:
	case kept.Owner != nil:
		told = append(told, "the reservation for "+convert.OwnerName(kept.Owner)+" ends")
	case kept.MACAddress != "":
		told = append(told, "the reservation for MAC address "+kept.MACAddress+" ends")
	default:
	}

	return told
}

// fix answers POST /v1/leases/{namespace}/{name}/fix.
func (c *Changes) fix(call *api.Call) (api.Answer, error) {
	key := named(call)
	if err := call.Require("get", freehold(leases, key)); err != nil {
		return api.Answer{}, err
	}

	lease, _, err := read[v1alpha1.IPLease](call.Context(), c.objects, leases, key)
	if err != nil {
		return api.Answer{}, told(err, v1.KindLease, key)
	}

	if convert.Reserved(lease) {
		return api.Answer{}, problem.Conflict(fmt.Sprintf("nobody holds IPLease %s: it is a reservation and stays until it is released", key))
	}

	request, found := c.Store.OwnerOf(key)
	if !found {
		return api.Answer{}, problem.Conflict(fmt.Sprintf(
			"there is no request of %s in which the address could be fixed; it is about to be freed, or try again in a moment", convert.OwnerName(lease.Spec.Owner)))
	}

	if err := call.Require("update", freehold(requests, request)); err != nil {
		return api.Answer{}, err
	}

	pool, err := c.Pools.Get(lease.Namespace, lease.Spec.PoolName)
	if err != nil {
		return api.Answer{}, told(err, v1.KindPool, ledger.PoolOf(lease))
	}

	network := kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace)
	if err := c.wish(call, lease, network, request); err != nil {
		return api.Answer{}, err
	}

	described := c.Store.DescribeLease(lease)
	described.Fixed = true // the caches may not show it yet

	return api.OK(described), nil
}

// wish puts the address of the lease into the NIC's entry of the request.
func (c *Changes) wish(call *api.Call, lease *v1alpha1.IPLease, network string, request ledger.Key) error {
	changed := false

	err := c.edit(call, request, func(edited *v1alpha1.VirtualMachineNetworkConfig) error {
		entry := entryOf(edited, lease, network)
		if entry == nil {
			return problem.Conflict(fmt.Sprintf("VirtualMachineNetworkConfig %s has no NIC that holds %s; read the machine again", request, lease.Spec.Address))
		}

		if entry.IPAddress != nil && *entry.IPAddress != "" {
			if wanted, err := convert.Address(*entry.IPAddress); err == nil && wanted.String() == lease.Spec.Address {
				return nil
			}

			return problem.Conflict(fmt.Sprintf("the NIC asks for %s already; take that wish out of the request or of the machine's annotation %s first",
				*entry.IPAddress, v1alpha1.AnnotationStaticIPPrefix+entry.InterfaceName))
		}

		address := lease.Spec.Address
		entry.IPAddress, changed = &address, true

		return nil
	})
	if err == nil && changed {
		c.done(call, "fix "+lease.Spec.Address, request)
	}

	return err
}

// entryOf returns the entry of the request for the NIC that holds the lease, or
// nil.
func entryOf(request *v1alpha1.VirtualMachineNetworkConfig, lease *v1alpha1.IPLease, network string) *v1alpha1.NetworkConfig {
	held, _ := convert.Lease(lease)

	for _, list := range [][]v1alpha1.NetworkConfig{request.Spec.NetworkConfigs, request.Spec.NetworkConfig} {
		for i := range list {
			entry := &list[i]

			mac, err := convert.MAC(entry.MACAddress)
			sameNIC := entry.InterfaceName == lease.Spec.Owner.InterfaceName || lease.Spec.Owner.InterfaceName == ""

			sameNIC = sameNIC && kube.NetworkKey(entry.NetworkName, request.Namespace) == network

			if err == nil && sameNIC && mac == held.MAC && !mac.IsZero() {
				return entry
			}
		}
	}

	return nil
}
