package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Conditions of a VirtualMachineNetworkConfig, named as vm-dhcp-controller did.
const (
	// VMNetCfgAllocated is True when every NIC on a managed network holds an
	// address.
	VMNetCfgAllocated = "Allocated"
	// VMNetCfgDisabled is True while the request is paused.
	VMNetCfgDisabled = "Disabled"
	// VMNetCfgInSynced is True when the request agrees with its virtual machine.
	VMNetCfgInSynced = "InSynced"
)

// NetworkConfigState is what became of one NIC's request.
// +kubebuilder:validation:Enum=Allocated;Pending;Stale
type NetworkConfigState string

// States of one NIC.
const (
	// StateAllocated means that the NIC holds an address.
	StateAllocated NetworkConfigState = "Allocated"
	// StatePending means that the NIC has no address yet; reason and message
	// say why.
	StatePending NetworkConfigState = "Pending"
	// StateStale means that the entry no longer matches its request and is
	// about to be removed.
	StateStale NetworkConfigState = "Stale"
)

// +genclient
// +kubebuilder:resource:shortName=vmnetcfg;vmnetcfgs,categories=freehold
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="VM",type=string,JSONPath=`.spec.vmName`
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.status.addresses`
// +kubebuilder:printcolumn:name="Allocated",type=string,JSONPath=`.status.conditions[?(@.type=='Allocated')].status`
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=='Allocated')].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// VirtualMachineNetworkConfig is the request of one virtual machine: which NICs
// it has, on which networks, and which addresses it wants. It is made for each
// virtual machine, or by hand; what a user set in it stays.
type VirtualMachineNetworkConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the virtual machine asks for.
	// +required
	Spec VirtualMachineNetworkConfigSpec `json:"spec"`
	// status tells for each NIC which address it holds, or why it has none.
	// +optional
	Status VirtualMachineNetworkConfigStatus `json:"status,omitempty"`
}

// VirtualMachineNetworkConfigSpec is what a virtual machine asks for.
type VirtualMachineNetworkConfigSpec struct {
	// vmName is the virtual machine, in the same namespace. It cannot be changed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="vmName cannot be changed; create another VirtualMachineNetworkConfig for the other virtual machine"
	VMName string `json:"vmName"`

	// networkConfigs are the NICs. Each succeeds or fails by itself.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NetworkConfigs []NetworkConfig `json:"networkConfigs,omitempty"`

	// networkConfig is another spelling of networkConfigs that old examples
	// use. It is moved to networkConfigs on admission, with a warning.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	NetworkConfig []NetworkConfig `json:"networkConfig,omitempty"`

	// paused stops changes to the request's addresses: none is given out and
	// none is taken back. Addresses already held stay held and are answered.
	// +optional
	Paused *bool `json:"paused,omitempty"`
}

// NetworkConfig is one NIC of a request.
type NetworkConfig struct {
	// networkName is the NetworkAttachmentDefinition that the NIC is on, as
	// "namespace/name"; without a namespace the request's own is meant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	NetworkName string `json:"networkName"`

	// macAddress is the NIC's MAC address in any spelling. Empty while the
	// virtual machine has none yet.
	// +optional
	// +kubebuilder:validation:MaxLength=17
	MACAddress string `json:"macAddress,omitempty"`

	// ipAddress is the address that the NIC wants. When empty, one is chosen.
	// +optional
	// +kubebuilder:validation:MaxLength=45
	IPAddress *string `json:"ipAddress,omitempty"`

	// interfaceName is the name of the interface in the virtual machine's
	// spec. Entries without it were written by a user and are left alone by
	// changes of the virtual machine.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	InterfaceName string `json:"interfaceName,omitempty"`
}

// VirtualMachineNetworkConfigStatus tells for each NIC which address it holds,
// or why it has none.
type VirtualMachineNetworkConfigStatus struct {
	// observedGeneration is the generation of spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// addresses are the held addresses in the order of the NICs, joined by ", ".
	// +optional
	Addresses string `json:"addresses,omitempty"`

	// networkConfigs has one entry for each NIC of spec, in the same order.
	// +optional
	// +listType=atomic
	NetworkConfigs []NetworkConfigStatus `json:"networkConfigs,omitempty"`

	// conditions are Allocated, Disabled and InSynced.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NetworkConfigStatus is what became of one NIC's request.
type NetworkConfigStatus struct {
	// allocatedIPAddress is the address that the NIC holds.
	// +optional
	AllocatedIPAddress string `json:"allocatedIPAddress,omitempty"`
	// macAddress is the NIC's MAC address, lower case with colons.
	// +optional
	MACAddress string `json:"macAddress,omitempty"`
	// networkName is the NIC's network as "namespace/name".
	// +optional
	NetworkName string `json:"networkName,omitempty"`
	// interfaceName is the name of the interface in the virtual machine's spec.
	// +optional
	InterfaceName string `json:"interfaceName,omitempty"`
	// state is Allocated, Pending or Stale.
	// +optional
	State NetworkConfigState `json:"state,omitempty"`
	// reason is a CamelCase word for the state, for machines.
	// +optional
	Reason string `json:"reason,omitempty"`
	// message says in plain words why the NIC has no address, or has another
	// than it wants, and what to do.
	// +optional
	Message string `json:"message,omitempty"`
}
