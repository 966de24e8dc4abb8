package convert

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// MaxPoolName is the longest name a pool may have: a lease is named
// <pool>.<address>, and a name has 253 characters at most.
const MaxPoolName = validation.DNS1123SubdomainMaxLength - len(".255.255.255.255")

// NetworkRef reads the name of a NetworkAttachmentDefinition as Multus does:
// "namespace/name", or "name" in defaultNamespace, which is that of the object
// that carries the reference. The error says what is wrong and how to write it.
func NetworkRef(s, defaultNamespace string) (namespace, name string, err error) {
	namespace, name, qualified := strings.Cut(s, "/")
	if !qualified {
		namespace, name = defaultNamespace, s
	}
	switch {
	case s == "":
		return "", "", errors.New("is empty; write namespace/name of the network")
	case strings.Contains(name, "/"):
		return "", "", errors.New("has more than one slash; write namespace/name of the network")
	case strings.Contains(s, "@"):
		return "", "", errors.New("names an interface too; leave out the @ and what follows")
	case namespace == "" && !qualified:
		return "", "", errors.New("has no namespace; write namespace/name of the network")
	}
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return "", "", fmt.Errorf("has the namespace %q, which cannot exist; "+
			"write namespace/name, each of lower-case letters, digits and hyphens", namespace)
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", "", fmt.Errorf("has the name %q, which cannot exist; "+
			"write namespace/name, each of lower-case letters, digits and hyphens", name)
	}
	return namespace, name, nil
}

// LeaseName returns the name of the lease of a in a pool: <pool>.<address>. The
// colons of IPv6 cannot be in a name; such an address is written out in full,
// with hyphens. The address must be valid.
func LeaseName(pool string, a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return pool + "." + a.String()
	}
	return pool + "." + strings.ReplaceAll(a.StringExpanded(), ":", "-")
}

// HostName returns the host name that the guest of a virtual machine is told:
// the part of the name before the first dot, as KubeVirt names guests, with
// whatever RFC 1123 does not allow in a host name turned into hyphens. It is ""
// when nothing is left, and nothing is sent then.
func HostName(vmName string) string {
	first, _, _ := strings.Cut(strings.ToLower(vmName), ".")
	var b strings.Builder
	for _, r := range first {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('-')
		}
	}
	name := strings.TrimLeft(b.String(), "-")
	if len(name) > validation.DNS1123LabelMaxLength {
		name = name[:validation.DNS1123LabelMaxLength]
	}
	return strings.TrimRight(name, "-")
}

// domainName reads a DNS name and returns it in lower case without a final dot.
// A name whose last label is a number is a mistyped address (RFC 1123, 2.1).
func domainName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if len(name) > validation.DNS1123SubdomainMaxLength {
		return "", fmt.Errorf("is longer than %d characters; shorten it", validation.DNS1123SubdomainMaxLength)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if len(validation.IsDNS1123Label(label)) > 0 {
			return "", fmt.Errorf("is not a domain name (RFC 1123): %q cannot be a part of one; "+
				"write 1 to 63 letters, digits and hyphens between the dots", label)
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", errors.New("ends in a number as an address does; write a domain name, such as example.org")
	}
	return name, nil
}
