package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
)

// Light is a light guest: a network namespace in a node, with a NIC on the
// bridge of a VM network and a DHCP client in it. It costs a process or two
// where a virtual machine costs hundreds of megabytes. Its methods may be used
// concurrently; Close ends it.
type Light struct {
	node   *cluster.Node
	name   string // of the namespace, within the node
	dir    string // files of this guest
	config []byte // of the CNI plugin
	mac    string

	mu      sync.Mutex
	clients []*exec.Cmd
}

// lightNIC is the name of a light guest's NIC.
const lightNIC = "eth0"

// closeTimeout bounds how long Close takes to detach.
const closeTimeout = 20 * time.Second

// Attach makes a light guest in the node, on the network of the given
// NetworkAttachmentDefinition, by way of the CNI plugin that attaches virtual
// machines too. An empty mac leaves it to the kernel. It fails on nodes that do
// not carry the network's cluster network.
func Attach(ctx context.Context, node *cluster.Node, nad *unstructured.Unstructured, mac string) (*Light, error) {
	config, err := pluginConfig(nad)
	if err != nil {
		return nil, fmt.Errorf("attach a light guest: %w", err)
	}
	if mac != "" {
		if hw, err := net.ParseMAC(mac); err != nil || len(hw) != 6 {
			return nil, fmt.Errorf("attach a light guest: MAC %q: want six octets such as 02:00:00:00:08:17", mac)
		}
	}
	dir, err := os.MkdirTemp("", "light-guest-")
	if err != nil {
		return nil, fmt.Errorf("attach a light guest: %w", err)
	}
	l := &Light{node: node, name: "light-" + rand.String(8), dir: dir, config: config, mac: mac}
	if err := l.attach(ctx); err != nil {
		err = fmt.Errorf("attach a light guest to %s/%s on node %s: %w", nad.GetNamespace(), nad.GetName(), node.Name, err)
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// pluginConfig returns the CNI configuration of a definition.
func pluginConfig(nad *unstructured.Unstructured) ([]byte, error) {
	text, _, err := unstructured.NestedString(nad.Object, "spec", "config")
	if err != nil {
		return nil, err
	}
	var config struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return nil, fmt.Errorf("network %s/%s: spec.config %q: %w", nad.GetNamespace(), nad.GetName(), text, err)
	}
	if config.Type != "bridge" {
		return nil, fmt.Errorf("network %s/%s: spec.config.type %q: only bridge networks take light guests", nad.GetNamespace(), nad.GetName(), config.Type)
	}
	return []byte(text), nil
}

func (l *Light) attach(ctx context.Context) error {
	if _, err := l.node.Exec(ctx, "ip", "netns", "add", l.name); err != nil {
		return err
	}
	if err := l.plugin(ctx, "ADD"); err != nil {
		return err
	}
	steps := [][]string{{"link", "set", "lo", "up"}}
	if l.mac != "" {
		steps = append(steps, []string{"link", "set", lightNIC, "down"}, []string{"link", "set", lightNIC, "address", l.mac})
	}
	for _, s := range append(steps, []string{"link", "set", lightNIC, "up"}) {
		if _, err := l.node.Exec(ctx, append([]string{"ip", "-n", l.name}, s...)...); err != nil {
			return err
		}
	}
	out, err := l.node.Exec(ctx, "ip", "netns", "exec", l.name, "cat", "/sys/class/net/"+lightNIC+"/address")
	l.mac = strings.TrimSpace(string(out))
	return err
}

// plugin runs the node's CNI bridge plugin, as the container runtime does.
func (l *Light) plugin(ctx context.Context, verb string) error {
	// The plugin is called by the name and found beside its siblings.
	script := `dir=$(dirname "$(command -v bridge-upstream)") && CNI_PATH=$dir exec "$dir/bridge"`
	cmd, err := l.node.Command(ctx, "env", "CNI_COMMAND="+verb, "CNI_CONTAINERID="+l.name,
		"CNI_NETNS=/run/netns/"+l.name, "CNI_IFNAME="+lightNIC, "sh", "-c", script)
	if err != nil {
		return err
	}
	cmd.Stdin = bytes.NewReader(l.config)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("CNI %s: %w: %s", verb, err, bytes.TrimSpace(out))
	}
	return nil
}

// MAC returns the NIC's MAC.
func (l *Light) MAC() string { return l.mac }

// Node returns the node the guest is in.
func (l *Light) Node() *cluster.Node { return l.node }

// Exec runs a command in the guest and returns its output.
func (l *Light) Exec(ctx context.Context, argv ...string) ([]byte, error) {
	return l.node.Exec(ctx, append([]string{"ip", "netns", "exec", l.name}, argv...)...)
}

// Events returns what the guest's DHCP clients have done so far.
func (l *Light) Events() ([]Event, error) {
	data, err := os.ReadFile(filepath.Join(l.dir, "events"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("light guest %s: %w", l.mac, err)
	}
	return ParseConsole(bytes.NewReader(data))
}

// Output returns what the clients have printed, for when one does not work.
func (l *Light) Output() string {
	data, err := os.ReadFile(filepath.Join(l.dir, "output"))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Stop ends the DHCP clients without a word to the server, as when the power
// fails. The NIC stays.
func (l *Light) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.clients {
		unix.Kill(-c.Process.Pid, unix.SIGKILL) //nolint:errcheck // it may have ended
		c.Wait()                                //nolint:errcheck // killed
	}
	l.clients = nil
}

// Close stops the clients and removes the NIC, the namespace and the files. It
// does so too when the node is down, as far as something is left.
func (l *Light) Close() error {
	l.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout) // also after the caller's end
	defer cancel()
	var errs []error
	if l.node.Pid() != 0 {
		errs = append(errs, l.plugin(ctx, "DEL"))
		_, err := l.node.Exec(ctx, "ip", "netns", "del", l.name)
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, os.RemoveAll(l.dir))...); err != nil {
		return fmt.Errorf("remove light guest %s: %w", l.mac, err)
	}
	return nil
}
