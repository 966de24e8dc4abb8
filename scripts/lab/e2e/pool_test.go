package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// TestPoolEditedWhileInUse: everything of a pool but its network and prefix may
// change under running guests, and nobody is cut off.
func TestPoolEditedWhileInUse(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "pool-edit")
	w.narrow("net", 105, "172.20.5.0/24", "172.20.5.10", "172.20.5.11")

	defer w.boots(1)()

	nic := mac(105, 1)
	w.create(guest.VMSpec{Name: "first", NICs: []guest.VMNIC{{Network: "net", MAC: nic}}})
	address := w.holds("first", 1).Held()[0]
	w.halted("net", 105, 2, "second", "third")
	w.leased("first", nic, address)

	// New options are in the very next answer.
	w.patchPool(`{"spec":{"ipv4Config":{"dns":["172.20.5.2","172.20.5.3"],"ntp":["172.20.5.4"],"leaseTime":900}}}`)

	renewed, took := w.renew("first", nic)
	want := []netip.Addr{netip.MustParseAddr("172.20.5.2"), netip.MustParseAddr("172.20.5.3")}

	if diff := cmp.Diff(want, renewed.DNS, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || renewed.Lease != 15*time.Minute {
		t.Fatalf("first renewed for %s (want 15m) with name servers (-want +got):\n%s", renewed.Lease, diff)
	}

	t.Logf("first renewed %s (%s) and says: name servers %v, time server %v, lease %s", renewed.Addr, seconds(took), renewed.DNS, renewed.NTP, renewed.Lease)

	// A range that grows makes room.
	full := []string{"second", "third"}
	waiting := full[0]

	w.until(allocateTimeout, "one of second and third to wait", func() (bool, string) {
		var states []string

		for _, name := range full {
			request, err := w.watch.Request(w.ctx, w.namespace, name)
			if err != nil {
				return false, err.Error()
			}

			states = append(states, request.String())

			if request.NIC("nic-0").Reason == "PoolExhausted" {
				waiting = name
			}
		}

		return strings.Contains(strings.Join(states, " "), "PoolExhausted"), strings.Join(states, "; ")
	})

	start := time.Now()
	w.patchPool(`{"spec":{"ipv4Config":{"pool":{"end":"172.20.5.12"}}}}`)

	last := netip.MustParseAddr("172.20.5.12")
	if got := w.holds(waiting, 1).Held()[0]; got != last {
		t.Fatalf("%s has %s of a range that grew by %s", waiting, got, last)
	}

	t.Logf("the range grew by %s, and %s, which waited, had it after %s", last, waiting, seconds(time.Since(start)))

	// What is excluded is not given out.
	w.patchPool(`{"spec":{"ipv4Config":{"pool":{"end":"172.20.5.14","exclude":["172.20.5.13"]}}}}`)
	w.halted("net", 105, 4, "fourth")

	if got := w.holds("fourth", 1).Held()[0]; got != netip.MustParseAddr("172.20.5.14") {
		t.Fatalf("fourth has %s, want 172.20.5.14: 172.20.5.13 is excluded", got)
	}

	t.Logf("172.20.5.13 was excluded and 172.20.5.14 added; fourth has 172.20.5.14")

	// An edit that would cut off a holder is refused, and says whom.
	before := w.used("net", 4)

	for edit, names := range map[string][]string{
		`{"spec":{"ipv4Config":{"pool":{"end":"172.20.5.12"}}}}`:          {"172.20.5.14", "fourth"},
		`{"spec":{"ipv4Config":{"pool":{"exclude":["172.20.5.12"]}}}}`:    {"172.20.5.12", waiting},
		`{"spec":{"ipv4Config":{"serverIP":"` + address.String() + `"}}}`: {address.String(), "first"},
	} {
		_, err := w.kubectl("", "patch", "ippool", "net", "--type=merge", "-p", edit)
		if err == nil {
			t.Fatalf("the edit %s was accepted", edit)
		}

		for _, name := range names {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the refusal of %s does not name %s: %v", edit, name, err)
			}
		}

		_, why, _ := strings.Cut(err.Error(), "denied the request: ")
		t.Logf("refused: %s", why)
	}

	after := w.used("net", 4)
	if before.Range != after.Range || before.Server != after.Server {
		t.Errorf("refused edits changed the pool from %s, %s to %s, %s", before.Range, before.Server, after.Range, after.Server)
	}
}

// patchPool is `kubectl patch` of the pool "net".
func (w *world) patchPool(patch string) {
	w.t.Helper()

	_, err := w.kubectl("", "patch", "ippool", "net", "--type=merge", "-p", patch)
	w.must(err)
}
