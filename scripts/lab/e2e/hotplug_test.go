package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// TestNICPluggedIntoRunningGuest: a NIC that is added to a virtual machine while
// it runs gets an address at once, and the guest takes it when KubeVirt plugs
// the NIC in, which it does on the guest's way to another node.
func TestNICPluggedIntoRunningGuest(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "hot-plug")
	w.add(w.network("blue", 125, "172.20.25.0/24"), w.network("red", 126, "172.20.26.0/24"))
	w.served("blue")
	w.served("red")

	defer w.boots(1)()

	first := guest.VMNIC{Name: "first", Network: "blue", MAC: mac(125, 1)}
	second := guest.VMNIC{Name: "second", Network: "red", MAC: mac(126, 1)}
	w.create(guest.VMSpec{Name: "vm", NICs: []guest.VMNIC{first}})

	address := w.holds("vm", 1).Held()[0]
	booted := w.leased("vm", first.MAC, address)

	instance, err := w.vms.WaitRunning(w.ctx, "vm", guestTimeout)
	w.must(err)

	start := time.Now()
	w.setNICs("vm", first, second)

	request := w.holds("vm", 2)
	added := request.NIC("second").Address
	t.Logf("a NIC added to vm, which runs on %s, had %s after %s", instance.Node, added, seconds(time.Since(start)))

	w.until(guestTimeout, "KubeVirt to want vm moved", func() (bool, string) {
		condition := w.instanceCondition("vm", "MigrationRequired")

		return condition == "True", fmt.Sprintf("MigrationRequired %q", condition)
	})

	node, err := w.vms.Migrate(w.ctx, "vm", guestTimeout)
	w.must(err)

	said := w.leased("vm", second.MAC, added)
	t.Logf("KubeVirt plugged it in on the way from %s to %s; the guest says %s on it", instance.Node, node, said.Addr)

	renewed, took := w.renew("vm", first.MAC)
	after, err := w.vms.WaitRunning(w.ctx, "vm", guestTimeout)
	w.must(err)

	if after.UID != instance.UID || renewed.Addr.Addr() != address || renewed.Uptime < booted.Uptime {
		t.Fatalf("instance %s says %s %s after its boot; before, instance %s said %s", after.UID, renewed.Addr, renewed.Uptime, instance.UID, address)
	}

	t.Logf("it was never restarted: %s after its boot it renewed %s on its first NIC (%s)", seconds(renewed.Uptime), renewed.Addr, seconds(took))

	// Plugged out, also while it runs.
	second.Absent = true
	w.setNICs("vm", first, second)
	w.used("red", 0)
	t.Logf("with state absent the second NIC holds nothing: %s", w.holds("vm", 1))
}

// instanceCondition returns the status of a condition of the virtual machine's
// instance, or an empty string.
func (w *world) instanceCondition(name, kind string) string {
	instance, err := resource("kubevirt.io", "v1", "virtualmachineinstances").Namespace(w.namespace).Get(w.ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}

	conditions, _, err := unstructured.NestedSlice(instance.Object, "status", "conditions")
	if err != nil {
		return err.Error()
	}

	for _, entry := range conditions {
		if condition, ok := entry.(map[string]any); ok && condition["type"] == kind {
			return fmt.Sprint(condition["status"])
		}
	}

	return ""
}
