package view

import (
	"fmt"
	"strings"
	"time"

	kubevirtv1 "kubevirt.io/api/core/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
)

func machineStep(facts VMFacts) v1.ExplanationStep {
	object := &v1.ObjectRef{Kind: v1.KindVM, Namespace: facts.Namespace, Name: facts.Name}

	switch {
	case facts.VM == nil:
		return ok(v1.StepMachine, fmt.Sprintf("there is no VirtualMachine %s/%s; its request was made by hand and is served without one",
			facts.Namespace, facts.Name), nil)
	case !facts.VM.DeletionTimestamp.IsZero():
		return step(v1.StepMachine, v1.VerdictWaiting, "the machine is being deleted; its addresses are freed when it is gone", "", object)
	case facts.VMI == nil:
		return ok(v1.StepMachine, "the machine is stopped; it keeps its addresses and asks for them when it boots", object)
	case running(facts):
		return ok(v1.StepMachine, "the machine runs on node "+facts.VMI.Status.NodeName, object)
	default:
		return ok(v1.StepMachine, "the machine is "+string(facts.VMI.Status.Phase), object)
	}
}

func running(facts VMFacts) bool {
	return facts.VMI != nil && facts.VMI.Status.Phase == kubevirtv1.Running
}

func nicStep(nic NICFacts) v1.ExplanationStep {
	mac, err := convert.MAC(nic.MAC)

	switch {
	case err != nil:
		return step(v1.StepNIC, v1.VerdictFailing, fmt.Sprintf("MAC address %q %s", nic.MAC, err),
			"write the NIC's MAC address, such as 52:54:00:12:34:56, on its interface or in its request", nil)
	case mac.IsZero():
		return step(v1.StepNIC, v1.VerdictWaiting, "the NIC has no MAC address yet; it is given one when the machine starts for the first time",
			"start the machine, or set macAddress on its interface", nil)
	case nic.Status != nil && nic.Status.Reason == v1alpha1.ReasonMACConflict:
		message, remedy := split(nic.Status.Message)

		return step(v1.StepNIC, v1.VerdictFailing, message, remedy, nil)
	default:
		return ok(v1.StepNIC, fmt.Sprintf("%s has MAC address %s", nicName(nic.NIC), mac), nil)
	}
}

func networkStep(nic NICFacts) v1.ExplanationStep {
	namespace, name := kube.SplitKey(nic.NIC.Network)
	object := &v1.ObjectRef{Kind: v1.KindNetwork, Namespace: namespace, Name: name}

	switch {
	case kube.NetworkKey(nic.NIC.Network, "") == "":
		return step(v1.StepNetwork, v1.VerdictFailing, fmt.Sprintf("%q is not the name of a network", nic.NIC.Network),
			"write it as namespace/name, or name", nil)
	case nic.Network == nil:
		return step(v1.StepNetwork, v1.VerdictFailing, "there is no network "+nic.NIC.Network,
			"create it, or put the NIC on one that exists", object)
	case nic.Unsuitable != "":
		message, remedy := split(nic.Unsuitable)

		return step(v1.StepNetwork, v1.VerdictFailing, fmt.Sprintf("network %s cannot be served: %s", nic.NIC.Network, message), remedy, object)
	default:
		return ok(v1.StepNetwork, fmt.Sprintf("network %s exists and can be served", nic.NIC.Network), object)
	}
}

func poolStep(nic NICFacts) v1.ExplanationStep {
	if nic.Pool == nil {
		message, remedy := split(nic.NetworkMessage)
		if message == "" {
			message = "no IPPool is for the network"
		}

		return step(v1.StepPool, v1.VerdictFailing, message, remedy, nil)
	}

	object := &v1.ObjectRef{Kind: v1.KindPool, Namespace: nic.Pool.Namespace, Name: nic.Pool.Name, UID: nic.Pool.UID}
	name := nic.Pool.Namespace + "/" + nic.Pool.Name

	switch nic.Pool.State {
	case v1.PoolPaused:
		return step(v1.StepPool, v1.VerdictFailing, "IPPool "+name+" is paused, so nobody answers and no address is given out",
			"resume the pool, or set its spec.paused to false", object)
	case v1.PoolInvalid:
		message, remedy := split(nic.Pool.Message)

		return step(v1.StepPool, v1.VerdictFailing, "IPPool "+name+" cannot be used: "+message, remedy, object)
	default:
		return ok(v1.StepPool, fmt.Sprintf("IPPool %s serves the network with %s", name, nic.Pool.Spec.IPv4Config.CIDR), object)
	}
}

