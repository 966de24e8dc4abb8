package store

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

func sorts() []string {
	return []string{"address", "-address", "mac", "-mac", "vm", "-vm", "network", "-network", "state", "-state", "created", "-created"}
}

// readAll reads every page and calls between after each.
func readAll(t *testing.T, w *world, query LeaseQuery, sort string, limit int, between func()) []v1.Lease {
	t.Helper()

	var (
		all  []v1.Lease
		want = Page{Sort: sort, Limit: limit}
	)

	for {
		listed, err := w.Leases(query, want)
		if err != nil {
			t.Fatal(err)
		}

		if len(listed.Items) > limit || listed.Next != nil && len(listed.Items) < limit {
			t.Fatalf("a page of %d has %d items", limit, len(listed.Items))
		}

		all = append(all, listed.Items...)

		if listed.Next == nil {
			return all
		}

		want.After = listed.Next

		between()
	}
}

// Paging yields every lease exactly once and in order, for every sort and size
// of pages.
func TestPagesHaveEachLeaseOnce(t *testing.T) {
	t.Parallel()

	w, leases := random(t, 1, 7, 120)

	for _, sort := range sorts() {
		for _, limit := range []int{1, 7, 100, 119, 120, 121} {
			got := readAll(t, w, LeaseQuery{}, sort, limit, func() {})
			seen := map[string]int{}

			for _, lease := range got {
				seen[lease.UID]++
			}

			if len(got) != len(leases) || len(seen) != len(leases) {
				t.Errorf("%s by %d: %d leases, %d different ones, want %d", sort, limit, len(got), len(seen), len(leases))
			}

			whole, err := w.Leases(LeaseQuery{}, Page{Sort: sort, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(whole.Items, got); diff != "" {
				t.Errorf("%s by %d: pages are in another order than the whole (-whole +pages):\n%s", sort, limit, diff)
			}
		}
	}
}

// What stays all the time is there exactly once, whatever comes and goes between
// the pages.
func TestPagesWhileLeasesComeAndGo(t *testing.T) {
	t.Parallel()

	for seed := range uint64(5) {
		w, leases := random(t, seed, 5, 200)
		dice := rand.New(rand.NewPCG(seed, 2))
		pool := &v1alpha1.IPPool{}
		pool.Namespace, pool.Name = "ns0", "pool0"
		gone := map[string]bool{}
		count := 0

		got := readAll(t, w, LeaseQuery{}, "address", 10, func() {
			victim := leases[dice.IntN(len(leases))]
			if !gone[string(victim.UID)] {
				gone[string(victim.UID)] = true

				w.Drop(victim)
			}

			count++
			w.lease(pool, fmt.Sprintf("10.0.200.%d", count), nil, [6]byte{})
		})
		seen := map[string]int{}

		for _, lease := range got {
			seen[lease.UID]++
		}

		for uid, times := range seen {
			if times != 1 {
				t.Errorf("seed %d: %s is there %d times", seed, uid, times)
			}
		}

		for _, lease := range leases {
			if !gone[string(lease.UID)] && seen[string(lease.UID)] != 1 {
				t.Errorf("seed %d: %s was there all the time and is missing", seed, lease.Name)
			}
		}
	}
}

// naive says what the search should find, in other words than the store does.
func naive(query LeaseQuery, lease v1.Lease) bool {
	owner := v1.LeaseOwner{}
	if lease.Owner != nil {
		owner = *lease.Owner
	}

	ownerKey := owner.Namespace + "/" + owner.Name
	bare := func(mac string) string {
		return strings.NewReplacer(":", "", "-", "", ".", "").Replace(strings.ToLower(mac))
	}
	either := func(asked, key string) bool {
		_, name, _ := strings.Cut(key, "/")

		return asked == "" || asked == key || asked == name && name != ""
	}

	address := query.Address == "" || lease.Address == query.Address || strings.HasSuffix(query.Address, ".") && strings.HasPrefix(lease.Address, query.Address)
	if prefix, err := netip.ParsePrefix(query.Address); err == nil {
		address = prefix.Contains(netip.MustParseAddr(lease.Address))
	}

	return address && strings.Contains(bare(lease.MAC), bare(query.MAC)) && either(query.VM, ownerKey) && either(query.Network, lease.Network) &&
		(query.Namespace == "" || query.Namespace == lease.Namespace || query.Namespace == owner.Namespace) &&
		(len(query.States) == 0 || slices.Contains(query.States, lease.State)) &&
		(query.Hostname == "" || owner.Kind == v1alpha1.OwnerVirtualMachine && strings.Contains(owner.Name, query.Hostname)) &&
		(query.Visible == nil || query.Visible[lease.Namespace]) &&
		(query.Pool.Name == "" || query.Pool == Key{Namespace: lease.Namespace, Name: lease.Pool}) &&
		(query.Text == "" || strings.Contains(strings.Join([]string{lease.Address, ownerKey, lease.Network, lease.Namespace + "/" + lease.Pool}, " "), query.Text))
}

// Every combination of filters finds what a plain look at every lease finds.
func TestSearchAgreesWithNaive(t *testing.T) {
	t.Parallel()

	w, leases := random(t, 3, 6, 400)
	dice := rand.New(rand.NewPCG(3, 4))
	every := readAll(t, w, LeaseQuery{}, "address", 1000, func() {})
	one := func(words ...string) string {
		if dice.IntN(3) > 0 {
			return ""
		}

		return words[dice.IntN(len(words))]
	}
	found := 0

	for range 500 {
		mac := leases[dice.IntN(len(leases))].Spec.MACAddress
		query := LeaseQuery{
			Text:     one("web-1", "10.0.1.", "pool3", "ns1/pool1", "vms2/", "nothing"),
			Address:  one("10.0.0.", "10.1.1.0/24", "10.0.2.0/28", "10.0.0.7", "10.1."),
			MAC:      one(strings.ToUpper(mac), strings.ReplaceAll(mac, ":", "-"), "52:54:00:01", "5254.0002", "0003"),
			VM:       one("web-3", "vms1/web-5", "db", "web"),
			Hostname: one("web-1", "db"), Namespace: one("ns0", "vms2", "gone"),
			Network: one("ns1/pool1", "pool2", "ns0/pool2"),
		}

		if dice.IntN(4) == 0 {
			query.States = []v1.LeaseState{v1.LeaseReserved, v1.LeaseOrphaned}[:1+dice.IntN(2)]
		}

		if dice.IntN(5) == 0 {
			query.Visible = map[string]bool{"ns1": true}
		}

		if dice.IntN(5) == 0 {
			query.Pool = Key{Namespace: "ns2", Name: "pool2"}
		}

		want := slices.DeleteFunc(slices.Clone(every), func(lease v1.Lease) bool { return !naive(query, lease) })
		found += len(want)

		listed, err := w.Leases(query, Page{Limit: 1000})
		if err != nil {
			t.Fatalf("%+v: %v", query, err)
		}

		if listed.Total != len(want) || !slices.EqualFunc(want, listed.Items, func(a, b v1.Lease) bool { return a.UID == b.UID }) {
			t.Errorf("%+v: found %d of %d, want %d", query, len(listed.Items), listed.Total, len(want))
		}

		var filed []string

		each, total, err := w.EachLease(query, "address")
		if err != nil {
			t.Fatal(err)
		}

		if err := each(func(lease v1.Lease) error {
			filed = append(filed, lease.UID)

			return nil
		}); err != nil || total != len(filed) || len(filed) != len(want) {
			t.Errorf("%+v: the file has %d of %d (%v), want %d", query, len(filed), total, err, len(want))
		}
	}

	if found < 500 {
		t.Errorf("only %d leases were found at all; the queries are too narrow to tell", found)
	}
}

// A MAC address is found in any spelling, whole or in part, and an address is
// not taken for one.
func TestSpellings(t *testing.T) {
	t.Parallel()

	w := newWorld()
	pool := w.pool("ns", "pool", "10.0.0.0/16")
	w.lease(pool, "10.0.0.7", nil, [6]byte{0x52, 0x54, 0x00, 0xab, 0xcd, 0xef})
	w.lease(pool, "10.0.1.8", nil, [6]byte{0x10, 0x00, 0x00, 0x00, 0x00, 0x01})
	w.Hear(Key{Namespace: "ns", Name: "pool"}, Heard{Hostnames: map[netip.Addr]string{netip.MustParseAddr("10.0.0.7"): "Printer"}})

	for text, want := range map[string]string{
		"52:54:00:ab:cd:ef": "10.0.0.7", "52-54-00-AB-CD-EF": "10.0.0.7", "5254.00ab.cdef": "10.0.0.7", "525400ABCDEF": "10.0.0.7",
		"ab:cd": "10.0.0.7", "abcd": "10.0.0.7", "00:ab": "10.0.0.7", "5254.00": "10.0.0.7", "printer": "10.0.0.7", "PRINT": "10.0.0.7",
		"10.0.0.": "10.0.0.7", "10.0.0.0/24": "10.0.0.7", "10.0.0": "10.0.0.7", "10:00:00": "10.0.1.8", "10.0.1": "10.0.1.8", "10.0.2": "",
	} {
		listed, err := w.Leases(LeaseQuery{Text: text}, Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}

		var found []string
		for _, lease := range listed.Items {
			found = append(found, lease.Address)
		}

		if got := strings.Join(found, " "); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}

	for _, query := range []LeaseQuery{{Address: "10.0.0.256."}, {Address: "ten"}, {Address: "10.0.0.0/33"}, {Address: "1..2"}, {MAC: "52:xx"}, {MAC: "5254001234567"}} {
		if _, err := w.Leases(query, Page{Limit: 10}); err == nil {
			t.Errorf("%+v is taken", query)
		}
	}
}
