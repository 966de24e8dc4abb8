package wiretest

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"

	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/dhcp"
)

func arpAsk(from dhcp.MAC, target netip.Addr) []byte {
	f := append(append(allMAC[:len(allMAC):len(allMAC)], from[:]...), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	f = append(append(f, from[:]...), otherAddr.AsSlice()...)
	return append(append(f, 0, 0, 0, 0, 0, 0), target.AsSlice()...)
}

func isARP(op byte) func([]byte) bool {
	return func(f []byte) bool {
		return len(f) >= 42 && f[12] == 8 && f[13] == 6 && f[21] == op && netip.AddrFrom4([4]byte(f[28:32])) == serverAddr
	}
}

func TestServerAddressIsAnsweredByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	f := g.insist(arpAsk(guestMAC, serverAddr), "an ARP reply", func(f []byte) bool { return isARP(2)(f) && dhcp.MAC(f[:6]) == guestMAC })
	if dhcp.MAC(f[22:28]) != dhcp.MAC(f[6:12]) {
		t.Errorf("reply says %x from %x", f[22:28], f[6:12])
	}
	ping := append(append(append([]byte{}, f[6:12]...), guestMAC[:]...), 8, 0, 0x45, 0, 0, 30, 0, 1, 0, 0, 64, 1, 0, 0)
	ping = append(append(ping, otherAddr.AsSlice()...), serverAddr.AsSlice()...)
	ip := checksum(ping[14:34])
	ping[24], ping[25] = byte(ip>>8), byte(ip)
	ping = append(ping, 8, 0, 0, 0, 0, 9, 0, 1, 'h', 'i')
	icmp := checksum(ping[34:])
	ping[36], ping[37] = byte(icmp>>8), byte(icmp)
	g.send(ping)
	pong := g.next("an echo reply", func(f []byte) bool { return len(f) >= 44 && f[12] == 8 && f[13] == 0 && f[23] == 1 && f[34] == 0 })
	if checksum(pong[14:34]) != 0 || checksum(pong[34:44]) != 0 || string(pong[42:44]) != "hi" {
		t.Errorf("echo reply % x", pong)
	}

	// After the loss of the Lease there is no answer: the announcement that
	// comes after it is taken over again is the next that speaks for it.
	l.owner.Store(false)
	g.send(arpAsk(guestMAC, serverAddr))
	g.ask(nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeDiscover)) // still answers DHCP
	l.owner.Store(true)
	l.agent.TakeOver()
	f = g.next("gratuitous ARP, request form", func(f []byte) bool { return isARP(1)(f) || isARP(2)(f) })
	if f[21] != 1 || dhcp.MAC(f[:6]) != allMAC || netip.AddrFrom4([4]byte(f[38:42])) != serverAddr {
		t.Errorf("first ARP after the take-over: % x", f)
	}
	if f = g.next("gratuitous ARP, reply form", isARP(2)); dhcp.MAC(f[:6]) != allMAC {
		t.Errorf("second ARP after the take-over: % x", f)
	}
}

func TestLinkComesAndGoes(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	discover := func() *dhcpv4.DHCPv4 { return message(guestMAC, dhcpv4.MessageTypeDiscover) }
	g.ask(nowhere, everyone, discover())
	l.setLink(false)
	l.await("the loss to be noticed", func() bool { return l.agent.Ready() != nil })
	if code, body := l.get("/readyz"); code != 503 || !strings.Contains(body, "not listening") {
		t.Errorf("/readyz %d %q", code, body)
	}
	if code, _ := l.get("/healthz"); code != 200 {
		t.Errorf("/healthz %d", code)
	}
	l.setLink(true)
	l.await("the return to be noticed", func() bool { return l.agent.Ready() == nil })
	g.ask(nowhere, everyone, discover())

	// The whole interface goes and another of the name comes, as when a
	// network is reconnected.
	link, err := netlink.LinkByName(l.serverIf)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.await("the loss to be noticed", func() bool { return l.agent.Ready() != nil })
	l.connect(guestMAC)
	l.await("the return to be noticed", func() bool { return l.agent.Ready() == nil })
	l.newGuest().ask(nowhere, everyone, discover())
}

func TestRestartWithoutItsSource(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	g := l.newGuest()
	dir := t.TempDir()
	l.stop()
	// The first agent kept its state elsewhere; this one knows nothing.
	l.start(dir)
	l.await("the state to be taken", func() bool {
		select {
		case l.source.states <- testState():
			return true
		default:
			return false
		}
	})
	l.await("the agent to be ready", func() bool { return l.agent.Ready() == nil })
	l.stop()
	g.send(frame(guestMAC, nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeDiscover))) // nobody there

	l.start(dir)
	l.await("the agent to be ready without its source", func() bool { return l.agent.Ready() == nil })
	if _, live := l.agent.Generation(); live {
		t.Error("the state on disk counts as live")
	}
	f, m := g.ask(nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeDiscover))
	g.expect(f, m, dhcpv4.MessageTypeOffer, boundAddr, guestMAC)
	// An old view must not refuse.
	g.send(frame(guestMAC, nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeRequest, requested(otherAddr))))
	l.await("the NAK to be held back", func() bool { return l.count(dhcp.ReasonStale) == "1" })
	g.ask(nowhere, everyone, message(guestMAC, dhcpv4.MessageTypeDiscover))

	l.source.states <- agent.State{Withdrawn: true}
	l.await("the pool to be withdrawn", func() bool { return l.agent.Ready() != nil })
	l.stop()
	l.start(dir)
	if code, body := l.get("/readyz"); code != 503 || !strings.Contains(body, "no snapshot") {
		t.Errorf("after the withdrawal and a restart: /readyz %d %q", code, body)
	}
}

func TestLeasesPage(t *testing.T) {
	t.Parallel()
	l := newLab(t, guestMAC)
	_, body := l.get("/leases")
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	want := `{"ServerIP":"10.9.0.2","ClientIP":"10.9.0.50","SubnetMask":"////AA==","Router":"10.9.0.1","DNS":["9.9.9.9"],` +
		`"DomainName":"example.org","DomainSearch":["example.org"],"NTP":null,"LeaseTime":3600}`
	if len(got) != 1 || got[guestMAC.String()] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