func requestStep(facts VMFacts, nic NICFacts) v1.ExplanationStep {
	request := facts.Request
	if request == nil {
		return step(v1.StepRequest, v1.VerdictWaiting, "no VirtualMachineNetworkConfig asks for an address yet; the leading manager makes one",
			"if it stays so, see whether a manager leads and what it logs", nil)
	}

	object := &v1.ObjectRef{Kind: v1.KindRequest, Namespace: request.Namespace, Name: request.Name, UID: string(request.UID)}

	switch {
	case nic.Entry == nil:
		return step(v1.StepRequest, v1.VerdictWaiting, "the request does not have this NIC yet; the leading manager adds it",
			"if it stays so, see whether a manager leads and what it logs", object)
	case Paused(request) && nic.Lease == nil:
		return step(v1.StepRequest, v1.VerdictFailing, "the request is paused, so the NIC is given no address",
			"resume the machine's addresses, or set spec.paused of the request to false", object)
	case hasReason(nic, v1alpha1.ReasonAddressInvalid, v1alpha1.ReasonSuperseded):
		message, remedy := split(nic.Status.Message)

		return step(v1.StepRequest, v1.VerdictFailing, message, remedy, object)
	case Paused(request):
		return ok(v1.StepRequest, "the request is paused; the address that is held stays and is answered", object)
	case nic.Wanted != "":
		return ok(v1.StepRequest, "the request asks for "+nic.Wanted, object)
	default:
		return ok(v1.StepRequest, "the request asks for any address", object)
	}
}

func hasReason(nic NICFacts, reasons ...string) bool {
	for _, reason := range reasons {
		if nic.Status != nil && nic.Status.Reason == reason {
			return true
		}
	}

	return false
}

func leaseStep(nic NICFacts) v1.ExplanationStep {
	if nic.Lease == nil {
		return noLeaseStep(nic)
	}

	object := &v1.ObjectRef{Kind: v1.KindLease, Namespace: nic.Lease.Namespace, Name: nic.Lease.Name, UID: nic.Lease.UID}

	switch {
	case nic.Lease.State == v1.LeaseOrphaned:
		return step(v1.StepLease, v1.VerdictWaiting, nic.Lease.Address+": "+nic.Lease.Message, "", object)
	case nic.Wanted != "" && nic.Wanted != nic.Lease.Address && hasReason(nic, v1alpha1.ReasonAddressTaken, v1alpha1.ReasonAddressOutOfRange):
		message, remedy := split(nic.Status.Message)

		return step(v1.StepLease, v1.VerdictFailing,
			fmt.Sprintf("the NIC holds %s and wants %s: %s", nic.Lease.Address, nic.Wanted, message), remedy, object)
	case nic.Wanted != "" && nic.Wanted != nic.Lease.Address:
		return step(v1.StepLease, v1.VerdictWaiting, fmt.Sprintf("the NIC holds %s and is about to be given %s", nic.Lease.Address, nic.Wanted), "", object)
	default:
		return ok(v1.StepLease, "the NIC holds "+nic.Lease.Address, object)
	}
}

// noLeaseStep says why there is no lease, in the words of the controller, which
// tries to make one.
func noLeaseStep(nic NICFacts) v1.ExplanationStep {
	if nic.Status == nil || nic.Status.Reason == "" || hasReason(nic, v1alpha1.ReasonPending) {
		return step(v1.StepLease, v1.VerdictWaiting, "the address is being allocated",
			"if it stays so, see whether a manager leads and what it logs", nil)
	}

	if hasReason(nic, v1alpha1.ReasonAllocated) {
		return step(v1.StepLease, v1.VerdictWaiting, fmt.Sprintf("the lease of %s is gone; the NIC is about to be given an address anew",
			nic.Status.AllocatedIPAddress), "", nil)
	}

	message, remedy := split(nic.Status.Message)
	if message == "" {
		message = "the NIC has no address: " + nic.Status.Reason
	}

	return step(v1.StepLease, v1.VerdictFailing, message, remedy, nil)
}

