package v1

import "time"

// LeaseState is one word for how a lease is.
type LeaseState string

// States of a lease.
const (
	// LeaseAllocated is held by a NIC.
	LeaseAllocated LeaseState = "Allocated"
	// LeaseReserved is kept by a person.
	LeaseReserved LeaseState = "Reserved"
	// LeaseConflict was declined by its guest, because somebody else uses it.
	LeaseConflict LeaseState = "Conflict"
	// LeaseOrphaned has lost its owner or its pool and is about to be freed.
	LeaseOrphaned LeaseState = "Orphaned"
)

// Lease is one address that is held or kept.
type Lease struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	// Pool is in the same namespace.
	Pool string `json:"pool"`
	// Network is "namespace/name", "" when the pool is gone.
	Network string `json:"network"`
	Address string `json:"address"`
	// MAC is in lower case with colons; "" when nobody is answered.
	MAC   string     `json:"mac,omitempty"`
	State LeaseState `json:"state"`
	// Message is what is to be said of the state.
	Message string `json:"message,omitempty"`
	// Origin is how the lease came to be: Allocated, Requested, Manual.
	Origin string `json:"origin"`
	// Fixed tells whether the owner asks for this very address.
	Fixed bool        `json:"fixed"`
	Owner *LeaseOwner `json:"owner,omitempty"`
	// Reservation is for whom the address is kept when its owner ends; nil when
	// it is free then.
	Reservation *LeaseReservation `json:"reservation,omitempty"`
	Comment     string            `json:"comment,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	Observed    *Observed         `json:"observed,omitempty"`
	Allowed     Allowed           `json:"allowed,omitempty"`
}

// LeaseOwner is who holds an address, or for whom it is kept: without a UID
// nobody of that name has taken it up.
type LeaseOwner struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
	// Interface is the NIC in the machine's spec.
	Interface string `json:"interface,omitempty"`
}

// LeaseReservation is for whom an address is kept; empty, for nobody.
type LeaseReservation struct {
	MAC   string      `json:"mac,omitempty"`
	Owner *LeaseOwner `json:"owner,omitempty"`
}

// Observed is what the agents of a pool saw of an address. When Known is false,
// Why says why nothing is known.
type Observed struct {
	Known bool   `json:"known"`
	Why   string `json:"why,omitempty"`
	// ListeningSince is from when on the agents have listened: they know of
	// nothing before.
	ListeningSince time.Time `json:"listeningSince,omitzero"`
	FirstSeen      time.Time `json:"firstSeen,omitzero"`
	LastSeen       time.Time `json:"lastSeen,omitzero"`
	// LastMessage is the last DHCP message, such as DHCPACK.
	LastMessage string    `json:"lastMessage,omitempty"`
	ExpiresAt   time.Time `json:"expiresAt,omitzero"`
	// Hostname and VendorClass are what the guest told of itself.
	Hostname    string `json:"hostname,omitempty"`
	VendorClass string `json:"vendorClass,omitempty"`
	// Agent is the one that saw it last.
	Agent string `json:"agent,omitempty"`
	// Options are those of the last DHCPACK.
	Options []Option `json:"options,omitempty"`
}

// Reservation asks for an address to be kept for at most one of MAC and VM;
// without both, for nobody.
type Reservation struct {
	// Address is the one to keep; "" to have one chosen.
	Address string         `json:"address,omitempty"`
	MAC     string         `json:"mac,omitempty"`
	VM      *ReservationVM `json:"vm,omitempty"`
	Comment string         `json:"comment,omitempty"`
}

// ReservationVM is the machine that an address is kept for.
type ReservationVM struct {
	// Namespace is the pool's by default.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Interface string `json:"interface,omitempty"`
}

// Release is what was released, or would be.
type Release struct {
	Lease    Lease    `json:"lease"`
	Warnings []string `json:"warnings"`
}

// History is what happened to an address, newest first.
type History struct {
	Items []HistoryItem `json:"items"`
	// Since is from when on it is known.
	Since time.Time `json:"since"`
	// Note says what is not known and why.
	Note string `json:"note,omitempty"`
	Gaps []Gap  `json:"gaps,omitempty"`
}

// Sources of what is in a History.
const (
	// SourceObject is the object itself.
	SourceObject = "object"
	// SourceChange is a change that this replica has seen.
	SourceChange = "change"
	// SourceWire is a DHCP message that an agent has seen.
	SourceWire = "wire"
)

// HistoryItem is one thing that happened to an address.
type HistoryItem struct {
	At     time.Time `json:"at"`
	Source string    `json:"source"`
	// What is Created, Changed, Deleted, or the DHCP message such as DHCPACK.
	What string `json:"what"`
	// Direction of a message as the agent sees it: in or out.
	Direction string `json:"direction,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Agent     string `json:"agent,omitempty"`
}
