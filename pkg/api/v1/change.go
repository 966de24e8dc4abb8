package v1

// ChangeKind is what changed.
type ChangeKind string

// Kinds of changes.
const (
	ChangePool    ChangeKind = "pool"
	ChangeLease   ChangeKind = "lease"
	ChangeNetwork ChangeKind = "network"
	ChangeAgent   ChangeKind = "agent"
	ChangeVM      ChangeKind = "vm"
)

// ChangeType is how it changed.
type ChangeType string

// Types of changes.
const (
	ChangeAdded   ChangeType = "added"
	ChangeChanged ChangeType = "changed"
	ChangeRemoved ChangeType = "removed"
)

// Change is the data of an event.
type Change struct {
	Kind      ChangeKind `json:"kind"`
	Type      ChangeType `json:"type"`
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	// Object is the Pool, Lease, Network, Agent or VM as it is now; nil when it
	// was removed.
	Object any `json:"object,omitempty"`
}
