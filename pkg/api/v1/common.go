package v1

import "time"

// Names of kinds in references and changes' objects.
const (
	KindPool    = "IPPool"
	KindLease   = "IPLease"
	KindRequest = "VirtualMachineNetworkConfig"
	KindNetwork = "NetworkAttachmentDefinition"
	KindVM      = "VirtualMachine"
	KindPod     = "Pod"
)

// ObjectRef names an object of Kubernetes.
type ObjectRef struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// Allowed says by name what the caller may do with an object. It is nil, and
// left out, in lists.
type Allowed map[string]bool

// Keys of Allowed.
const (
	// MayEdit, MayPause and MayDelete are of a pool, MayReserve is for making
	// leases in it. MayPause is of a machine, too.
	MayEdit    = "edit"
	MayPause   = "pause"
	MayDelete  = "delete"
	MayReserve = "reserve"
	// MayRelease and MayFix are of a lease.
	MayRelease = "release"
	MayFix     = "fix"
)

// Gap names a source that did not answer, so that something is missing.
type Gap struct {
	// Source is who did not answer, such as an agent or a kind.
	Source string `json:"source"`
	// Reason is why, in plain words.
	Reason string `json:"reason"`
}

// Option is a DHCP option in words.
type Option struct {
	// Code is the number of RFC 2132 and its successors.
	Code int `json:"code"`
	// Name is what it is called, such as "router".
	Name string `json:"name"`
	// Value is what it says.
	Value string `json:"value"`
}

// Condition is a condition of a Kubernetes object.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// List is a page of a list.
type List[T any] struct {
	Items []T `json:"items"`
	// Total is how many there are in all pages.
	Total int `json:"total"`
	// Continue asks for the next page; "" on the last one.
	Continue string `json:"continue,omitempty"`
	Gaps     []Gap  `json:"gaps,omitempty"`
}

type (
	// PoolList is a page of pools.
	PoolList = List[Pool]
	// LeaseList is a page of leases.
	LeaseList = List[Lease]
	// NetworkList is a page of networks.
	NetworkList = List[Network]
	// AgentList is a page of agents.
	AgentList = List[Agent]
	// VMList is a page of machines.
	VMList = List[VM]
)

// About says who answers, who asks, and what the caller may do.
type About struct {
	Version   string    `json:"version"`
	Replica   string    `json:"replica"`
	StartedAt time.Time `json:"startedAt"`
	// Leader tells whether this replica runs the controllers.
	Leader bool `json:"leader"`
	User   User `json:"user"`
	// Allowed is about every namespace: listPools, createPools, listLeases,
	// listVMs, listNetworks.
	Allowed Allowed `json:"allowed"`
	// Namespaces are those with pools that the caller may read; nil when the
	// caller may read them all.
	Namespaces *[]string `json:"namespaces,omitempty"`
}

// User is the caller as Kubernetes knows them.
type User struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups,omitempty"`
}
