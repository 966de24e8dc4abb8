package view

import (
	"strings"
	"testing"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

// sound is a machine of which all is well; each test breaks one thing.
func sound() *ExplainFacts {
	entry := &v1alpha1.NetworkConfig{InterfaceName: "eth0", NetworkName: "vms/net", MACAddress: "52:54:00:00:00:01"}

	return &ExplainFacts{
		VMFacts: VMFacts{
			Namespace: "vms", Name: "web",
			VM: &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "web", UID: "vm"}},
			VMI: &kubevirtv1.VirtualMachineInstance{Status: kubevirtv1.VirtualMachineInstanceStatus{
				Phase: kubevirtv1.Running, NodeName: "node-1",
			}},
			Request: &v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "vms", Name: "web"}},
		},
		NICs: []NICFacts{{
			NIC: NIC{
				NIC:   kube.NIC{Name: "eth0", Network: "vms/net", MAC: "52:54:00:00:00:01"},
				Entry: entry, Status: &v1alpha1.NetworkConfigStatus{State: v1alpha1.StateAllocated, Reason: v1alpha1.ReasonAllocated},
			},
			Network: &nadv1.NetworkAttachmentDefinition{},
			Pool: &v1.Pool{
				Namespace: "vms", Name: "net", State: v1.PoolReady, Spec: v1.PoolPlan{IPv4Config: v1.IPv4Config{CIDR: "10.0.0.0/24"}},
			},
			Lease:  &v1.Lease{Namespace: "vms", Name: "net.10.0.0.5", Address: "10.0.0.5", State: v1.LeaseAllocated},
			Agents: []v1.Agent{{Name: "agent-1", Node: "node-1", Ready: true}, {Name: "agent-2", Message: "is Pending"}},
			Observed: v1.Observed{
				Known: true, LastSeen: time.Unix(1000, 0), LastMessage: "DHCPACK", ExpiresAt: time.Unix(90000, 0),
			},
		}},
	}
}

// refused is a NIC without a lease, as the controller words it.
func refused(facts *ExplainFacts, reason, message string) {
	nic := &facts.NICs[0]
	nic.Lease, nic.Observed = nil, v1.Observed{}
	nic.Status = &v1alpha1.NetworkConfigStatus{State: v1alpha1.StatePending, Reason: reason, Message: message}
}

