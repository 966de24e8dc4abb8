package dhcp

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MAC is an Ethernet address. It is comparable and has one spelling inside the
// product, whatever spelling it arrived in. The zero value means "none".
type MAC [6]byte

// broadcastMAC returns the address that reaches every station of a segment.
func broadcastMAC() MAC { return MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// ParseMAC reads an Ethernet address in any usual spelling: colons, hyphens,
// Cisco's dotted groups or no separator, in either case. The error quotes the
// input and names the spelling that is wanted.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	digits, ok := macDigits(strings.TrimSpace(s))
	if !ok {
		return MAC{}, badMAC(s)
	}
	if _, err := hex.Decode(m[:], []byte(digits)); err != nil {
		return MAC{}, badMAC(s)
	}
	return m, nil
}

// macDigits strips the separators of s if they stand where one known spelling
// puts them; mixed or misplaced separators are refused, as a truncated address
// must not turn into a shorter valid one.
func macDigits(s string) (string, bool) {
	switch len(s) {
	case 12:
		return s, true
	case 14:
		if s[4] != '.' || s[9] != '.' {
			return "", false
		}
		return s[0:4] + s[5:9] + s[10:14], true
	case 17:
		sep := s[2]
		if sep != ':' && sep != '-' {
			return "", false
		}
		var b strings.Builder
		for i := 0; i < len(s); i += 3 {
			if i > 0 && s[i-1] != sep {
				return "", false
			}
			b.WriteString(s[i : i+2])
		}
		return b.String(), true
	default:
		return "", false
	}
}

func badMAC(s string) error {
	return fmt.Errorf("MAC address %q is not understood: write six bytes in hex, such as 52:54:00:12:34:56", s)
}

// String returns the canonical spelling: lower case, colons.
func (m MAC) String() string {
	const digits = "0123456789abcdef"
	var b [17]byte
	for i, v := range m {
		if i > 0 {
			b[i*3-1] = ':'
		}
		b[i*3], b[i*3+1] = digits[v>>4], digits[v&0xf]
	}
	return string(b[:])
}

// IsZero reports whether m is the zero value, which stands for "none".
func (m MAC) IsZero() bool { return m == MAC{} }

// IsGroup reports whether m is a multicast or the broadcast address, which no
// single station can have.
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// MarshalText implements encoding.TextMarshaler with the canonical spelling.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts what ParseMAC
// accepts.
func (m *MAC) UnmarshalText(text []byte) error {
	parsed, err := ParseMAC(string(text))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}
