package view

import (
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// ExplainFacts is everything that was observed of one machine.
type ExplainFacts struct {
	VMFacts

	// NICs has one for each of NICs(VMFacts), in its order.
	NICs []NICFacts
	// Elsewhere are the interfaces on no Multus network, such as the pod
	// network, by name.
	Elsewhere []string
}

// NICFacts is what was observed of one NIC.
type NICFacts struct {
	NIC

	// Network is nil when there is none of its name.
	Network *nadv1.NetworkAttachmentDefinition
	// NetworkMessage says why the network has a pool or has none.
	NetworkMessage string
	// Unsuitable says why no agent can serve the network, or is "".
	Unsuitable string
	// Pool is the body of the pool that serves the network; nil for none.
	Pool *v1.Pool
	// Lease is the body of the lease that the NIC holds; nil for none.
	Lease *v1.Lease
	// Agents are those of the pool.
	Agents []v1.Agent
	// Observed is what they saw of the lease's address.
	Observed v1.Observed
}

// Explain walks from the machine to the wire for each NIC. Every NIC has every
// step; what cannot be judged because an earlier step fails is unknown.
func Explain(facts ExplainFacts) v1.Explanation {
	explained := v1.Explanation{
		VM:   v1.ObjectRef{Kind: v1.KindVM, Namespace: facts.Namespace, Name: facts.Name},
		NICs: []v1.ExplanationNIC{},
	}
	if facts.VM != nil {
		explained.VM.UID = string(facts.VM.UID)
	}

	for _, nic := range facts.NICs {
		explained.NICs = append(explained.NICs, explainNIC(facts, nic))
	}

	for _, name := range facts.Elsewhere {
		explained.NICs = append(explained.NICs, elsewhere(facts, name))
	}

	explained.Verdict, explained.Summary = overall(facts, explained.NICs)

	return explained
}

// explainNIC walks the steps of one NIC.
func explainNIC(facts ExplainFacts, nic NICFacts) v1.ExplanationNIC {
	steps := []v1.ExplanationStep{
		machineStep(facts.VMFacts), nicStep(nic), networkStep(nic), poolStep(nic),
		requestStep(facts.VMFacts, nic), leaseStep(nic), agentStep(nic), packetStep(facts.VMFacts, nic),
	}

	broken := false

	for i := range steps {
		if broken {
			// What holds in spite of it is said; what follows from it is not
			// told as another fault.
			if steps[i].Verdict != v1.VerdictOK {
				steps[i].Verdict = v1.VerdictUnknown
				steps[i].Remedy = ""
			}
		}

		broken = broken || steps[i].Verdict != v1.VerdictOK
	}

	out := v1.ExplanationNIC{Interface: nicName(nic.NIC), Steps: steps}
	out.Verdict, out.Summary = cause(steps)

	return out
}

// cause is the first step that is not ok.
func cause(steps []v1.ExplanationStep) (verdict v1.Verdict, summary string) {
	for _, step := range steps {
		if step.Verdict != v1.VerdictOK {
			return step.Verdict, step.Message
		}
	}

	return v1.VerdictOK, steps[len(steps)-1].Message
}

// overall is the verdict of the NIC that is worst off.
func overall(facts ExplainFacts, nics []v1.ExplanationNIC) (verdict v1.Verdict, summary string) {
	if len(nics) == 0 {
		if facts.VM == nil {
			return v1.VerdictUnknown, "there is no such VirtualMachine, and its request names no NIC"
		}

		return v1.VerdictOK, "the machine has no network interface, so it needs no address"
	}

	worst := nics[0]

	for _, nic := range nics[1:] {
		if rank(nic.Verdict) > rank(worst.Verdict) {
			worst = nic
		}
	}

	if worst.Verdict == v1.VerdictOK && len(nics) > 1 {
		return v1.VerdictOK, fmt.Sprintf("all %d NICs are as they should be", len(nics))
	}

	return worst.Verdict, worst.Interface + ": " + worst.Summary
}

func rank(verdict v1.Verdict) int {
	switch verdict {
	case v1.VerdictFailing:
		return 3
	case v1.VerdictWaiting:
		return 2
	case v1.VerdictUnknown:
		return 1
	default:
		return 0
	}
}

func nicName(nic NIC) string {
	return NICName(v1.VMNIC{Interface: nic.Name, MAC: Spelling(nic.MAC), Network: nic.Network})
}

// elsewhere is an interface that is none of ours.
func elsewhere(facts ExplainFacts, name string) v1.ExplanationNIC {
	steps := []v1.ExplanationStep{machineStep(facts.VMFacts), ok(v1.StepNIC, fmt.Sprintf(
		"interface %s is not on a VM network, so its address is not ours to give: KubeVirt serves the pod network itself", name), nil)}
	out := v1.ExplanationNIC{Interface: name, Steps: steps}
	out.Verdict, out.Summary = cause(steps)

	return out
}

func step(name v1.Step, verdict v1.Verdict, message, remedy string, object *v1.ObjectRef) v1.ExplanationStep {
	return v1.ExplanationStep{Step: name, Verdict: verdict, Message: message, Remedy: remedy, Object: object}
}

func ok(name v1.Step, message string, object *v1.ObjectRef) v1.ExplanationStep {
	return step(name, v1.VerdictOK, message, "", object)
}
