package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// receiveBuffer is what the kernel may queue: some 10,000 requests, enough for
// every guest of a large pool booting at the same moment.
const receiveBuffer = 8 << 20

// Socket is an AF_PACKET socket on one interface. Receive must be called from
// one goroutine at a time; the rest is safe for concurrent use.
type Socket struct {
	conn  *packet.Conn
	raw   syscall.RawConn
	mac   dhcp.MAC
	mtu   uint16
	oob   [128]byte
	drops atomic.Uint64
}

// Auxiliary is what the kernel says about a received frame.
type Auxiliary struct {
	// ChecksumNotReady says that the sender left the checksum to hardware.
	ChecksumNotReady bool
	// VLAN is the ID of a tag that was taken off the frame; 0 is none.
	VLAN uint16
}

// OpenSocket opens a socket that receives the frames of one EtherType (unix.ETH_P_ALL
// for all) that pass the filter, and no frame that this host sends.
func OpenSocket(name string, etherType int, filter []bpf.RawInstruction) (*Socket, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	if ifi.Flags&net.FlagUp == 0 {
		return nil, fmt.Errorf("interface %s is down", name)
	}
	if len(ifi.HardwareAddr) != 6 {
		return nil, fmt.Errorf("interface %s has no Ethernet address", name)
	}
	conn, err := packet.Listen(ifi, packet.Raw, etherType, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("packet socket on %s (needs the capability NET_RAW): %w", name, err)
	}
	s := &Socket{conn: conn, mac: dhcp.MAC(ifi.HardwareAddr), mtu: uint16(min(max(ifi.MTU, 0), 0xffff))} //nolint:gosec // bounded
	if s.raw, err = conn.SyscallConn(); err == nil {
		err = s.setOptions()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("packet socket on %s: %w", name, err), conn.Close())
	}
	return s, nil
}

func (s *Socket) setOptions() error {
	var opErr error
	err := s.raw.Control(func(fd uintptr) {
		opErr = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
		// Missing from kernels before 4.20; op=1 keeps our own replies out
		// of the responder anyway.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		// Without NET_ADMIN the system's limit applies; less is still right.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	})
	return errors.Join(err, opErr)
}

// MAC returns the interface's Ethernet address.
func (s *Socket) MAC() dhcp.MAC { return s.mac }

// MTU returns the interface's MTU.
func (s *Socket) MTU() uint16 { return s.mtu }

// Receive waits for a frame. After Close it returns an error that wraps
// net.ErrClosed.
func (s *Socket) Receive(buf []byte) (int, Auxiliary, error) {
	var (
		n, oobn int
		opErr   error
	)
	err := s.raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, opErr = unix.Recvmsg(int(fd), buf, s.oob[:], unix.MSG_DONTWAIT)
		return !errors.Is(opErr, unix.EAGAIN) && !errors.Is(opErr, unix.EINTR)
	})
	if err = errors.Join(err, opErr); err != nil {
		return 0, Auxiliary{}, fmt.Errorf("receive: %w", err)
	}
	return n, parseAuxiliary(s.oob[:oobn]), nil
}

// parseAuxiliary reads struct tpacket_auxdata (linux/if_packet.h).
func parseAuxiliary(oob []byte) Auxiliary {
	const size, offTCI, vlanID = 20, 16, 0xfff
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return Auxiliary{}
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < size {
			continue
		}
		status := binary.NativeEndian.Uint32(m.Data)
		aux := Auxiliary{ChecksumNotReady: status&unix.TP_STATUS_CSUMNOTREADY != 0}
		if status&unix.TP_STATUS_VLAN_VALID != 0 {
			aux.VLAN = binary.NativeEndian.Uint16(m.Data[offTCI:]) & vlanID
		}
		return aux
	}
	return Auxiliary{}
}

// Send sends one complete Ethernet frame.
func (s *Socket) Send(frame []byte) error {
	to := &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}
	if _, err := s.conn.WriteTo(frame, to); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Drops returns the number of frames that the kernel dropped because they
// were not received fast enough.
func (s *Socket) Drops() uint64 {
	if stats, err := s.conn.Stats(); err == nil { // reading resets the kernel's count
		s.drops.Add(uint64(stats.Drops))
	}
	return s.drops.Load()
}

// Close ends a waiting Receive and releases the socket.
func (s *Socket) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("close packet socket: %w", err)
	}
	return nil
}
