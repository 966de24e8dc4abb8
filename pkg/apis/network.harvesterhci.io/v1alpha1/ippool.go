package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Conditions of an IPPool. The names are those of vm-dhcp-controller, because
// dashboards and scripts read them.
const (
	// IPPoolRegistered is True when the pool's network exists and the pool is
	// the one that serves it.
	IPPoolRegistered = "Registered"
	// IPPoolCacheReady is True when the address plan is valid and addresses
	// are given out from it.
	IPPoolCacheReady = "CacheReady"
	// IPPoolAgentReady is True when at least one agent can answer DHCP.
	IPPoolAgentReady = "AgentReady"
	// IPPoolStopped is True while the pool is paused.
	IPPoolStopped = "Stopped"
)

// +genclient
// +kubebuilder:resource:shortName=ippl;ippls,categories=freehold
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Network",type=string,JSONPath=`.spec.networkName`
// +kubebuilder:printcolumn:name="CIDR",type=string,JSONPath=`.spec.ipv4Config.cidr`
// +kubebuilder:printcolumn:name="Used",type=integer,JSONPath=`.status.ipv4.used`
// +kubebuilder:printcolumn:name="Available",type=integer,JSONPath=`.status.ipv4.available`
// +kubebuilder:printcolumn:name="Agents",type=string,JSONPath=`.status.agent.summary`
// +kubebuilder:printcolumn:name="Registered",type=string,JSONPath=`.status.conditions[?(@.type=='Registered')].status`
// +kubebuilder:printcolumn:name="CacheReady",type=string,JSONPath=`.status.conditions[?(@.type=='CacheReady')].status`
// +kubebuilder:printcolumn:name="AgentReady",type=string,JSONPath=`.status.conditions[?(@.type=='AgentReady')].status`
// +kubebuilder:printcolumn:name="Server",type=string,JSONPath=`.spec.ipv4Config.serverIP`,priority=1
// +kubebuilder:printcolumn:name="Range",type=string,JSONPath=`.status.ipv4.range`,priority=1
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=='AgentReady')].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IPPool is the address plan of one VM network: which addresses there are, what
// is kept back, and what the DHCP agents tell the guests.
type IPPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the plan that the user wants.
	// +required
	Spec IPPoolSpec `json:"spec"`
	// status is what is held, what is free and who answers.
	// +optional
	Status IPPoolStatus `json:"status,omitempty"`
}

// IPPoolSpec is the address plan that the user wants.
type IPPoolSpec struct {
	// networkName is the NetworkAttachmentDefinition that the pool serves, as
	// "namespace/name"; without a namespace the pool's own is meant. It cannot
	// be changed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="networkName cannot be changed; create another IPPool for the other network"
	NetworkName string `json:"networkName"`

	// ipv4Config is the IPv4 plan and the DHCP options that go with it.
	// +required
	IPv4Config IPv4Config `json:"ipv4Config"`

	// paused stops the pool's agents and gives out no more addresses.
	// Addresses already held stay held.
	// +optional
	Paused *bool `json:"paused,omitempty"`

	// agent says how the DHCP agents of the pool run.
	// +optional
	Agent *AgentSpec `json:"agent,omitempty"`
}

// AgentSpec says how the DHCP agents of a pool run.
type AgentSpec struct {
	// replicas is the wanted number of agents, each on a node of its own that
	// carries the cluster network. Default 2; never more than there are such
	// nodes.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Replicas *int32 `json:"replicas,omitempty"`
}

