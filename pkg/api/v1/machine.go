package v1

// VMState is one word for how the addresses of a machine are.
type VMState string

// States of a machine.
const (
	// VMAddressed means that every managed NIC has its address.
	VMAddressed VMState = "Addressed"
	// VMWaiting means that a managed NIC has none.
	VMWaiting VMState = "Waiting"
	// VMPaused means that a person has paused its request.
	VMPaused VMState = "Paused"
	// VMUnmanaged means that no NIC is on a network with a pool.
	VMUnmanaged VMState = "Unmanaged"
)

// VM is a virtual machine and what each of its NICs has.
type VM struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	UID       string  `json:"uid,omitempty"`
	State     VMState `json:"state"`
	Message   string  `json:"message"`
	// Running is nil when there is no such machine, only a request for one.
	Running *bool `json:"running"`
	// Node is where it runs.
	Node string `json:"node,omitempty"`
	// Paused tells whether its request is.
	Paused  bool    `json:"paused"`
	NICs    []VMNIC `json:"nics"`
	Allowed Allowed `json:"allowed,omitempty"`
}

// NICState is what became of one NIC's request.
type NICState string

// States of a NIC.
const (
	NICAllocated NICState = "Allocated"
	NICPending   NICState = "Pending"
	NICStale     NICState = "Stale"
	NICUnmanaged NICState = "Unmanaged"
)

// VMNIC is one NIC of a machine.
type VMNIC struct {
	Interface string `json:"interface,omitempty"`
	// Network is "namespace/name".
	Network string `json:"network"`
	MAC     string `json:"mac,omitempty"`
	// Managed tells whether a pool serves the network.
	Managed bool   `json:"managed"`
	Address string `json:"address,omitempty"`
	// Wanted is the address that the NIC asks for.
	Wanted string   `json:"wanted,omitempty"`
	State  NICState `json:"state"`
	// Reason is a word for machines, Message one for people.
	Reason  string     `json:"reason,omitempty"`
	Message string     `json:"message"`
	Pool    *ObjectRef `json:"pool,omitempty"`
	Lease   *ObjectRef `json:"lease,omitempty"`
}

// Verdict is how a step of an explanation came out.
type Verdict string

// Verdicts.
const (
	// VerdictOK means that the step is as it should be.
	VerdictOK Verdict = "ok"
	// VerdictWaiting means that it will be without anybody doing anything, or
	// once the machine is started.
	VerdictWaiting Verdict = "waiting"
	// VerdictFailing means that somebody has to do something.
	VerdictFailing Verdict = "failing"
	// VerdictUnknown means that it cannot be told, for a reason that is given.
	VerdictUnknown Verdict = "unknown"
)

// Step names a step of an explanation.
type Step string

// Steps, in their order.
const (
	StepMachine Step = "Machine"
	StepNIC     Step = "NIC"
	StepNetwork Step = "Network"
	StepPool    Step = "Pool"
	StepRequest Step = "Request"
	StepLease   Step = "Lease"
	StepAgent   Step = "Agent"
	StepPackets Step = "Packets"
)

// Explanation walks from a machine to the wire.
type Explanation struct {
	VM      ObjectRef        `json:"vm"`
	Verdict Verdict          `json:"verdict"`
	Summary string           `json:"summary"`
	NICs    []ExplanationNIC `json:"nics"`
}

// ExplanationNIC is the walk of one NIC. The first step that is not ok is the
// cause.
type ExplanationNIC struct {
	Interface string            `json:"interface"`
	Verdict   Verdict           `json:"verdict"`
	Summary   string            `json:"summary"`
	Steps     []ExplanationStep `json:"steps"`
}

// ExplanationStep is one step of the walk.
type ExplanationStep struct {
	Step    Step    `json:"step"`
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message"`
	// Remedy says what to do; "" when there is nothing to do.
	Remedy string     `json:"remedy,omitempty"`
	Object *ObjectRef `json:"object,omitempty"`
}
