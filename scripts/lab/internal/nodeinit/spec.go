// Package nodeinit is what runs as process 1 of a node: it sets up the node's
// mounts and network, starts and restarts its daemons, collects orphans and
// takes orders over a socket. It runs in namespaces that its parent made; its
// death is the node's.
package nodeinit

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// Spec says what a node is made of.
type Spec struct {
	Hostname string       `json:"hostname"`
	Socket   string       `json:"socket"`            // where orders are taken
	Dir      string       `json:"dir"`               // what outlives the node's restart
	Machine  bool         `json:"machine"`           // set up /run, /dev and so on as a machine of its own has them
	Links    []Link       `json:"links"`             // interfaces to wait for, in order
	Routes   []Route      `json:"routes"`            //
	VLANs    *vlan.Config `json:"vlans,omitempty"`   // for the CNI plugin
	Services []Service    `json:"services"`          //
	Sysctls  [][2]string  `json:"sysctls,omitempty"` // name with slashes, value
	MTU      int          `json:"mtu"`               // of the bridges
	Filter   bool         `json:"filter"`            // bridges filter VLANs
}

// Link is an interface that the parent moves into the node.
type Link struct {
	Name    string       `json:"name"`
	Bridge  string       `json:"bridge,omitempty"` // made and given the address in the link's stead
	Address netip.Prefix `json:"address"`          // may be the zero value
}

// Route is a route through another node; the zero Destination is the default.
type Route struct {
	Destination netip.Prefix `json:"destination"`
	Via         netip.Addr   `json:"via"`
}

// Service is a daemon. It is started again whenever it ends, unless it was
// stopped by an order.
type Service struct {
	Name    string   `json:"name"`
	Argv    []string `json:"argv"`
	Env     []string `json:"env,omitempty"`
	Log     string   `json:"log"`               // output is appended to this file
	WaitFor string   `json:"waitFor,omitempty"` // path that has to be there first
	Held    bool     `json:"held,omitempty"`    // start only when ordered to
}

// Write stores the specification.
func (s Spec) Write(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}

func readSpec(path string) (Spec, error) {
	var s Spec
	data, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
