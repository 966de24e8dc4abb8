package v1

import "time"

// PoolState is one word for how a pool is.
type PoolState string

// States of a pool.
const (
	// PoolReady means that every agent that should answer does.
	PoolReady PoolState = "Ready"
	// PoolDegraded means that it is served by fewer agents than it should be,
	// or that its addresses have run out.
	PoolDegraded PoolState = "Degraded"
	// PoolUnserved means that no agent answers.
	PoolUnserved PoolState = "Unserved"
	// PoolPaused means that a person has paused it.
	PoolPaused PoolState = "Paused"
	// PoolInvalid means that its plan cannot be read, or that it does not serve
	// its network.
	PoolInvalid PoolState = "Invalid"
	// PoolUnknown means that no manager has looked at the pool as it is yet.
	PoolUnknown PoolState = "Unknown"
)

// Pool is the address plan of one VM network and how it is served.
type Pool struct {
	Namespace       string      `json:"namespace"`
	Name            string      `json:"name"`
	UID             string      `json:"uid"`
	CreatedAt       time.Time   `json:"createdAt"`
	ResourceVersion string      `json:"resourceVersion"`
	Network         PoolNetwork `json:"network"`
	Spec            PoolPlan    `json:"spec"`
	State           PoolState   `json:"state"`
	// Message says in plain words why the state is what it is.
	Message    string      `json:"message"`
	Counts     Counts      `json:"counts"`
	Agents     PoolAgents  `json:"agents"`
	Conditions []Condition `json:"conditions"`
	Allowed    Allowed     `json:"allowed,omitempty"`
}

// PoolNetwork is the network that a pool serves.
type PoolNetwork struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Exists    bool   `json:"exists"`
	// ClusterNetwork is Harvester's cluster network.
	ClusterNetwork string `json:"clusterNetwork,omitempty"`
	// VLAN is the VLAN identifier, 0 for none.
	VLAN int `json:"vlan,omitempty"`
}

// PoolPlan is the plan of a pool, in the fields of an IPPool's spec.
type PoolPlan struct {
	NetworkName string     `json:"networkName"`
	Paused      *bool      `json:"paused,omitempty"`
	Agent       *AgentPlan `json:"agent,omitempty"`
	IPv4Config  IPv4Config `json:"ipv4Config"`
}

// AgentPlan says how the agents of a pool run.
type AgentPlan struct {
	// Replicas is the wanted number of agents, 1 to 16.
	Replicas *int32 `json:"replicas,omitempty"`
}

// IPv4Config is the address plan and the DHCP options.
type IPv4Config struct {
	CIDR         string      `json:"cidr"`
	ServerIP     string      `json:"serverIP,omitempty"`
	Pool         *RangePlan  `json:"pool,omitempty"`
	Router       string      `json:"router,omitempty"`
	DNS          []string    `json:"dns,omitempty"`
	DomainName   *string     `json:"domainName,omitempty"`
	DomainSearch []string    `json:"domainSearch,omitempty"`
	NTP          []string    `json:"ntp,omitempty"`
	LeaseTime    *int        `json:"leaseTime,omitempty"` // seconds
	MTU          *int32      `json:"mtu,omitempty"`       // bytes
	Routes       []RoutePlan `json:"routes,omitempty"`
}

// RangePlan is the range of addresses that are given out.
type RangePlan struct {
	Start   string   `json:"start,omitempty"`
	End     string   `json:"end,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
}

// RoutePlan is a classless static route (RFC 3442).
type RoutePlan struct {
	Destination string `json:"destination"`
	Gateway     string `json:"gateway"`
}

// Counts divides the addresses of a pool's range. Used, available, reserved and
// excluded add up to size; all are nil while the plan cannot be read.
type Counts struct {
	Size      *int64 `json:"size"`
	Used      *int64 `json:"used"`
	Available *int64 `json:"available"`
	Reserved  *int64 `json:"reserved"`
	Excluded  *int64 `json:"excluded"`
}

// PoolAgents tells how many agents answer for a pool, and where.
type PoolAgents struct {
	Ready  int      `json:"ready"`
	Wanted int      `json:"wanted"`
	Nodes  []string `json:"nodes"`
}

// PoolCreate asks for a new pool.
type PoolCreate struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Spec      PoolPlan `json:"spec"`
}

// PoolEdit is a merge patch (RFC 7396) of a pool's plan; null removes a field.
type PoolEdit struct {
	Spec map[string]any `json:"spec"`
	// ResourceVersion, when set, must be the pool's own.
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// PoolPreview is what a change of a pool would do.
type PoolPreview struct {
	Pool     Pool          `json:"pool"`
	Changes  []FieldChange `json:"changes"`
	Affected []Affected    `json:"affected"`
	// Guest are the options that a guest is given.
	Guest    []Option `json:"guest"`
	Warnings []string `json:"warnings"`
}

// FieldChange is a field as it is and as it would be.
type FieldChange struct {
	Field string `json:"field"`
	From  any    `json:"from,omitempty"`
	To    any    `json:"to,omitempty"`
}

// Affected is a lease for which something would change.
type Affected struct {
	Lease  Lease  `json:"lease"`
	Effect string `json:"effect"`
}

// AddressState is what an address of a pool's prefix is.
type AddressState string

// States of an address.
const (
	// AddressFree can be given out.
	AddressFree AddressState = "free"
	// AddressLeased is held by a NIC.
	AddressLeased AddressState = "leased"
	// AddressReserved is kept by a person and held by nobody.
	AddressReserved AddressState = "reserved"
	// AddressExcluded is never given out.
	AddressExcluded AddressState = "excluded"
	// AddressServer and AddressRouter are the agents' and the gateway's.
	AddressServer AddressState = "server"
	AddressRouter AddressState = "router"
	// AddressConflict is used by a machine that does not hold it.
	AddressConflict AddressState = "conflict"
	// AddressOutside is in the prefix and not in the range.
	AddressOutside AddressState = "outside"
)

// AddressMap shows the addresses of a pool from From to To.
type AddressMap struct {
	CIDR string `json:"cidr"`
	From string `json:"from"`
	To   string `json:"to"`
	// Runs are in the order of addresses, without gaps.
	Runs []AddressRun `json:"runs"`
	// Counts are the addresses of each state between From and To.
	Counts map[AddressState]uint64 `json:"counts"`
	Gaps   []Gap                   `json:"gaps,omitempty"`
}

// AddressRun is a run of addresses in the same state.
type AddressRun struct {
	First string       `json:"first"`
	Last  string       `json:"last"`
	Count uint64       `json:"count"`
	State AddressState `json:"state"`
	// Lease is the lease of the one address of a run in detail.
	Lease *Lease `json:"lease,omitempty"`
}
