package dhcp_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

func prl(codes ...byte) dhcpv4.Option {
	return dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(55), codes)
}

func generic(code uint8, v ...byte) dhcpv4.Option {
	return dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), v)
}

func withRoutes(n *dhcp.Network) {
	n.Routes = []dhcp.Route{
		{Destination: netip.MustParsePrefix("172.16.0.0/12"), Gateway: netip.MustParseAddr("10.1.0.254")},
		{Destination: netip.MustParsePrefix("169.254.169.254/32")},
	}
}

func TestOptionOrder(t *testing.T) {
	t.Parallel()
	force := func(n *dhcp.Network) {
		n.Custom = []dhcp.Option{{Code: 252, Value: []byte("http://wpad"), Always: true}, {Code: 100, Value: []byte("CET")}}
	}
	clientID, relay := generic(61, 1, 2, 3), opt82(1, 2, 0xaa, 0xbb)
	for _, tc := range []struct {
		name    string
		change  []func(*dhcp.Network)
		options []dhcpv4.Option
		want    []int
	}{
		{"no list: the default set", nil, nil, []int{53, 54, 51, 58, 59, 1, 3, 6, 12, 15, 26, 28, 42, 119}},
		{"no list, routes and customs", []func(*dhcp.Network){withRoutes, force}, nil, []int{53, 54, 51, 58, 59, 1, 3, 6, 12, 15, 26, 28, 42, 119, 121, 252, 100}},
		{"in the order of the list", nil, []dhcpv4.Option{prl(42, 15, 6, 3, 1, 51, 54, 53, 12)}, []int{53, 54, 51, 58, 59, 1, 42, 15, 6, 3, 12}},
		{"the router is always sent", nil, []dhcpv4.Option{prl(6)}, []int{53, 54, 51, 58, 59, 1, 6, 3}},
		{"routes instead of the router", []func(*dhcp.Network){withRoutes}, []dhcpv4.Option{prl(121)}, []int{53, 54, 51, 58, 59, 1, 121}},
		{"old Windows gets both", []func(*dhcp.Network){withRoutes}, []dhcpv4.Option{prl(249)}, []int{53, 54, 51, 58, 59, 1, 249, 3}},
		{"repeats are sent once", nil, []dhcpv4.Option{prl(6, 6, 6)}, []int{53, 54, 51, 58, 59, 1, 6, 3}},
		{"forced, then client and relay last", []func(*dhcp.Network){force}, []dhcpv4.Option{prl(6), relay, clientID}, []int{53, 54, 51, 58, 59, 1, 6, 3, 252, 61, 82}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := testSnapshot(t, tc.change...)
			_, got := respond(t, s, packet{kind: 1, options: tc.options}, facts())
			if len(got) != 1 {
				t.Fatalf("%d replies", len(got))
			}
			if diff := cmp.Diff(tc.want, got[0].codes()); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionValues(t *testing.T) {
	t.Parallel()
	s := testSnapshot(t, withRoutes)
	id, relay := []byte{0xff, 9, 8, 7, 6, 5}, []byte{1, 3, 'a', 'b', 'c', 250, 9}
	_, got := respond(t, s, packet{kind: 1, options: []dhcpv4.Option{
		prl(1, 3, 6, 12, 15, 26, 28, 42, 119, 121, 249), generic(61, id...), opt82(relay...),
	}}, facts())
	routes := []byte{
		12, 172, 16, 10, 1, 0, 254,
		32, 169, 254, 169, 254, 0, 0, 0, 0,
		0, 10, 1, 0, 1,
	}
	for code, want := range map[uint8][]byte{
		1: {255, 255, 255, 0}, 3: {10, 1, 0, 1}, 6: {9, 9, 9, 9, 1, 1, 1, 1}, 12: []byte("web-1"), 15: []byte("example.org"),
		26: {0x05, 0xaa}, 28: {10, 1, 0, 255}, 42: {10, 1, 0, 10}, 51: {0, 1, 0x51, 0x80},
		119: []byte("\x07example\x03org\x00\x03lab\x07example\x03org\x00"), 121: routes, 249: routes, 61: id, 82: relay,
	} {
		if v := got[0].msg.Options.Get(dhcpv4.GenericOptionCode(code)); !bytes.Equal(v, want) {
			t.Errorf("option %d: % x, want % x", code, v, want)
		}
	}
	if search := got[0].msg.DomainSearch(); search == nil || !slices.Equal(search.Labels, []string{"example.org", "lab.example.org"}) {
		t.Errorf("domain search %v", search)
	}
}

// TestNakCarriesNothingElse is RFC 2131 table 3.
func TestNakCarriesNothingElse(t *testing.T) {
	t.Parallel()
	_, got := respond(t, testSnapshot(t), packet{kind: 3, requested: otherAddr, options: []dhcpv4.Option{prl(1, 3, 6), generic(61, 1, 2)}}, facts())
	if diff := cmp.Diff([]int{53, 54, 56, 61}, got[0].codes()); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestTimesAreOrderedAndSpread(t *testing.T) {
	t.Parallel()
	for _, lease := range []time.Duration{0, time.Second, 4 * time.Second, 5 * time.Second, 10 * time.Second, 300 * time.Second, 365 * 24 * time.Hour, 1 << 62} {
		seen := map[time.Duration]bool{}
		for last := range 64 {
			mac := dhcp.MAC{2, 0, 0, 0, 0, byte(last + 1)}
			n := testNetwork()
			n.LeaseTime = lease
			s, err := dhcp.NewSnapshot(n, []dhcp.Entry{{MAC: mac, Address: boundAddr}})
			if err != nil {
				t.Fatal(err)
			}
			_, got := respond(t, s, packet{kind: 1, mac: mac}, facts())
			m := got[0].msg
			full, t1, t2 := m.IPAddressLeaseTime(0), m.IPAddressRenewalTime(0), m.IPAddressRebindingTime(0)
			seen[t1] = true
			if full == 0xffffffff*time.Second {
				if lease != 1<<62 || t1 != full || t2 != full {
					t.Fatalf("lease %s: for ever, T1 %s T2 %s", lease, t1, t2)
				}
				continue
			}
			if t1 <= 0 || t1 >= t2 || t2 >= full {
				t.Fatalf("lease %s: %s, T1 %s, T2 %s", lease, full, t1, t2)
			}
			if full >= time.Minute && (t1 > full/2 || t1 < full*7/16-time.Second || t2 > full*7/8+time.Second || t2 < full*13/16) {
				t.Fatalf("lease %s: T1 %s and T2 %s are far from one half and seven eighths", full, t1, t2)
			}
		}
		if lease == 300*time.Second && len(seen) < 8 {
			t.Errorf("64 guests renew at only %d different times", len(seen))
		}
	}
}

func many(n *dhcp.Network) {
	for code := uint8(200); code < 220; code++ {
		n.Custom = append(n.Custom, dhcp.Option{Code: code, Value: bytes.Repeat([]byte{code}, 40)})
	}
}

// TestSizeLimits walks a reply that is too large for 576 bytes through what
// may be done about it.
func TestSizeLimits(t *testing.T) {
	t.Parallel()
	s := testSnapshot(t, many)
	var codes []byte
	for code := byte(200); code < 220; code++ {
		codes = append(codes, code)
	}
	get := func(extra ...dhcpv4.Option) (dhcp.Result, reply) {
		res, got := respond(t, s, packet{kind: 1, options: append(extra, generic(61, 1, 2, 3))}, facts())
		return res, got[0]
	}
	res, r := get(prl(codes...))
	if len(r.raw) > 548 || res.Omitted == 0 {
		t.Errorf("576: %d bytes, %d omitted", len(r.raw), res.Omitted)
	}
	if v := r.msg.Options.Get(dhcpv4.GenericOptionCode(52)); !bytes.Equal(v, []byte{3}) {
		t.Errorf("576: overload % x", v)
	}
	// What the file and sname fields hold must be whole options too, and
	// none may be sent twice.
	sent := slices.Concat(r.codes(), walk(t, r.raw[108:236]), walk(t, r.raw[44:108]))
	slices.Sort(sent)
	if len(slices.Compact(slices.Clone(sent))) != len(sent) {
		t.Errorf("sent twice: %v", sent)
	}
	if sent[len(sent)-1] < 206 || !slices.Contains(sent, 200) {
		t.Errorf("sent %v", sent)
	}
	if got, want := len(sent)+res.Omitted, 8+20+1+1; got != want-1 && got != want {
		t.Errorf("%d options sent or omitted, want %d", got, want)
	}
	if res, r = get(prl(codes...), generic(57, 0x05, 0xdc)); res.Omitted != 0 || r.msg.Options.Has(dhcpv4.GenericOptionCode(52)) {
		t.Errorf("1500: %d omitted, overload % x", res.Omitted, r.msg.Options.Get(dhcpv4.GenericOptionCode(52)))
	}
	if res, r = get(); r.msg.Options.Has(dhcpv4.GenericOptionCode(52)) || res.Omitted == 0 {
		t.Error("a client that sent no list got its file field overloaded")
	}
	if _, r = get(prl(codes...), generic(57, 0, 1)); len(r.raw) > 548 || len(r.raw) < 500 {
		t.Errorf("a client that says 1 byte got %d", len(r.raw))
	}
}

// walk lists the options of a field and fails if they run over its end.
func walk(t *testing.T, b []byte) []int {
	t.Helper()
	var out []int
	for len(b) > 0 && b[0] != 255 {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		if len(b) < 2+int(b[1]) {
			t.Fatalf("option %d runs over the end of its field", b[0])
		}
		out = append(out, int(b[0]))
		b = b[2+int(b[1]):]
	}
	if len(b) == 0 {
		t.Fatal("field without end option")
	}
	return out
}

func TestLongEchoesAreNeverLost(t *testing.T) {
	t.Parallel()
	id, relay := bytes.Repeat([]byte{7}, 255), bytes.Repeat([]byte{9}, 255)
	for _, p := range []packet{{kind: 1}, {kind: 3, requested: otherAddr}} {
		p.options = []dhcpv4.Option{generic(61, id...), opt82(relay...), prl(1, 3, 6, 15, 119)}
		_, got := respond(t, testSnapshot(t), p, facts())
		if m := got[0].msg; !bytes.Equal(m.Options.Get(dhcpv4.GenericOptionCode(61)), id) || !bytes.Equal(m.Options.Get(dhcpv4.GenericOptionCode(82)), relay) {
			t.Errorf("%s: an echo was lost", m.MessageType())
		}
	}
}

func TestLongOptionIsSplit(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{0xab}, 600)
	s := testSnapshot(t, func(n *dhcp.Network) { n.Custom = []dhcp.Option{{Code: 224, Value: long}} })
	res, got := respond(t, s, packet{kind: 1, options: []dhcpv4.Option{prl(224), generic(57, 0x05, 0xdc)}}, facts())
	if v := got[0].msg.Options.Get(dhcpv4.GenericOptionCode(224)); !bytes.Equal(v, long) || res.Omitted != 0 {
		t.Errorf("%d bytes came back, %d omitted", len(v), res.Omitted)
	}
}

func TestOverloadedRequestIsUnderstood(t *testing.T) {
	t.Parallel()
	p := packet{bare: true, touchBootp: func(b []byte) []byte {
		copy(b[108:], []byte{53, 1, 3, 255})                       // file: REQUEST
		copy(b[44:], []byte{50, 4, 10, 1, 0, 50, 0, 0, 0, 0, 255}) // sname: the address
		return append(b[:240:240], 52, 1, 3, 255)
	}}
	if res, _ := respond(t, testSnapshot(t), p, facts()); res.Reason != dhcp.ReasonAckInitReboot {
		t.Errorf("reason %s", res.Reason)
	}
}

func TestSplitRequestListIsJoined(t *testing.T) {
	t.Parallel()
	p := packet{bare: true, touchBootp: func(b []byte) []byte {
		return append(b[:240:240], 53, 1, 1, 55, 1, 42, 55, 1, 6, 255)
	}}
	frame := p.build()
	before := bytes.Clone(frame)
	res := testSnapshot(t).Respond(frame, facts(), nil)
	if !bytes.Equal(frame, before) {
		t.Error("the received frame was written to")
	}
	if diff := cmp.Diff([]int{53, 54, 51, 58, 59, 1, 42, 6, 3}, decode(t, res.Frames[0]).codes()); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestBootServerAndFile(t *testing.T) {
	t.Parallel()
	s := testSnapshot(t, many, func(n *dhcp.Network) { n.NextServer, n.BootFile = foreign, "pxelinux.0" })
	_, got := respond(t, s, packet{kind: 1, options: []dhcpv4.Option{prl(66, 67, 200, 201, 202, 203, 204, 205, 206, 207)}}, facts())
	m := got[0].msg
	if fromIP(m.ServerIPAddr) != foreign || m.BootFileName != "pxelinux.0" || m.Options.Has(dhcpv4.GenericOptionCode(52)) {
		t.Errorf("siaddr %s, file %q", m.ServerIPAddr, m.BootFileName)
	}
	if v := m.Options.Get(dhcpv4.GenericOptionCode(67)); string(v) != "pxelinux.0\x00" {
		t.Errorf("option 67 %q", v)
	}
}

func TestProblemsCostOnlyThemselves(t *testing.T) {
	t.Parallel()
	n := testNetwork()
	n.DNS = append(n.DNS, netip.MustParseAddr("::1"))
	n.DomainSearch = []string{"good.example", strings.Repeat("x", 70) + ".example", "bad\x00name"}
	n.DomainName = "evil`reboot`"
	n.MTU = 20
	n.Routes = []dhcp.Route{{Destination: netip.MustParsePrefix("fd00::/8")}}
	n.NextServer = netip.MustParseAddr("fd00::1")
	n.BootFile = strings.Repeat("x", 128)
	n.Custom = []dhcp.Option{{Code: 53, Value: []byte{2}}, {Code: 6, Value: []byte{1}}, {Code: 0}, {Code: 224}, {Code: 225, Value: []byte{1}}, {Code: 225, Value: []byte{2}}}
	s, err := dhcp.NewSnapshot(n, append(testEntries(),
		dhcp.Entry{MAC: clientMAC, Address: otherAddr},
		dhcp.Entry{MAC: strangeMAC, Address: boundAddr},
		dhcp.Entry{MAC: strangeMAC, Address: serverAddr},
		dhcp.Entry{MAC: strangeMAC, Address: routerAddr},
		dhcp.Entry{MAC: strangeMAC, Address: netip.MustParseAddr("10.1.0.0")},
		dhcp.Entry{MAC: strangeMAC, Address: netip.MustParseAddr("10.1.0.255")},
		dhcp.Entry{MAC: strangeMAC, Address: netip.MustParseAddr("10.2.0.1")},
		dhcp.Entry{MAC: strangeMAC},
		dhcp.Entry{Address: otherAddr},
		dhcp.Entry{MAC: bcast, Address: otherAddr},
		dhcp.Entry{MAC: strangeMAC, Address: otherAddr, Hostname: "a b"},
	))
	if err != nil {
		t.Fatalf("NewSnapshot: %v", err)
	}
	var subjects []string
	for _, p := range s.Problems() {
		subjects = append(subjects, p.Subject)
		if !strings.Contains(p.String(), p.Subject) || p.Err == nil {
			t.Errorf("problem %q", p)
		}
	}
	want := []string{
		"dns[2]", "domainName", "domainSearch[1]", "domainSearch[2]", "mtu", "routes[0]", "nextServer", "bootFile",
		"custom[0]", "custom[1]", "custom[2]", "custom[3]", "custom[5]",
	}
	if diff := cmp.Diff(want, subjects[:min(len(subjects), len(want))]); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if got := len(subjects) - len(want); got != 11 {
		t.Errorf("%d lease problems, want 11: %q", got, subjects)
	}
	if s.Len() != 3 {
		t.Errorf("%d leases served, want 3", s.Len())
	}
	if b, ok := s.Lookup(clientMAC); !ok || b.Address != boundAddr {
		t.Errorf("the earlier of two leases is not the one served: %v", b)
	}
	if b, _ := s.Lookup(strangeMAC); b.Address != otherAddr || b.Hostname != "" {
		t.Errorf("a bad host name cost the lease: %+v", b)
	}
}

func TestNetworkThatCannotBeServed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*dhcp.Network){
		"no prefix":            func(n *dhcp.Network) { n.Prefix = netip.Prefix{} },
		"IPv6 prefix":          func(n *dhcp.Network) { n.Prefix = netip.MustParsePrefix("fd00::/64") },
		"no server":            func(n *dhcp.Network) { n.Server = netip.Addr{} },
		"IPv6 server":          func(n *dhcp.Network) { n.Server = netip.MustParseAddr("fd00::1") },
		"server off the net":   func(n *dhcp.Network) { n.Server = netip.MustParseAddr("10.2.0.1") },
		"server is broadcast":  func(n *dhcp.Network) { n.Server = netip.MustParseAddr("10.1.0.255") },
		"server is the subnet": func(n *dhcp.Network) { n.Server = netip.MustParseAddr("10.1.0.0") },
	} {
		n := testNetwork()
		change(&n)
		if s, err := dhcp.NewSnapshot(n, nil); err == nil || s != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSnapshotSharesNothingWithItsInput(t *testing.T) {
	t.Parallel()
	n, entries := testNetwork(), testEntries()
	s, err := dhcp.NewSnapshot(n, entries)
	if err != nil {
		t.Fatal(err)
	}
	n.DNS[0], n.DomainSearch[0], entries[0].Address = foreign, "x", foreign
	if got := s.Network(); got.DNS[0] == foreign || got.DomainSearch[0] == "x" {
		t.Error("the snapshot changed with its input")
	}
	if b, _ := s.Lookup(clientMAC); b.Address != boundAddr {
		t.Error("a binding changed with the input")
	}
}
