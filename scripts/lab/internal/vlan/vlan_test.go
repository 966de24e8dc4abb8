package vlan

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func network(index int) Network {
	return Network{Name: "provider-all", Index: index, Uplink: netip.MustParseAddr("198.18.2.1")}
}

func TestPlanForIsUniqueAndFitsTheKernel(t *testing.T) {
	t.Parallel()
	type socket struct {
		port uint16
		vni  int
	}
	devices := map[string]bool{}
	sockets := map[socket]bool{}
	groups := map[netip.Addr]bool{}
	for _, index := range []int{1, 2, 10, 42, MaxIndex} {
		for id := 1; id <= 4094; id++ {
			p, err := PlanFor(network(index), id)
			if err != nil {
				t.Fatalf("PlanFor(%d, %d): %v", index, id, err)
			}
			for _, name := range []string{p.Bridge, p.VXLAN} {
				if len(name) > 15 || devices[name] {
					t.Fatalf("PlanFor(%d, %d): device name %q is too long or taken", index, id, name)
				}
				devices[name] = true
			}
			s := socket{port: p.Port, vni: p.VNI}
			if sockets[s] {
				t.Fatalf("PlanFor(%d, %d): VNI %d on port %d is taken", index, id, p.VNI, p.Port)
			}
			sockets[s] = true
			if !p.Group.IsMulticast() || groups[p.Group] {
				t.Fatalf("PlanFor(%d, %d): group %s is taken or no multicast address", index, id, p.Group)
			}
			groups[p.Group] = true
		}
	}
}

func TestPlanForRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		index, id int
		want      string
	}{
		{1, 0, "want 1 to 4094"},
		{1, -1, "want 1 to 4094"},
		{1, 4095, "want 1 to 4094"},
		{0, 817, "index 0"},
		{MaxIndex + 1, 817, "index 100"},
	} {
		_, err := PlanFor(network(c.index), c.id)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("PlanFor(index %d, vlan %d) = %v, want an error with %q", c.index, c.id, err, c.want)
		}
	}
}

func TestConfigRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run", "networks.json")
	want := Config{Node: "node1", Mode: Overlay, Networks: map[string]Network{"provider-all-br": network(2)}}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("configuration read differs from the one written (-want +got):\n%s", diff)
	}
	if _, err := Read(path + ".none"); err == nil || !strings.Contains(err.Error(), "not a node of the lab") {
		t.Errorf("Read of a missing file = %v, want an error that says what is wrong", err)
	}
}

func TestEnsureRefusesANetworkThatTheNodeDoesNotCarry(t *testing.T) {
	t.Parallel()
	c := Config{Node: "node2", Mode: Overlay, Networks: map[string]Network{"mgmt-br": network(1)}}
	_, err := Ensure(c, "provider-cp-br", 5)
	if err == nil || !strings.Contains(err.Error(), "node node2 does not carry") {
		t.Errorf("Ensure = %v, want a refusal naming the node", err)
	}
}

func TestEnsureLeavesTheBridgeWhereTagsAreReal(t *testing.T) {
	t.Parallel()
	c := Config{Node: "node2", Mode: Filtering, Networks: map[string]Network{"mgmt-br": network(1)}}
	if got, err := Ensure(c, "mgmt-br", 817); err != nil || got != "mgmt-br" {
		t.Errorf("Ensure with filtering = %q, %v, want the bridge itself", got, err)
	}
	c.Mode = Overlay
	if got, err := Ensure(c, "mgmt-br", 0); err != nil || got != "mgmt-br" {
		t.Errorf("Ensure untagged = %q, %v, want the bridge itself", got, err)
	}
}
