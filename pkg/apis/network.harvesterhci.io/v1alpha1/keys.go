package v1alpha1

// Labels and annotations that are ours or, where said so, are those of
// Harvester and its add-ons and are repeated here because existing objects
// carry them.
const (
	// LabelPoolNamespace and LabelPoolName are on networks, agents and leases
	// and name their pool (vm-dhcp-controller).
	LabelPoolNamespace = "network.harvesterhci.io/ippool-namespace"
	LabelPoolName      = "network.harvesterhci.io/ippool-name"
	// LabelComponent marks the agents (vm-dhcp-controller); its value is
	// ComponentAgent.
	LabelComponent = "network.harvesterhci.io/vm-dhcp-controller"
	ComponentAgent = "agent"
	// LabelVMName is on requests and names their virtual machine (Harvester).
	LabelVMName = "harvesterhci.io/vmName"

	// AnnotationMACAddress on a virtual machine maps interface names to MAC
	// addresses in JSON; Harvester writes it after the first boot.
	AnnotationMACAddress = "harvesterhci.io/mac-address"
	// AnnotationStaticIPPrefix followed by an interface name, on a virtual
	// machine, is the address that the NIC wants (Harvester).
	AnnotationStaticIPPrefix = "static-ip.harvesterhci.io/"
	// AnnotationHoldUpgrade on a pool keeps its agents at their image, whatever
	// its value but "false" (vm-dhcp-controller).
	AnnotationHoldUpgrade = "network.harvesterhci.io/hold-ippool-agent-upgrade"
	// AnnotationManagedDHCP on a network says whether a pool is made for it:
	// ManagedDHCPEnabled or ManagedDHCPDisabled. Without it the manager's
	// default decides.
	AnnotationManagedDHCP = "network.harvesterhci.io/managed-dhcp"
	ManagedDHCPEnabled    = "enabled"
	ManagedDHCPDisabled   = "disabled"
	// AnnotationComment on a lease is what a person noted about it.
	AnnotationComment = "network.harvesterhci.io/comment"
)

// Marks in IPv4Status.Allocated for addresses that no NIC holds
// (vm-dhcp-controller).
const (
	MarkExcluded = "EXCLUDED"
	MarkReserved = "RESERVED"
)

// Reasons in conditions, NIC states and Events. They are part of the API:
// scripts match them.
const (
	ReasonAllocated         = "Allocated"
	ReasonAllAllocated      = "AllAllocated"
	ReasonNoNIC             = "NoManagedNIC"
	ReasonPending           = "AddressPending"
	ReasonPoolExhausted     = "PoolExhausted"
	ReasonPoolPaused        = "PoolPaused"
	ReasonPoolInvalid       = "PoolInvalid"
	ReasonNetworkMissing    = "NetworkNotFound"
	ReasonMACUnknown        = "MACUnknown"
	ReasonMACInvalid        = "MACInvalid"
	ReasonMACConflict       = "MACConflict"
	ReasonAddressInvalid    = "AddressInvalid"
	ReasonAddressTaken      = "AddressTaken"
	ReasonAddressOutOfRange = "AddressOutOfRange"
	ReasonPaused            = "Paused"
	ReasonSuperseded        = "Superseded"
	ReasonRequestNameTaken  = "RequestNameTaken"
	ReasonRunning           = "Running"
	ReasonInSync            = "InSync"
	ReasonReleased          = "AddressReleased"
	ReasonPoolCreated       = "PoolCreated"
	ReasonPoolNotCreated    = "PoolNotCreated"
	ReasonNetworkUnmanaged  = "NetworkUnmanaged"
	ReasonPoolConflict      = "AnotherPoolServesNetwork"
	ReasonRegistered        = "NetworkFound"
	ReasonPlanValid         = "PlanValid"
	ReasonAgentsReady       = "AgentsReady"
	ReasonAgentsNotReady    = "AgentsNotReady"
	ReasonSingleAgent       = "SingleAgent"
	ReasonNoNode            = "NoNodeCarriesNetwork"
	ReasonAnnotationInvalid = "AnnotationInvalid"
)
