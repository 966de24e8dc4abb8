package vmnetcfg

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// statusOf returns the status that tells the results. It keeps what of before
// is still so, such as the times of unchanged conditions.
func statusOf(request *v1alpha1.VirtualMachineNetworkConfig, results []result) v1alpha1.VirtualMachineNetworkConfigStatus {
	status := *request.Status.DeepCopy()
	status.ObservedGeneration = request.Generation
	status.NetworkConfigs = make([]v1alpha1.NetworkConfigStatus, 0, len(results))

	var addresses []string

	for _, r := range results {
		entry := entryOf(r)
		if entry.AllocatedIPAddress != "" {
			addresses = append(addresses, entry.AllocatedIPAddress)
		}

		status.NetworkConfigs = append(status.NetworkConfigs, entry)
	}

	status.Addresses = strings.Join(addresses, ", ")

	paused := request.Spec.Paused != nil && *request.Spec.Paused
	status.Conditions = known(status.Conditions)

	for _, condition := range []metav1.Condition{allocated(results), disabled(paused), inSync()} {
		condition.ObservedGeneration = request.Generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}

	return status
}

// known drops conditions that are not ours: vm-dhcp-controller wrote some
// without a reason, which the schema now asks for.
func known(conditions []metav1.Condition) []metav1.Condition {
	var kept []metav1.Condition

	for _, condition := range conditions {
		switch condition.Type {
		case v1alpha1.VMNetCfgAllocated, v1alpha1.VMNetCfgDisabled, v1alpha1.VMNetCfgInSynced:
			kept = append(kept, condition)
		default:
		}
	}

	return kept
}

func entryOf(r result) v1alpha1.NetworkConfigStatus {
	entry := v1alpha1.NetworkConfigStatus{
		InterfaceName: r.nic.config.InterfaceName,
		MACAddress:    r.nic.macOf(r.lease),
		NetworkName:   r.nic.network,
	}

	if entry.NetworkName == "" {
		entry.NetworkName = r.nic.config.NetworkName
	}

	switch {
	case r.lease != nil:
		entry.AllocatedIPAddress = r.lease.Spec.Address
		entry.State = v1alpha1.StateAllocated
		entry.Reason = v1alpha1.ReasonAllocated
		entry.Message = r.note
	case r.refusal == nil:
		entry.State = v1alpha1.StatePending
		entry.Reason = v1alpha1.ReasonPending
		entry.Message = "the address is being allocated"
	case !r.refusal.unmanaged:
		entry.State = v1alpha1.StatePending
	default:
	}

	if r.refusal != nil {
		entry.Reason = r.refusal.reason
		entry.Message = r.refusal.message
	}

	return entry
}

// allocated is the condition that answers "does every NIC have its address".
func allocated(results []result) metav1.Condition {
	var (
		managed, held int
		waiting       []string
		reason        string
	)

	for _, r := range results {
		if r.refusal != nil && r.refusal.unmanaged && r.lease == nil {
			continue
		}

		managed++

		if r.lease != nil && !r.unmet() {
			held++

			continue
		}

		entry := entryOf(r)
		if reason == "" {
			reason = entry.Reason
		}

		waiting = append(waiting, r.nic.name()+": "+entry.Message)
	}

	condition := metav1.Condition{Type: v1alpha1.VMNetCfgAllocated, Status: metav1.ConditionFalse}

	switch {
	case managed == 0:
		condition.Reason = v1alpha1.ReasonNoNIC
		condition.Message = "no NIC is on a network with an IPPool"
	case held == managed:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonAllAllocated
		condition.Message = fmt.Sprintf("%d of %d NICs hold an address", held, managed)
	default:
		condition.Reason = reason
		condition.Message = strings.Join(waiting, "; ")
	}

	return condition
}

// unmet tells whether a NIC that holds an address wants another one than that.
func (r result) unmet() bool {
	return r.lease != nil && r.refusal != nil && r.nic.wanted.IsValid() && r.nic.wanted.String() != r.lease.Spec.Address
}

func disabled(paused bool) metav1.Condition {
	if paused {
		return metav1.Condition{
			Type: v1alpha1.VMNetCfgDisabled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPaused,
			Message: "spec.paused is true: addresses are neither given out nor freed; those that are held are answered",
		}
	}

	return metav1.Condition{Type: v1alpha1.VMNetCfgDisabled, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRunning}
}

func inSync() metav1.Condition {
	return metav1.Condition{Type: v1alpha1.VMNetCfgInSynced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInSync}
}

// announcement is the Event for what became of the request: its reason, its
// message, and whether a person should look at it.
func announcement(request *v1alpha1.VirtualMachineNetworkConfig, results []result) (reason, message string, bad bool) {
	condition := allocated(results)
	if condition.Reason == v1alpha1.ReasonNoNIC {
		return "", "", false
	}

	if condition.Status != metav1.ConditionTrue {
		return condition.Reason, condition.Message, true
	}

	var parts []string

	for _, r := range results {
		if r.lease != nil {
			parts = append(parts, fmt.Sprintf("%s holds %s on %s", r.nic.name(), r.lease.Spec.Address, r.nic.network))
		}
	}

	return v1alpha1.ReasonAllocated, request.Spec.VMName + ": " + strings.Join(parts, ", "), false
}
