package vmnetcfg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// TestWhoeverIsBehindTakesNothingAway: a manager that knows of a NIC's lease
// before it knows of the NIC, or of what the NIC wanted before, leaves both alone.
func TestWhoeverIsBehindTakesNothingAway(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		before, after []v1alpha1.NetworkConfig
		want          []string
	}{
		"a NIC that was added": {
			before: []v1alpha1.NetworkConfig{eth0("")}, after: []v1alpha1.NetworkConfig{eth0(""), eth("eth1", "net", mac(2), "")},
			want: []string{"net.10.0.0.2 52:54:00:00:00:01 VirtualMachine/one/eth0", "net.10.0.0.3 52:54:00:00:00:02 VirtualMachine/one/eth1"},
		},
		"another wanted address": {
			before: []v1alpha1.NetworkConfig{eth0("10.0.0.3")}, after: []v1alpha1.NetworkConfig{eth0("10.0.0.4")},
			want: []string{"net.10.0.0.4 52:54:00:00:00:01 VirtualMachine/one/eth0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld()
			w.pool("net")
			w.vm("one", tc.before...)

			ahead, behind := w.manager(), w.manager()
			w.set(tc.after...)
			ahead.settle(t)
			behind.leases.Sync()

			if err := behind.reconcile(t, "vms/one"); err != nil {
				t.Error(err)
			}

			if diff := cmp.Diff(tc.want, w.held()); diff != "" {
				t.Errorf("leases (-want +got):\n%s", diff)
			}

			if err := w.requests.Delete("vms", "one", nil); err != nil {
				t.Fatal(err)
			}

			if err := behind.reconcile(t, "vms/one"); err != nil || len(w.held()) != len(tc.want) {
				t.Errorf("with the request gone: %v, %v", err, w.held())
			}
		})
	}
}
