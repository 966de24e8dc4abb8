package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Kind says what happened in a guest.
type Kind string

// The kinds of events. Up and Down concern the guest, the others one NIC.
const (
	Up      Kind = "up"      // booted
	Down    Kind = "down"    // powering off
	Found   Kind = "nic"     // a NIC was found and its DHCP client started
	Bound   Kind = "bound"   // first lease, or the same address again after losing it
	Renewed Kind = "renewed" // same address, lease extended; options may differ
	Changed Kind = "changed" // another address than before, which is in Previous
	Lost    Kind = "lost"    // the address, which is in Addr, is no longer configured
	Nak     Kind = "nak"     // a server refused the address
	Failed  Kind = "failed"  // a round of DISCOVERs went unanswered; it goes on trying
	Shown   Kind = "lease"   // answer to the console command "show"
)

// Event is one thing a guest said on its console. Fields that do not belong to
// the kind, or that the DHCP server did not give, have their zero value.
type Event struct {
	Kind     Kind
	NIC      string // name in the guest, such as eth0
	MAC      string // lower case, with colons
	Addr     netip.Prefix
	Previous netip.Addr
	Routers  []netip.Addr
	DNS      []netip.Addr
	NTP      []netip.Addr
	Domain   string
	Search   []string
	Routes   string // classless static routes, as udhcpc writes them
	MTU      int
	Lease    time.Duration
	Server   netip.Addr
	Message  string // of a NAK
	Hostname string
	Uptime   time.Duration // since the guest's power-on
}

// HasLease tells whether the NIC held Addr when the event happened.
func (e Event) HasLease() bool {
	return e.Kind == Bound || e.Kind == Renewed || e.Kind == Changed || e.Kind == Shown
}

// String is one line for people.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.NIC, e.Kind)
	if e.Addr.IsValid() {
		fmt.Fprintf(&b, " %s", e.Addr)
	}
	if e.Server.IsValid() {
		fmt.Fprintf(&b, " from %s", e.Server)
	}
	if e.Lease > 0 {
		fmt.Fprintf(&b, " for %s", e.Lease)
	}
	return strings.TrimSpace(b.String())
}

// What frames an event; see files/say.sh.
const (
	eventStart = "freehold-guest event="
	eventEnd   = ";"
)

// maxLine bounds how much console output without a line end is looked at.
const maxLine = 64 << 10

// ParseConsole returns the events in a guest's console output, in order. It
// skips what others print there, also within an event's line, and lines that
// are torn or make no sense. Its only errors are the reader's, which come with
// the events before them.
func ParseConsole(r io.Reader) ([]Event, error) {
	var events []Event
	for br := bufio.NewReaderSize(r, maxLine); ; {
		line, err := br.ReadSlice('\n')
		if e, ok := parseLine(string(line)); ok {
			events = append(events, e)
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return events, nil
		default:
			return events, fmt.Errorf("read the console: %w", err)
		}
	}
}

// Latest returns the newest event of the kinds given (any kind when none) for
// the NIC with that MAC, and whether there is one. An empty MAC matches all.
func Latest(events []Event, mac string, kinds ...Kind) (Event, bool) {
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if mac != "" && !strings.EqualFold(mac, e.MAC) {
			continue
		}
		if len(kinds) == 0 {
			return e, true
		}
		for _, k := range kinds {
			if e.Kind == k {
				return e, true
			}
		}
	}
	return Event{}, false
}

func parseLine(line string) (Event, bool) {
	_, rest, ok := strings.Cut(line, eventStart)
	if !ok {
		return Event{}, false
	}
	body, _, ok := strings.Cut(rest, eventEnd)
	if !ok {
		return Event{}, false
	}
	kind, fields, _ := strings.Cut(body, " ")
	e := Event{Kind: Kind(kind)}
	mask := ""
	ip := ""
	for field := range strings.FieldsSeq(fields) {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return Event{}, false // something was written in between
		}
		switch {
		case value == "":
		case key == "ip":
			ip = value
		case key == "mask":
			mask = value
		case e.set(key, value) != nil:
			return Event{}, false
		}
	}
	return e, e.setAddr(ip, mask) == nil
}

// setAddr combines address and prefix length; without one it is a single host.
func (e *Event) setAddr(ip, mask string) error {
	if ip == "" {
		return nil
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	bits := addr.BitLen()
	if mask != "" {
		if bits, err = strconv.Atoi(mask); err != nil {
			return err
		}
	}
	e.Addr, err = addr.Prefix(bits)
	e.Addr = netip.PrefixFrom(addr, bits) // keep the host's part
	return err
}

// set fills the field that key names; unknown keys are for newer readers.
func (e *Event) set(key, value string) (err error) {
	switch key {
	case "nic":
		e.NIC = value
	case "mac":
		e.MAC = strings.ToLower(value)
	case "hostname":
		e.Hostname = value
	case "domain":
		e.Domain = value
	case "search":
		e.Search = strings.Split(value, ",")
	case "routes":
		e.Routes = value
	case "message":
		e.Message = strings.ReplaceAll(value, "_", " ")
	case "mtu":
		e.MTU, err = strconv.Atoi(value)
	case "lease":
		e.Lease, err = time.ParseDuration(value + "s")
	case "uptime":
		e.Uptime, err = time.ParseDuration(value + "s")
	default:
		err = e.setAddrs(key, value)
	}
	return err
}

func (e *Event) setAddrs(key, value string) (err error) {
	switch key {
	case "router":
		e.Routers, err = parseAddrs(value)
	case "dns":
		e.DNS, err = parseAddrs(value)
	case "ntp":
		e.NTP, err = parseAddrs(value)
	case "server":
		e.Server, err = netip.ParseAddr(value)
	case "previous":
		e.Previous, err = netip.ParseAddr(value)
	}
	return err
}

func parseAddrs(list string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for s := range strings.SplitSeq(list, ",") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}
