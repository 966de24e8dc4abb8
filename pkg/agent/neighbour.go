package agent

import (
	"context"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// Gratuitous ARP on take-over: as often and as far apart as RFC 5227 1.1
// announces an address, and once more for the frame that gets lost.
const (
	announcements    = 3
	announceInterval = time.Second
)

const (
	arpRequest = 1
	arpReply   = 2
	arpLen     = 28
)

// arpFrame builds an Ethernet ARP frame (RFC 826) that says that the sender
// has the address.
func arpFrame(op uint16, dst, sender dhcp.MAC, address netip.Addr, targetMAC dhcp.MAC, target netip.Addr) []byte {
	f := make([]byte, 0, 60)
	f = append(f, dst[:]...)
	f = append(f, sender[:]...)
	f = binary.BigEndian.AppendUint16(f, etherTypeARP)
	f = append(f, 0, 1, 0x08, 0x00, 6, 4)
	f = binary.BigEndian.AppendUint16(f, op)
	from, to := address.As4(), target.As4()
	f = append(f, sender[:]...)
	f = append(f, from[:]...)
	f = append(f, targetMAC[:]...)
	f = append(f, to[:]...)
	return f[:60] // Ethernet's minimum; the rest is zero
}

// answerARP returns the reply to an ARP request for the address, or nil.
func answerARP(frame []byte, own dhcp.MAC, address netip.Addr) []byte {
	if len(frame) < 14+arpLen || binary.BigEndian.Uint16(frame[12:]) != etherTypeARP {
		return nil
	}
	arp := frame[14:]
	if [8]byte(arp) != [8]byte{0, 1, 0x08, 0x00, 6, 4, 0, arpRequest} || netip.AddrFrom4([4]byte(arp[24:28])) != address {
		return nil
	}
	asker := dhcp.MAC(arp[8:14])
	if asker.IsZero() || asker.IsGroup() || asker == own {
		return nil
	}
	return arpFrame(arpReply, asker, own, address, asker, netip.AddrFrom4([4]byte(arp[14:18])))
}

// answerEcho returns the reply to an ICMP echo request to the address, or nil.
// An administrator who pings the DHCP server expects it.
func answerEcho(frame []byte, own dhcp.MAC, address netip.Addr) []byte {
	if len(frame) < 14+20+8 || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv4 || dhcp.MAC(frame[0:6]) != own {
		return nil
	}
	ip := frame[14:]
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0] != 0x45 || ip[9] != 1 || total < 28 || total > len(ip) || netip.AddrFrom4([4]byte(ip[16:20])) != address ||
		binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return nil
	}
	src := netip.AddrFrom4([4]byte(ip[12:16]))
	if icmp := ip[20:]; icmp[0] != 8 || icmp[1] != 0 || src.IsUnspecified() || src.IsMulticast() || src == address {
		return nil
	}
	out := append([]byte(nil), frame[:14+total]...)
	copy(out[0:6], frame[6:12])
	copy(out[6:12], own[:])
	ip = out[14:]
	copy(ip[12:16], frame[14+16:14+20])
	copy(ip[16:20], frame[14+12:14+16])
	ip[8] = 64
	putChecksum(ip[:20], 10)
	ip[20] = 0 // echo reply
	putChecksum(ip[20:], 2)
	return out
}

// putChecksum writes the Internet checksum (RFC 1071) of b at an offset in it.
func putChecksum(b []byte, at int) {
	b[at], b[at+1] = 0, 0
	var sum uint32
	for i, v := range b {
		sum += uint32(v) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[at:], ^uint16(sum)) // folded
}

// owns returns the server address if this replica speaks for it now.
func (a *Agent) owns() (netip.Addr, bool) {
	v := a.view.Load()
	if v == nil || a.cfg.Owner == nil || !a.cfg.Owner() {
		return netip.Addr{}, false
	}
	return v.snapshot.Network().Server, true
}

// handleNeighbour answers for the server address.
func (a *Agent) handleNeighbour(_ context.Context, s *Socket, frame []byte, _ Auxiliary) {
	address, yes := a.owns()
	if !yes {
		return
	}
	reply := answerARP(frame, s.MAC(), address)
	if reply == nil {
		reply = answerEcho(frame, s.MAC(), address)
	}
	if reply == nil {
		return
	}
	if err := s.Send(reply); err != nil {
		a.sendErrors.Add(1)
	}
}

// TakeOver announces the server address to the network, so that switches and
// guests send to this replica from now on. Call it after Owner began to return
// true. It returns at once and is safe for concurrent use; without ownership
// it does nothing.
func (a *Agent) TakeOver() {
	select {
	case a.announce <- struct{}{}:
	default: // one is due already
	}
}

// runAnnouncer sends the announcements.
func (a *Agent) runAnnouncer(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	left := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.announce:
			left = announcements
		case <-timer.C:
		}
		if left == 0 {
			continue
		}
		left--
		a.sendAnnouncement()
		timer.Reset(announceInterval)
	}
}

// sendAnnouncement sends gratuitous ARP in both forms, as some receivers heed
// only one.
func (a *Agent) sendAnnouncement() {
	address, yes := a.owns()
	s := a.neighbour.socket.Load()
	if !yes || s == nil {
		return
	}
	everyone := dhcp.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, frame := range [][]byte{
		arpFrame(arpRequest, everyone, s.MAC(), address, dhcp.MAC{}, address),
		arpFrame(arpReply, everyone, s.MAC(), address, everyone, address),
	} {
		if err := s.Send(frame); err != nil {
			a.sendErrors.Add(1)
			a.log.Warn("cannot announce the server address", "address", address, "error", err)
		}
	}
}
