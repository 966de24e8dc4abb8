package v1

import "time"

// Network is a VM network, and why it has a pool or has none.
type Network struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
	// Type is Harvester's, such as L2VlanNetwork.
	Type           string `json:"type,omitempty"`
	ClusterNetwork string `json:"clusterNetwork,omitempty"`
	// VLAN is the VLAN identifier, 0 for none.
	VLAN int `json:"vlan,omitempty"`
	// Mode of the route: manual or auto.
	Mode    string `json:"mode,omitempty"`
	CIDR    string `json:"cidr,omitempty"`
	Gateway string `json:"gateway,omitempty"`
	// Managed tells whether a pool serves it.
	Managed bool       `json:"managed"`
	Pool    *ObjectRef `json:"pool,omitempty"`
	// Message says why it has a pool or has none, and what to do.
	Message string `json:"message"`
	// Nodes are those that carry it, sorted.
	Nodes []string `json:"nodes,omitempty"`
}

// Agent is one DHCP agent.
type Agent struct {
	// Name is that of its Pod.
	Name string `json:"name"`
	// Pool is the one that it serves.
	Pool  ObjectRef `json:"pool"`
	Node  string    `json:"node,omitempty"`
	Ready bool      `json:"ready"`
	// Message says why it is ready or not.
	Message   string    `json:"message"`
	Image     string    `json:"image,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	Restarts  int       `json:"restarts"`
}