// IPv4Config is the IPv4 address plan of a pool and its DHCP options. All of it
// but cidr can be edited while addresses are held; an edit that would strand a
// held address is refused, and an edited option is in the very next DHCPACK.
type IPv4Config struct {
	// serverIP is the address and server identifier (option 54) of the DHCP
	// agents. When empty, the first usable address that is neither the router
	// nor excluded is filled in.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	ServerIP string `json:"serverIP,omitempty"`

	// cidr is the network's prefix, such as 192.168.48.0/24. It cannot be
	// changed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=18
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="cidr cannot be changed; create another VM network and pool for another prefix"
	CIDR string `json:"cidr"`

	// pool is the range of addresses that are given out. When empty, it is all
	// usable addresses of cidr.
	// +optional
	Pool Pool `json:"pool,omitempty"`

	// router is the default gateway (option 3). Empty: guests get none.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	Router string `json:"router,omitempty"`

	// dns lists the name servers (option 6) in order of preference.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:MaxLength=15
	DNS []string `json:"dns,omitempty"`

	// domainName is the guests' DNS domain (option 15).
	// +optional
	// +kubebuilder:validation:MaxLength=253
	DomainName *string `json:"domainName,omitempty"`

	// domainSearch is the guests' search list (option 119).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	DomainSearch []string `json:"domainSearch,omitempty"`

	// ntp lists the time servers (option 42) as addresses or host names; host
	// names are resolved by the agents, away from the packet path.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=253
	NTP []string `json:"ntp,omitempty"`

	// leaseTime is the lease time (option 51) in seconds. Default 86400, a day.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	LeaseTime *int `json:"leaseTime,omitempty"`

	// mtu is the interface MTU (option 26) in bytes. Empty: not sent.
	// +optional
	// +kubebuilder:validation:Minimum=576
	// +kubebuilder:validation:Maximum=65535
	MTU *int32 `json:"mtu,omitempty"`

	// routes are classless static routes (option 121, RFC 3442). The default
	// route by way of router is added to them, because clients that read
	// option 121 ignore option 3.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Routes []Route `json:"routes,omitempty"`
}

// Pool is the range of addresses of a plan that are given out.
type Pool struct {
	// start is the first address of the range. When empty, the first usable one.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	Start string `json:"start,omitempty"`
	// end is the last address of the range; it may equal start. When empty,
	// the last usable one.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	End string `json:"end,omitempty"`
	// exclude lists what is never given out: single addresses, ranges
	// ("192.168.48.10-192.168.48.19") or prefixes ("192.168.48.16/28").
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=31
	Exclude []string `json:"exclude,omitempty"`
}

// Route is a classless static route that guests learn by DHCP (RFC 3442).
type Route struct {
	// destination is the prefix that is reached, such as 10.0.0.0/8.
	// +required
	// +kubebuilder:validation:MaxLength=18
	Destination string `json:"destination"`
	// gateway is the next hop; 0.0.0.0 means that destination is on the link.
	// +required
	// +kubebuilder:validation:MaxLength=15
	Gateway string `json:"gateway"`
}

// IPPoolStatus is what is held, what is free and who answers.
type IPPoolStatus struct {
	// observedGeneration is the generation of spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastUpdate is when the status was written last.
	// +optional
	LastUpdate *metav1.Time `json:"lastUpdate,omitempty"`

	// ipv4 counts the pool's addresses. Absent until the plan was first read.
	// +optional
	IPv4 *IPv4Status `json:"ipv4,omitempty"`

	// agent tells how many agents answer, and where.
	// +optional
	Agent *AgentStatus `json:"agent,omitempty"`

	// conditions are Registered, CacheReady, AgentReady and Stopped.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// IPv4Status counts the addresses of a pool's range. Used, available, reserved
// and excluded always add up to size.
type IPv4Status struct {
	// range is the range in words, such as "192.168.48.81-192.168.48.90".
	// +optional
	Range string `json:"range,omitempty"`
	// size is the number of addresses in the range.
	// +optional
	Size int64 `json:"size,omitempty"`
	// used is the number of addresses that are held.
	// +required
	Used int64 `json:"used"`
	// available is the number of addresses that can still be given out.
	// +required
	Available int64 `json:"available"`
	// reserved is the number of addresses in the range that are the server's
	// or the router's.
	// +optional
	Reserved int64 `json:"reserved,omitempty"`
	// excluded is the number of excluded addresses in the range.
	// +optional
	Excluded int64 `json:"excluded,omitempty"`
	// allocated shows who holds what: address to MAC, or to "EXCLUDED" or
	// "RESERVED". It is a view for old tools, filled only for pools of at most
	// 1,024 leases and written at most once a second; IPLease objects are the
	// truth.
	// +optional
	Allocated map[string]string `json:"allocated,omitempty"`
}

// AgentStatus tells how many DHCP agents of a pool answer, and where.
type AgentStatus struct {
	// summary is ready over wanted, such as "2/2".
	// +optional
	Summary string `json:"summary,omitempty"`
	// replicas is the number of agents that should run.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// ready is the number of agents that can answer.
	// +optional
	Ready int32 `json:"ready,omitempty"`
	// image is the image that the agents should run.
	// +optional
	Image string `json:"image,omitempty"`
	// nodes lists the nodes with a ready agent, sorted.
	// +optional
	// +listType=atomic
	Nodes []string `json:"nodes,omitempty"`
}
