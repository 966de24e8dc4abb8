package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// LeaseOrigin tells how a lease came to be.
// +kubebuilder:validation:Enum=Allocated;Requested;Manual
type LeaseOrigin string

// Origins of a lease.
const (
	// OriginAllocated means that the address was chosen.
	OriginAllocated LeaseOrigin = "Allocated"
	// OriginRequested means that the owner asked for this very address.
	OriginRequested LeaseOrigin = "Requested"
	// OriginManual means that a person made the lease, as a reservation or for a
	// machine that we know nothing of.
	OriginManual LeaseOrigin = "Manual"
)

// Kinds of lease owners.
const (
	// OwnerVirtualMachine is a KubeVirt VirtualMachine.
	OwnerVirtualMachine = "VirtualMachine"
	// OwnerVMNetCfg is a VirtualMachineNetworkConfig that no virtual machine owns.
	OwnerVMNetCfg = "VirtualMachineNetworkConfig"
)

// +genclient
// +kubebuilder:resource:shortName=ipl;ipls,categories=freehold
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.poolName + '.' + self.spec.address",message="metadata.name must be <spec.poolName>.<spec.address>, because the name is what keeps the address from being given out twice"
// +kubebuilder:selectablefield:JSONPath=`.spec.poolName`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.address`
// +kubebuilder:printcolumn:name="MAC",type=string,JSONPath=`.spec.macAddress`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.owner.name`
// +kubebuilder:printcolumn:name="NIC",type=string,JSONPath=`.spec.owner.interfaceName`
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=`.spec.poolName`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.owner.kind`,priority=1
// +kubebuilder:printcolumn:name="Owner Namespace",type=string,JSONPath=`.spec.owner.namespace`,priority=1
// +kubebuilder:printcolumn:name="Origin",type=string,JSONPath=`.spec.origin`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IPLease is one held address. Creating it is the allocation: it is named
// <pool>.<address> in the pool's namespace, so the API server's uniqueness of
// names is the lock, as it is for the IPAddress objects of Services.
//
// A lease whose owner has no UID, or that has no owner, is a reservation: a
// person keeps the address for somebody. A NIC in the pool that fits all that the
// reservation says (macAddress, the owner's kind, namespace and name, its
// interfaceName) takes the address up; one that says neither is for nobody. A
// reservation that was taken up outlives its holder and ends when a person
// deletes it.
type IPLease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which address is held, by whom.
	// +required
	Spec IPLeaseSpec `json:"spec"`
}

// IPLeaseSpec says which address is held, by whom.
type IPLeaseSpec struct {
	// poolName is the IPPool, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=237
	PoolName string `json:"poolName"`

	// address is the held address in canonical spelling. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip.isCanonical(self)",message="address must be an IP address in canonical spelling, such as 192.168.48.10"
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	Address string `json:"address"`

	// macAddress is the NIC that is answered with the address. Empty: the
	// address is held and answered to nobody.
	// +optional
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:Pattern=`^([0-9A-Fa-f:.-]{12,17})?$`
	MACAddress string `json:"macAddress,omitempty"`

	// owner is who holds the address; only its end frees it. A lease without
	// an owner is held until a person deletes it, and so is one whose owner has
	// no UID: it is reserved for the owner of that name.
	// +optional
	Owner *LeaseOwner `json:"owner,omitempty"`

	// reservation is what the lease goes back to when its owner ends, instead
	// of being freed. It is set when somebody takes a reserved address up, or
	// by a person, to keep an address that is held now. Without it the address
	// is free when its owner ends.
	// +optional
	Reservation *LeaseReservation `json:"reservation,omitempty"`

	// origin tells how the lease came to be.
	// +optional
	Origin LeaseOrigin `json:"origin,omitempty"`
}

// LeaseOwner names the holder of an address. It is not an owner reference,
// because the pool and the virtual machine may be in different namespaces.
type LeaseOwner struct {
	// kind is VirtualMachine or VirtualMachineNetworkConfig.
	// +required
	// +kubebuilder:validation:Enum=VirtualMachine;VirtualMachineNetworkConfig
	Kind string `json:"kind"`
	// namespace is the owner's namespace.
	// +required
	Namespace string `json:"namespace"`
	// name is the owner's name.
	// +required
	Name string `json:"name"`
	// uid tells the owner from a later one of the same name. Empty: nobody
	// holds the address yet, and it is reserved for the owner of that name.
	// +optional
	UID types.UID `json:"uid,omitempty"`
	// interfaceName is the NIC in the virtual machine's spec, if known.
	// +optional
	InterfaceName string `json:"interfaceName,omitempty"`
}

// LeaseReservation is for whom an address is kept; empty, for nobody.
type LeaseReservation struct {
	// macAddress is the NIC that the address is reserved for; it is answered
	// with it even while nobody holds the address.
	// +optional
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:Pattern=`^([0-9A-Fa-f:.-]{12,17})?$`
	MACAddress string `json:"macAddress,omitempty"`

	// owner is the virtual machine or request that the address is reserved
	// for, by name; a UID says nothing here.
	// +optional
	Owner *LeaseOwner `json:"owner,omitempty"`
}
