package dhcp

import "strings"

// validName reports whether s is a host or domain name: labels of 1 to 63
// letters, digits and hyphens, not starting or ending with a hyphen, 253
// characters at most (RFC 1123 2.1, RFC 1035 2.3.4). One final dot is allowed.
// What passes cannot harm a shell script that a client runs with it.
func validName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !letter(c) && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// appendDNSName appends a valid name in the wire format of RFC 1035 3.1, lower
// case and without compression, which option 119 allows but does not need.
func appendDNSName(dst []byte, name string) []byte {
	for label := range strings.SplitSeq(strings.ToLower(strings.TrimSuffix(name, ".")), ".") {
		dst = append(dst, byte(len(label))) // at most 63, see validName
		dst = append(dst, label...)
	}
	return append(dst, 0)
}
