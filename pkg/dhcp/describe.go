package dhcp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// OptionText is an option of a message in words, for people.
type OptionText struct {
	// Code is the option's number (RFC 2132 and its successors).
	Code uint8 `json:"code"`
	// Name is what the option is called, such as "router".
	Name string `json:"name"`
	// Value is what it says; bytes that nobody here reads are in hexadecimal.
	Value string `json:"value"`
}

// DescribeOptions puts the options of a message into words, in the order in
// which they come. It takes the options field alone, which begins after the
// magic cookie and may be cut short; what is cut off is left out.
func DescribeOptions(field []byte) []OptionText {
	var out []OptionText

	known := readers()

	for len(field) > 0 && field[0] != optEnd {
		if field[0] == optPad {
			field = field[1:]

			continue
		}

		if len(field) < 2 || len(field) < 2+int(field[1]) {
			break
		}

		code, value := field[0], field[2:2+int(field[1])]
		field = field[2+int(field[1]):]

		// An option in pieces is one option (RFC 3396).
		for len(field) >= 2 && field[0] == code && len(field) >= 2+int(field[1]) {
			value = append(value[:len(value):len(value)], field[2:2+int(field[1])]...)
			field = field[2+int(field[1]):]
		}

		option, ok := known[code]
		if !ok {
			option = reader{"option " + strconv.Itoa(int(code)), hex.EncodeToString}
		}

		out = append(out, OptionText{Code: code, Name: option.name, Value: option.read(value)})
	}

	return out
}

// ReplyOptions returns the options field of a reply frame that Respond built,
// and nil for anything that is too short to be one. It is a part of the frame.
func ReplyOptions(frame []byte) []byte {
	if len(frame) < headersLen+offOptions {
		return nil
	}

	return frame[headersLen+offOptions:]
}

// Preview returns the options that a client with the given MAC address is
// acknowledged when it asks for none in particular.
func (s *Snapshot) Preview(mac MAC) []OptionText {
	if s == nil {
		return nil
	}

	bootp := make([]byte, offOptions)
	c := conversation{s: s, r: &request{bootp: bootp, chaddr: mac}, binding: s.bindings[mac], facts: &Facts{}}
	reply := make([]byte, ReplyBufferSize/2)
	size := c.message(ReasonAckSelecting, Ack, reply, &Result{})

	return DescribeOptions(reply[offOptions:size])
}

// reader is what an option is called and how its payload is read.
type reader struct {
	name string
	read func([]byte) string
}

// readers returns the options that are read.
func readers() map[uint8]reader {
	return map[uint8]reader{
		optSubnetMask:       {"subnet mask", readAddrs},
		optRouter:           {"router", readAddrs},
		optDNS:              {"name servers", readAddrs},
		optHostname:         {"host name", readText},
		optDomainName:       {"domain name", readText},
		optMTU:              {"MTU", readNumber},
		optBroadcast:        {"broadcast address", readAddrs},
		optNTP:              {"time servers", readAddrs},
		optLeaseTime:        {"lease time", readSeconds},
		optMessageType:      {"message type", readMessageType},
		optServerID:         {"server identifier", readAddrs},
		optMessage:          {"message", readText},
		optT1:               {"renewal time", readSeconds},
		optT2:               {"rebinding time", readSeconds},
		optClientID:         {"client identifier", hex.EncodeToString},
		optTFTPServer:       {"boot server", readText},
		optBootFile:         {"boot file", readText},
		optRelayInfo:        {"relay agent", hex.EncodeToString},
		optDomainSearch:     {"domain search", readNames},
		optClasslessRoutes:  {"classless routes", readRoutes},
		optClasslessRoutesM: {"classless routes (Microsoft)", readRoutes},
	}
}

func readMessageType(b []byte) string {
	var kind MessageType
	if len(b) > 0 {
		kind = MessageType(b[0])
	}

	return "DHCP" + kind.String()
}

func readAddrs(b []byte) string {
	if len(b) == 0 || len(b)%4 != 0 {
		return hex.EncodeToString(b)
	}

	var texts []string
	for ; len(b) > 0; b = b[4:] {
		texts = append(texts, addr4(b[:4]).String())
	}

	return strings.Join(texts, ", ")
}

func readText(b []byte) string {
	text := strings.TrimRight(string(b), "\x00")
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }) {
		return strconv.QuoteToASCII(text)
	}

	return text
}

func readNumber(b []byte) string {
	if len(b) != 2 {
		return hex.EncodeToString(b)
	}

	return strconv.Itoa(int(binary.BigEndian.Uint16(b)))
}

func readSeconds(b []byte) string {
	if len(b) != 4 {
		return hex.EncodeToString(b)
	}

	seconds := binary.BigEndian.Uint32(b)
	if seconds == 0xffffffff {
		return "for ever"
	}

	return (time.Duration(seconds) * time.Second).String()
}

// readNames reads names as RFC 1035 writes them. We write them without
// compression; what has any is shown as it is.
func readNames(b []byte) string {
	var names []string

	for rest := b; len(rest) > 0; {
		var labels []string

		for {
			if len(rest) == 0 || int(rest[0]) >= len(rest) || rest[0] > 63 {
				return hex.EncodeToString(b)
			}

			size := int(rest[0])
			label := rest[1 : 1+size]
			rest = rest[1+size:]

			if size == 0 {
				break
			}

			labels = append(labels, string(label))
		}

		names = append(names, readText([]byte(strings.Join(labels, "."))))
	}

	return strings.Join(names, ", ")
}

// readRoutes reads classless routes (RFC 3442).
func readRoutes(b []byte) string {
	var routes []string

	for rest := b; len(rest) > 0; {
		bits := int(rest[0])
		octets := (bits + 7) / 8

		if bits > 32 || len(rest) < 1+octets+4 {
			return hex.EncodeToString(b)
		}

		var network [4]byte

		copy(network[:], rest[1:1+octets])
		gateway := addr4(rest[1+octets : 1+octets+4])
		via := "via " + gateway.String()

		if gateway.IsUnspecified() {
			via = "on the link"
		}

		routes = append(routes, fmt.Sprintf("%s %s", netip.PrefixFrom(netip.AddrFrom4(network), bits), via))
		rest = rest[1+octets+4:]
	}

	return strings.Join(routes, ", ")
}
