package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// reserve makes a reservation with the real kubectl, as a person does.
func (w *world) reserve(pool, address, what string) {
	w.t.Helper()
	w.kubectl(fmt.Sprintf(`{apiVersion: network.harvesterhci.io/v1alpha1, kind: IPLease, metadata: {name: %s.%s},
		spec: {poolName: %s, address: %s, origin: Manual%s}}`, pool, address, pool, address, what), "create", "-f", "-")
}

// TestAReservationOutlivesItsMachine: a NIC gets the address that a person has
// reserved for it, and the reservation is there until a person removes it.
func TestAReservationOutlivesItsMachine(t *testing.T) {
	s := apiServer(t)
	s.run(t, "reservations").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	w.reserve("blue", "10.1.0.10", "")
	w.reserve("blue", "10.1.0.15", `, macAddress: "52:54:00:00:00:15"`)
	w.reserve("blue", "10.1.0.16", `, owner: {kind: VirtualMachine, namespace: `+w.namespace+`, name: web}`)

	reserved := []string{"blue.10.1.0.10  -", "blue.10.1.0.15 52:54:00:00:00:15 -", "blue.10.1.0.16  web/"}
	w.holds(reserved...)

	devices := []device{{"eth0", "blue", "52:54:00:00:00:01"}, {"eth1", "blue", "52:54:00:00:00:15"}}
	w.vm("web", devices...)
	w.vm("other", device{"eth0", "blue", "52:54:00:00:00:02"})

	taken := []string{
		"blue.10.1.0.10  -", "blue.10.1.0.11 52:54:00:00:00:02 other/eth0",
		"blue.10.1.0.15 52:54:00:00:00:15 web/eth1", "blue.10.1.0.16 52:54:00:00:00:01 web/eth0",
	}
	w.holds(taken...)
	w.says("web", "eth0 10.1.0.16 Allocated Allocated", "eth1 10.1.0.15 Allocated Allocated")

	var pool v1alpha1.IPPool

	w.eventually(t, "the pool counts reservations as used", func() string {
		w.get(&pool, "blue")

		if c := pool.Status.IPv4; c == nil || c.Used != 4 || c.Used+c.Available+c.Reserved+c.Excluded != c.Size {
			return fmt.Sprintf("its status is %+v", c)
		}

		return ""
	})
	w.settled(t)

	w.deleteVM("web")
	w.holds(append(slices.Clone(reserved), taken[1])...)

	if message := w.event("IPPool", "blue", v1alpha1.ReasonReleased); !strings.Contains(message, "is kept by IPLease") {
		t.Errorf("the Event on the pool is: %s", message)
	}

	w.vm("web", devices...)
	w.holds(taken...)

	// One that is removed by hand while it is held is the machine's as any
	// other, and is free when the machine ends.
	w.kubectl("", "patch", "ipl", "blue.10.1.0.16", "--type=json", `--patch=[{"op":"remove","path":"/spec/reservation"}]`)
	w.deleteVM("web")
	w.holds(reserved[0], reserved[1], taken[1])
	w.settled(t)
}
