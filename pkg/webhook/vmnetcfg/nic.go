package vmnetcfg

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// judgeNIC judges one entry by the network, its pool and what is held there.
func (w World) judgeNIC(
	path *field.Path,
	config *v1alpha1.VirtualMachineNetworkConfig,
	entry v1alpha1.NetworkConfig,
	nic convert.Request,
	verdict *review.Verdict,
) error {
	network := nic.Network.String()

	_, err := w.Networks.Get(nic.Network.Namespace, nic.Network.Name)
	if apierrors.IsNotFound(err) {
		missing := field.NotFound(path.Child("networkName"), entry.NetworkName)
		missing.Detail = fmt.Sprintf("there is no NetworkAttachmentDefinition %s; create the VM network first, or correct the name", network)
		verdict.Refuse(missing)

		return nil
	}

	if err != nil {
		return fmt.Errorf("get NetworkAttachmentDefinition %s: %w", network, err)
	}

	pool, err := kube.PoolOf(w.Pools, network)
	if err != nil {
		return fmt.Errorf("find the pool of network %s: %w", network, err)
	}

	if pool == nil {
		verdict.Warn("%s: network %s has no IPPool, so the NIC gets no address until there is one", path, network)

		return nil
	}

	if pool.Spec.Paused != nil && *pool.Spec.Paused {
		verdict.Warn("%s: IPPool %s/%s is paused, so the NIC gets no address until its spec.paused is false", path, pool.Namespace, pool.Name)
	}

	w.warnOfMAC(path, config, nic, pool, verdict)
	w.judgeWanted(path.Child("ipAddress"), config, nic, pool, verdict)

	return nil
}

// warnOfMAC warns of a MAC address that another NIC of the network has. It is
// no refusal: the other one may be about to go, as in a restore.
func (w World) warnOfMAC(path *field.Path, config *v1alpha1.VirtualMachineNetworkConfig, nic convert.Request, pool *v1alpha1.IPPool, verdict *review.Verdict) {
	if nic.MAC.IsZero() {
		return
	}

	if names := rivals(w.Leases.OfMAC(keyOf(pool), nic.MAC), config); len(names) > 0 {
		verdict.Warn("%s: %s on network %s has the MAC address %s already; give one of the two another one",
			path, strings.Join(names, ", "), nic.Network, nic.MAC)
	}
}

// judgeWanted refuses a wanted address that the pool does not give out or that
// another owner holds. What is reserved for the NIC it may have.
func (w World) judgeWanted(path *field.Path, config *v1alpha1.VirtualMachineNetworkConfig, nic convert.Request, pool *v1alpha1.IPPool, verdict *review.Verdict) {
	if !nic.Wanted.IsValid() {
		return
	}

	plan, problems := convert.PoolPlan(&pool.Spec)
	if len(problems) > 0 {
		verdict.Warn("%s: IPPool %s/%s has mistakes and gives out no address until they are corrected", path, pool.Namespace, pool.Name)

		return
	}

	remedy := fmt.Sprintf("choose another address from %s, or leave ipAddress empty to have one chosen", plan.Range)

	lease := w.Leases.Holder(keyOf(pool), nic.Wanted)
	if lease != nil && mayHave(lease, config, nic) {
		return
	}

	if _, err := ipam.Allocate(plan, nil, ipam.Request{Wanted: nic.Wanted}); err != nil {
		verdict.Refuse(field.Invalid(path, nic.Wanted.String(), fmt.Sprintf(
			"IPPool %s/%s cannot give it out: %v; %s", pool.Namespace, pool.Name, err, remedy)))

		return
	}

	if lease != nil {
		verdict.Refuse(field.Invalid(path, nic.Wanted.String(), fmt.Sprintf(
			"is held by %s; %s", convert.Holder(lease), remedy)))
	}
}

func keyOf(pool *v1alpha1.IPPool) ledger.Key {
	return ledger.Key{Namespace: pool.Namespace, Name: pool.Name}
}
