// Package vlan gives the VLANs of cluster networks, inside a node. Where the
// kernel filters VLANs on bridges, nothing has to be done: the bridge carries
// the tags. Where it does not, every VLAN gets a bridge of its own, which a
// VXLAN device joins with the other nodes over the cluster network's uplink; a
// cut uplink therefore cuts the VLAN as well.
package vlan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
)

// ConfigPath is where a node describes its cluster networks to the CNI plugin,
// in the node's own mount namespace.
const ConfigPath = "/run/freehold-lab/cluster-networks.json"

// MTU is what guests see on every VLAN; uplinks are larger by Overhead.
const (
	MTU      = 1500
	Overhead = 100 // VXLAN over IPv4 takes 50
)

// Mode says how VLANs are made.
type Mode string

// The two modes.
const (
	Filtering Mode = "filtering" // the kernel's bridge VLAN filtering
	Overlay   Mode = "overlay"   // one bridge and VXLAN device per VLAN
)

// Describe says in words what the mode means.
func (m Mode) Describe() string {
	if m == Filtering {
		return "VLANs: the kernel's bridge VLAN filtering"
	}
	return "VLANs: stand-in (this kernel has no bridge VLAN filtering): one bridge per VLAN, joined between the nodes by VXLAN over the cluster network's uplink"
}

// Config is what a node's CNI plugin knows of cluster networks.
type Config struct {
	Node     string             `json:"node"`
	Mode     Mode               `json:"mode"`
	Networks map[string]Network `json:"networks"` // by the name of the bridge, such as mgmt-br
}

// Network is a cluster network on one node.
type Network struct {
	Name   string     `json:"name"`
	Index  int        `json:"index"`  // 1 to MaxIndex, the same on every node
	Uplink netip.Addr `json:"uplink"` // the node's address on the untagged bridge, for VXLAN only
}

// MaxIndex bounds Network.Index: it is an octet and part of names and ports.
const MaxIndex = 99

// BridgeName returns the name of a cluster network's bridge.
func BridgeName(clusterNetwork string) string { return clusterNetwork + "-br" }

// Plan is what one VLAN of a cluster network is made of in Overlay mode.
type Plan struct {
	Bridge string     // bridge that the VLAN's members are attached to
	VXLAN  string     // device that joins it with the other nodes
	Device string     // device that the VXLAN runs over
	VNI    int        // the VLAN id
	Port   uint16     // UDP port, one per cluster network, because a VNI is unique per port only
	Group  netip.Addr // multicast group for frames to several or unknown receivers
	Local  netip.Addr // this node's end
}

// PlanFor returns how the VLAN id of a cluster network is made. It fails on an
// id outside 1 to 4094 and on an index that is out of bounds.
func PlanFor(n Network, id int) (Plan, error) {
	if id < 1 || id > 4094 {
		return Plan{}, fmt.Errorf("vlan %d of cluster network %s: want 1 to 4094", id, n.Name)
	}
	if n.Index < 1 || n.Index > MaxIndex {
		return Plan{}, fmt.Errorf("cluster network %s: index %d: want 1 to %d", n.Name, n.Index, MaxIndex)
	}
	return Plan{
		Bridge: fmt.Sprintf("cn%d.%d", n.Index, id),
		VXLAN:  fmt.Sprintf("vx%d.%d", n.Index, id),
		Device: BridgeName(n.Name),
		VNI:    id,
		Port:   uint16(4800 + n.Index),
		Group:  netip.AddrFrom4([4]byte{239, byte(n.Index), byte(id >> 8), byte(id)}),
		Local:  n.Uplink,
	}, nil
}

// Read reads the configuration that the node wrote.
func Read(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%s is missing: this is not a node of the lab", path)
	}
	if err != nil {
		return Config{}, err
	}
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Write writes the configuration to path.
func (c Config) Write(path string) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
