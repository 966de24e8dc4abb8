// Cni is the CNI plugin that the lab installs under the name bridge. For
// bridges of cluster networks it makes the VLAN asked for, or refuses on a node
// that does not carry the network; then it hands over to the unchanged bridge
// plugin beside it. Every other configuration goes there as it is.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// upstream is the name of the bridge plugin beside this one.
const upstream = "bridge-upstream"

func main() {
	if err := run(); err != nil {
		// The error format of the CNI specification, code 999: plugin-specific.
		data, _ := json.Marshal(map[string]any{"cniVersion": "1.0.0", "code": 999, "msg": err.Error()}) //nolint:errchkjson // plain strings
		fmt.Println(string(data))
		os.Exit(1)
	}
}

func run() error {
	config, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	config, err = rewrite(config, os.Getenv("CNI_COMMAND"), func(bridge string, id int) (string, error) {
		c, err := vlan.Read(vlan.ConfigPath)
		if err != nil {
			return "", err
		}
		return vlan.Ensure(c, bridge, id)
	}, planned)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The plugins lie side by side under the names they are called by; the
	// executable may be the target of a link elsewhere.
	dir := filepath.Dir(self)
	if paths := filepath.SplitList(os.Getenv("CNI_PATH")); len(paths) > 0 {
		dir = paths[0]
	}
	cmd := exec.Command(filepath.Join(dir, upstream))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		if cmd.ProcessState != nil { // it has already said what was wrong
			os.Exit(max(cmd.ProcessState.ExitCode(), 1))
		}
		return fmt.Errorf("run the %s plugin: %w", upstream, err)
	}
	return nil
}

// planned is what ensure would return, without making anything.
func planned(bridge string, id int) (string, error) {
	c, err := vlan.Read(vlan.ConfigPath)
	if err != nil {
		return "", err
	}
	n, ok := c.Networks[bridge]
	if !ok || id == 0 || c.Mode == vlan.Filtering {
		return bridge, nil
	}
	p, err := vlan.PlanFor(n, id)
	return p.Bridge, err
}

// rewrite replaces the bridge and the VLAN of a cluster network's configuration
// by the bridge to attach to. ADD makes it with ensure; the other commands only
// look it up with plan, so that taking apart never fails on what is gone.
func rewrite(config []byte, command string, ensure, plan func(bridge string, id int) (string, error)) ([]byte, error) {
	if len(bytes.TrimSpace(config)) == 0 { // VERSION needs none
		return config, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, fmt.Errorf("configuration is not a JSON object: %w", err)
	}
	var c struct {
		Bridge string `json:"bridge"`
		VLAN   int    `json:"vlan"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if !strings.HasSuffix(c.Bridge, "-br") {
		return config, nil
	}
	look := plan
	if command == "ADD" {
		look = ensure
	}
	bridge, err := look(c.Bridge, c.VLAN)
	if err != nil {
		return nil, err
	}
	if bridge == c.Bridge {
		return config, nil
	}
	delete(fields, "vlan")
	if fields["bridge"], err = json.Marshal(bridge); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