func TestExplain(t *testing.T) {
	t.Parallel()

	yes := true
	tests := []struct {
		name  string
		spoil func(facts *ExplainFacts, nic *NICFacts)
		// step is the first that is not ok, "" for none.
		step    v1.Step
		verdict v1.Verdict
		message string
		remedy  string
	}{
		{name: "all is well", spoil: func(*ExplainFacts, *NICFacts) {}, verdict: v1.VerdictOK, message: "the guest has its address"},
		{
			name: "the machine is being deleted", step: v1.StepMachine, verdict: v1.VerdictWaiting, message: "being deleted",
			spoil: func(facts *ExplainFacts, _ *NICFacts) {
				facts.VM.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			},
		},
		{
			name: "a request made by hand", verdict: v1.VerdictOK, message: "the guest has its address",
			spoil: func(facts *ExplainFacts, _ *NICFacts) { facts.VM, facts.VMI = nil, nil },
		},
		{
			name: "no MAC address yet", step: v1.StepNIC, verdict: v1.VerdictWaiting, message: "no MAC address yet", remedy: "start the machine",
			spoil: func(facts *ExplainFacts, nic *NICFacts) { refused(facts, v1alpha1.ReasonMACUnknown, "x"); nic.MAC = "" },
		},
		{
			name: "a MAC address that is none", step: v1.StepNIC, verdict: v1.VerdictFailing, message: `"52:54"`, remedy: "52:54:00:12:34:56",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonMACInvalid, "x")
				nic.MAC = "52:54"
			},
		},
		{
			name: "a MAC address that another NIC has", step: v1.StepNIC, verdict: v1.VerdictFailing, message: "already holds 10.0.0.9", remedy: "give this NIC another",
			spoil: func(facts *ExplainFacts, _ *NICFacts) {
				refused(facts, v1alpha1.ReasonMACConflict, "MAC address 52:54:00:00:00:01 already holds 10.0.0.9; give this NIC another MAC address")
			},
		},
		{
			name: "a network name that is none", step: v1.StepNetwork, verdict: v1.VerdictFailing, message: `"a/b/c"`, remedy: "namespace/name",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonNetworkMissing, "x")
				nic.NIC.Network, nic.Pool, nic.Network = "a/b/c", nil, nil
			},
		},
		{
			name: "no such network", step: v1.StepNetwork, verdict: v1.VerdictFailing, message: "there is no network vms/net", remedy: "create it",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonNetworkUnmanaged, "x")
				nic.Network, nic.Pool = nil, nil
			},
		},
		{
			name: "a network that nobody can serve", step: v1.StepNetwork, verdict: v1.VerdictFailing, message: "a VLAN trunk", remedy: "use a VM network",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonNetworkUnmanaged, "x")
				nic.Pool, nic.Unsuitable = nil, "it is a VLAN trunk; use a VM network for the one VLAN"
			},
		},
		{
			name: "another server's network", step: v1.StepPool, verdict: v1.VerdictFailing, message: "mode auto", remedy: "set the route to manual",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonNetworkUnmanaged, "x")
				nic.Pool, nic.NetworkMessage = nil, "no IPPool is made: the network's route is in mode auto; set the route to manual"
			},
		},
		{
			name: "no pool, and nothing more is known", step: v1.StepPool, verdict: v1.VerdictFailing, message: "no IPPool",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonNetworkUnmanaged, "x")
				nic.Pool = nil
			},
		},
		{
			name: "the pool is paused", step: v1.StepPool, verdict: v1.VerdictFailing, message: "is paused", remedy: "resume the pool",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonPoolPaused, "x")
				nic.Pool.State = v1.PoolPaused
			},
		},
		{
			name: "the pool is invalid", step: v1.StepPool, verdict: v1.VerdictFailing, message: "has host bits set", remedy: "write 10.0.0.0/24",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonPoolInvalid, "x")
				nic.Pool.State, nic.Pool.Message = v1.PoolInvalid, "cidr has host bits set; write 10.0.0.0/24"
			},
		},
		{
			name: "no request", step: v1.StepRequest, verdict: v1.VerdictWaiting, message: "no VirtualMachineNetworkConfig", remedy: "whether a manager leads",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, "", "")
				facts.Request, nic.Entry, nic.Status = nil, nil, nil
			},
		},
		{
			name: "a NIC that the request does not have", step: v1.StepRequest, verdict: v1.VerdictWaiting, message: "does not have this NIC yet",
			spoil: func(facts *ExplainFacts, nic *NICFacts) { refused(facts, "", ""); nic.Entry, nic.Status = nil, nil },
		},
		{
			name: "the request is paused", step: v1.StepRequest, verdict: v1.VerdictFailing, message: "is paused", remedy: "resume the machine",
			spoil: func(facts *ExplainFacts, _ *NICFacts) {
				refused(facts, v1alpha1.ReasonPaused, "x")
				facts.Request.Spec.Paused = &yes
			},
		},
		{
			name: "paused, and what it holds is answered", verdict: v1.VerdictOK, message: "the guest has its address",
			spoil: func(facts *ExplainFacts, _ *NICFacts) { facts.Request.Spec.Paused = &yes },
		},
		{
			name: "a wanted address that is none", step: v1.StepRequest, verdict: v1.VerdictFailing, message: "is not an IP address", remedy: "write one",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonAddressInvalid, "ipAddress is not an IP address; write one such as 10.0.0.7")
				nic.Wanted = "ten"
			},
		},
		{
			name: "two requests", step: v1.StepRequest, verdict: v1.VerdictFailing, message: "speaks for the same", remedy: "put what you want",
			spoil: func(facts *ExplainFacts, _ *NICFacts) {
				refused(facts, v1alpha1.ReasonSuperseded, "request a speaks for the same virtual machine; put what you want into it")
			},
		},
		{
			name: "the pool is full", step: v1.StepLease, verdict: v1.VerdictFailing, message: "no address is free", remedy: "widen the range",
			spoil: func(facts *ExplainFacts, _ *NICFacts) {
				refused(facts, v1alpha1.ReasonPoolExhausted, "no address is free; widen the range")
			},
		},
		{
			name: "the wanted address is taken", step: v1.StepLease, verdict: v1.VerdictFailing, message: "10.0.0.9 is held by", remedy: "choose another",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				refused(facts, v1alpha1.ReasonAddressTaken, "10.0.0.9 is held by VirtualMachine a/b; choose another one")
				nic.Wanted = "10.0.0.9"
			},
		},
		{
			name: "it holds one and wants another that is taken", step: v1.StepLease, verdict: v1.VerdictFailing, message: "holds 10.0.0.5 and wants 10.0.0.9", remedy: "choose another",
			spoil: func(_ *ExplainFacts, nic *NICFacts) {
				nic.Wanted = "10.0.0.9"
				nic.Status.Reason, nic.Status.Message = v1alpha1.ReasonAddressTaken, "10.0.0.9 is held by VirtualMachine a/b; choose another one"
			},
		},
		{
			name: "it is about to be given the wanted one", step: v1.StepLease, verdict: v1.VerdictWaiting, message: "about to be given 10.0.0.9",
			spoil: func(_ *ExplainFacts, nic *NICFacts) { nic.Wanted = "10.0.0.9" },
		},
		{
			name: "being allocated", step: v1.StepLease, verdict: v1.VerdictWaiting, message: "is being allocated",
			spoil: func(facts *ExplainFacts, nic *NICFacts) { refused(facts, "", ""); nic.Status = nil },
		},
		{
			name: "the lease was deleted", step: v1.StepLease, verdict: v1.VerdictWaiting, message: "the lease of 10.0.0.5 is gone",
			spoil: func(_ *ExplainFacts, nic *NICFacts) { nic.Lease, nic.Status.AllocatedIPAddress = nil, "10.0.0.5" },
		},
		{
			name: "the lease's owner is gone", step: v1.StepLease, verdict: v1.VerdictWaiting, message: "about to be freed",
			spoil: func(_ *ExplainFacts, nic *NICFacts) {
				nic.Lease.State, nic.Lease.Message = v1.LeaseOrphaned, "VirtualMachine vms/web is gone, so the address is about to be freed"
			},
		},
		{
			name: "no agent is ready", step: v1.StepAgent, verdict: v1.VerdictFailing, message: "agent-2 is Pending", remedy: "kubectl describe pod",
			spoil: func(_ *ExplainFacts, nic *NICFacts) { nic.Agents = nic.Agents[1:] },
		},
		{
			name: "no agent at all", step: v1.StepAgent, verdict: v1.VerdictFailing, message: "no node carries", remedy: "check the cluster network",
			spoil: func(_ *ExplainFacts, nic *NICFacts) {
				nic.Agents, nic.Pool.State = nil, v1.PoolUnserved
				nic.Pool.Message = "no node carries network vms/net; check the cluster network"
			},
		},
		{
			name: "declined", step: v1.StepPackets, verdict: v1.VerdictFailing, message: "another machine on the network uses it", remedy: "find that machine",
			spoil: func(_ *ExplainFacts, nic *NICFacts) { nic.Lease.State = v1.LeaseConflict },
		},
		{
			name: "the guest never asked", step: v1.StepPackets, verdict: v1.VerdictFailing, message: "have not heard the guest", remedy: "uses DHCP",
			spoil: func(_ *ExplainFacts, nic *NICFacts) { nic.Observed = v1.Observed{Known: true} },
		},
		{
			name: "the agents are younger than the machine", step: v1.StepPackets, verdict: v1.VerdictUnknown, message: "may have its address from before", remedy: "it renews",
			spoil: func(facts *ExplainFacts, nic *NICFacts) {
				nic.Observed = v1.Observed{Known: true, ListeningSince: facts.VMI.CreationTimestamp.Add(time.Second)}
			},
		},
		{
			name: "the machine is stopped", step: v1.StepPackets, verdict: v1.VerdictWaiting, message: "does not run", remedy: "start the machine",
			spoil: func(facts *ExplainFacts, nic *NICFacts) { facts.VMI, nic.Observed = nil, v1.Observed{Known: true} },
		},
		{
			name: "the agents cannot be asked", step: v1.StepPackets, verdict: v1.VerdictUnknown, message: "did not answer",
			spoil: func(_ *ExplainFacts, nic *NICFacts) { nic.Observed = v1.Observed{Why: "agent-1 did not answer"} },
		},
		{
			name: "asked and never took it", step: v1.StepPackets, verdict: v1.VerdictFailing, message: "DHCPDISCOVER", remedy: "the guest's own log",
			spoil: func(_ *ExplainFacts, nic *NICFacts) {
				nic.Observed = v1.Observed{Known: true, LastSeen: time.Unix(1000, 0), LastMessage: "DHCPDISCOVER"}
			},
		},
		{
			name: "told to ask anew", step: v1.StepPackets, verdict: v1.VerdictWaiting, message: "asks anew",
			spoil: func(_ *ExplainFacts, nic *NICFacts) {
				nic.Observed = v1.Observed{Known: true, LastSeen: time.Unix(1000, 0), LastMessage: "DHCPNAK"}
			},
		},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			facts := sound()
			tc.spoil(facts, &facts.NICs[0])
			checkExplanation(t, Explain(*facts), tc.step, tc.verdict, tc.message, tc.remedy)
		})
	}
}