func agentStep(nic NICFacts) v1.ExplanationStep {
	if nic.Pool == nil {
		return step(v1.StepAgent, v1.VerdictUnknown, "there is no pool, so there are no agents", "", nil)
	}

	var ready, waiting []string

	for _, agent := range nic.Agents {
		if agent.Ready {
			ready = append(ready, agent.Name+" on "+agent.Node)
		} else {
			waiting = append(waiting, agent.Name+" "+agent.Message)
		}
	}

	object := &v1.ObjectRef{Kind: v1.KindPool, Namespace: nic.Pool.Namespace, Name: nic.Pool.Name, UID: nic.Pool.UID}

	switch {
	case len(ready) > 0:
		return ok(v1.StepAgent, "answering: "+strings.Join(ready, ", "), object)
	case len(waiting) > 0:
		return step(v1.StepAgent, v1.VerdictFailing, "no agent of the pool is ready: "+strings.Join(waiting, "; "),
			"look at the Pods and their logs: kubectl describe pod -l "+v1alpha1.LabelPoolName+"="+kube.LabelValue(nic.Pool.Name), object)
	default:
		message, remedy := split(nic.Pool.Message)

		return step(v1.StepAgent, v1.VerdictFailing, "the pool has no agent: "+message, remedy, object)
	}
}

func packetStep(facts VMFacts, nic NICFacts) v1.ExplanationStep {
	seen := nic.Observed

	switch {
	case nic.Lease == nil:
		return step(v1.StepPackets, v1.VerdictUnknown, "without a lease the NIC is not answered, and what it sends is not noted", "", nil)
	case nic.Lease.State == v1.LeaseConflict:
		return step(v1.StepPackets, v1.VerdictFailing, fmt.Sprintf("the guest has declined %s, because another machine on the network uses it", nic.Lease.Address),
			"find that machine and take the address from it, or exclude the address in the pool and release the lease", nil)
	case !seen.Known:
		return step(v1.StepPackets, v1.VerdictUnknown, "what the guest sends is not known: "+seen.Why, "", nil)
	case seen.LastSeen.IsZero() && facts.VM != nil && !running(facts):
		return step(v1.StepPackets, v1.VerdictWaiting, "the machine does not run, so its guest asks for nothing", "start the machine", nil)
	case seen.LastSeen.IsZero() && startedBefore(facts, seen.ListeningSince):
		return step(v1.StepPackets, v1.VerdictUnknown, fmt.Sprintf("the agents have listened since %s and have not heard the guest; it may have its address from before, because the machine is older",
			moment(seen.ListeningSince)), "nothing, if the guest has its network: it renews within half its lease time and is heard then", nil)
	case seen.LastSeen.IsZero():
		return step(v1.StepPackets, v1.VerdictFailing, "the agents are ready and have not heard the guest ask",
			"see that the guest uses DHCP on this NIC, that its MAC address is the one above, and that the network's VLAN reaches the agents' nodes", nil)
	default:
		return heardStep(seen)
	}
}

// startedBefore tells whether the machine runs for longer than the agents listen,
// so that its guest may have asked somebody who is gone.
func startedBefore(facts VMFacts, listening time.Time) bool {
	return facts.VMI != nil && facts.VMI.CreationTimestamp.Time.Before(listening)
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// heardStep judges by the last message of a guest that was heard.
func heardStep(seen v1.Observed) v1.ExplanationStep {
	when := moment(seen.LastSeen)

	switch {
	case !seen.ExpiresAt.IsZero() || seen.LastMessage == "DHCPACK":
		return ok(v1.StepPackets, fmt.Sprintf("the guest has its address; it was last heard at %s (%s)", when, seen.LastMessage), nil)
	case seen.LastMessage == "DHCPNAK":
		return step(v1.StepPackets, v1.VerdictWaiting, "the guest asked for an address that it no longer holds and was told so at "+when+"; it asks anew", "", nil)
	default:
		return step(v1.StepPackets, v1.VerdictFailing, fmt.Sprintf("the guest was last heard at %s (%s) and has taken no address since", when, seen.LastMessage),
			"see the lease's history for the exchange, and the guest's own log for why it does not go on", nil)
	}
}

// split parts what the core says into what is wrong and what to do.
func split(text string) (detail, remedy string) {
	detail, remedy, _ = strings.Cut(text, "; ")

	return detail, remedy
}