func checkExplanation(t *testing.T, got v1.Explanation, step v1.Step, verdict v1.Verdict, message, remedy string) {
	t.Helper()

	if len(got.NICs) != 1 || len(got.NICs[0].Steps) != 8 || got.Verdict != verdict || got.NICs[0].Verdict != verdict || !strings.Contains(got.Summary, message) {
		t.Fatalf("explanation is %+v, want %s: %q", got, verdict, message)
	}

	broken := false

	for i, one := range got.NICs[0].Steps {
		if one.Step != []v1.Step{v1.StepMachine, v1.StepNIC, v1.StepNetwork, v1.StepPool, v1.StepRequest, v1.StepLease, v1.StepAgent, v1.StepPackets}[i] || one.Message == "" {
			t.Errorf("step %d is %+v", i, one)
		}

		switch {
		case one.Step == step:
			broken = true

			if one.Verdict != verdict || !strings.Contains(one.Message, message) || !strings.Contains(one.Remedy, remedy) || (remedy == "") != (one.Remedy == "") && verdict == v1.VerdictFailing && remedy != "" {
				t.Errorf("%s is %+v, want %s, %q, %q", step, one, verdict, message, remedy)
			}
		case !broken && one.Verdict != v1.VerdictOK:
			t.Errorf("%s comes before %s and is %+v", one.Step, step, one)
		case broken && (one.Verdict == v1.VerdictFailing || one.Remedy != ""):
			t.Errorf("%s follows from %s and is told as a fault: %+v", one.Step, step, one)
		}
	}
}

// The worst NIC speaks for the machine, and one that is not ours is told as such.
func TestExplainManyNICs(t *testing.T) {
	t.Parallel()

	facts := sound()
	second := sound().NICs[0]
	second.Name, second.Lease, second.Status = "eth1", nil, nil
	facts.NICs = append(facts.NICs, second)
	facts.Elsewhere = []string{"default"}

	got := Explain(*facts)
	if got.Verdict != v1.VerdictWaiting || !strings.HasPrefix(got.Summary, "eth1: ") || len(got.NICs) != 3 || !strings.Contains(got.NICs[2].Summary, "pod network") {
		t.Errorf("explanation is %+v", got)
	}

	facts.NICs = facts.NICs[:1]
	if got = Explain(*facts); got.Verdict != v1.VerdictOK || got.Summary != "all 2 NICs are as they should be" {
		t.Errorf("explanation is %+v", got)
	}

	facts.NICs, facts.Elsewhere = nil, nil
	if got = Explain(*facts); got.Verdict != v1.VerdictOK || !strings.Contains(got.Summary, "no network interface") || got.NICs == nil {
		t.Errorf("explanation is %+v", got)
	}
}
