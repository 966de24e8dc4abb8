package convert

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

func TestNetworkRef(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, namespace, want, err string }{
		{in: "net-48", namespace: "vms", want: "vms/net-48"},
		{in: "default/net-48", namespace: "vms", want: "default/net-48"},
		{in: "default/net-48", namespace: "", want: "default/net-48"},
		{in: "a/b.c", namespace: "vms", want: "a/b.c"},
		{in: strings.Repeat("n", 63) + "/" + strings.Repeat("x", 253), want: strings.Repeat("n", 63) + "/" + strings.Repeat("x", 253)},
		{in: "", namespace: "vms", err: "is empty"},
		{in: "net-48", namespace: "", err: "has no namespace"},
		{in: "/net-48", namespace: "vms", err: `namespace ""`},
		{in: "default/", namespace: "vms", err: `name ""`},
		{in: "/", namespace: "vms", err: `namespace ""`},
		{in: "a/b/c", namespace: "vms", err: "more than one slash"},
		{in: "default/net@eth1", namespace: "vms", err: "leave out the @"},
		{in: "Default/net", namespace: "vms", err: `namespace "Default"`},
		{in: "default/Net", namespace: "vms", err: `name "Net"`},
		{in: "default/ net", namespace: "vms", err: `name " net"`},
		{in: "default/net\n", namespace: "vms", err: "cannot exist"},
		{in: "fd00::1", namespace: "vms", err: "cannot exist"},
		{in: strings.Repeat("n", 64) + "/x", err: "cannot exist"},
		{in: "x/" + strings.Repeat("n", 254), err: "cannot exist"},
	}
	for _, tc := range tests {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()
			namespace, name, err := NetworkRef(tc.in, tc.namespace)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || namespace+name != "" {
					t.Errorf("NetworkRef = %q, %q, %v; want an error with %q", namespace, name, err, tc.err)
				}
				return
			}
			if err != nil || namespace+"/"+name != tc.want {
				t.Errorf("NetworkRef = %q, %q, %v; want %s", namespace, name, err, tc.want)
			}
		})
	}
}

func FuzzNetworkRef(f *testing.F) {
	f.Add("default/net", "vms")
	f.Add("net@x", "")
	f.Add("//", "/")
	f.Fuzz(func(t *testing.T, s, defaultNamespace string) {
		namespace, name, err := NetworkRef(s, defaultNamespace)
		if err != nil {
			return
		}
		again, same, err := NetworkRef(namespace+"/"+name, "other")
		if err != nil || again != namespace || same != name {
			t.Fatalf("NetworkRef(%q) = %q, %q, which reads back as %q, %q, %v", s, namespace, name, again, same, err)
		}
	})
}

func TestLeaseName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ pool, addr, want string }{
		{"net-48", "192.168.48.81", "net-48.192.168.48.81"},
		{"net-48", "::ffff:192.168.48.81", "net-48.192.168.48.81"},
		{"a.b", "10.0.0.1", "a.b.10.0.0.1"},
		{"10.0.0.1", "10.0.0.2", "10.0.0.1.10.0.0.2"},
		{"1", "10.0.0.2", "1.10.0.0.2"},
		{"v6", "fd00::5", "v6.fd00-0000-0000-0000-0000-0000-0000-0005"},
		{"v6", "fe80::5%eth0", "v6.fe80-0000-0000-0000-0000-0000-0000-0005"},
	} {
		a := netip.MustParseAddr(tc.addr)
		if got := LeaseName(tc.pool, a); got != tc.want {
			t.Errorf("LeaseName(%q, %s) = %q, want %q", tc.pool, tc.addr, got, tc.want)
		}
	}
}

// TestLeaseNamesAreValidAndTellApart: a lease name is a Kubernetes name for the
// longest pool, and no two addresses or pools share one.
func TestLeaseNamesAreValidAndTellApart(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 2131))
	seen := map[string]string{}
	for range 5000 {
		pool := []string{"a", "a.1", "a.1.2", "1.2.3.4", strings.Repeat("p", MaxPoolName)}[rng.IntN(5)]
		a := netip.AddrFrom4([4]byte{byte(rng.IntN(3)), byte(rng.IntN(3)), byte(rng.IntN(3)), byte(rng.IntN(3))})
		if rng.IntN(20) == 0 {
			a = netip.MustParseAddr("255.255.255.255")
		}
		name := LeaseName(pool, a)
		if msgs := validation.IsDNS1123Subdomain(name); len(msgs) > 0 {
			t.Fatalf("%q cannot be a name: %v", name, msgs)
		}
		key := pool + " " + a.String()
		if other, ok := seen[name]; ok && other != key {
			t.Fatalf("%q is the name of %s and of %s", name, other, key)
		}
		seen[name] = key
	}
}

func TestHostName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"vm1": "vm1", "db.prod": "db", "VM_One": "vm-one", "-vm-": "vm", "vm--1": "vm--1", "": "", ".": "", "---": "", "日本": "", "über": "ber",
		"a b;c": "a-b-c", strings.Repeat("a", 200): strings.Repeat("a", 63), strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62), "1": "1",
	} {
		if got := HostName(in); got != want {
			t.Errorf("HostName(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzHostName(f *testing.F) {
	f.Add("vm-1.example")
	f.Add("-\xff-")
	f.Fuzz(func(t *testing.T, s string) {
		got := HostName(s)
		if got != "" && len(validation.IsDNS1123Label(got)) > 0 {
			t.Fatalf("HostName(%q) = %q, which is no host name", s, got)
		}
		if HostName(got) != got {
			t.Fatalf("HostName(%q) = %q is not final", s, got)
		}
	})
}

// TestMACSpellings: one NIC, whatever way its address is written.
func TestMACSpellings(t *testing.T) {
	t.Parallel()
	want := dhcp.MAC{0x52, 0x54, 0x00, 0xab, 0xcd, 0xef}
	for _, s := range []string{
		"52:54:00:ab:cd:ef", "52:54:00:AB:CD:EF", "52-54-00-ab-cd-ef", "52-54-00-AB-cd-EF", "5254.00ab.cdef", "5254.00AB.CDEF", "525400abcdef", "525400ABCDEF",
	} {
		if got, err := MAC(s); err != nil || got != want || got.String() != "52:54:00:ab:cd:ef" {
			t.Errorf("MAC(%q) = %s, %v", s, got, err)
		}
	}
	if got, err := MAC(""); err != nil || !got.IsZero() {
		t.Errorf("MAC of nothing = %s, %v", got, err)
	}
	for s, says := range map[string]string{
		"52:54:00:ab:cd": "six bytes", "52:54:00:ab:cd:ef:01": "six bytes", "52:54:00:ab:cd:eg": "six bytes", "52:54-00:ab:cd:ef": "six bytes",
		"5:54:00:ab:cd:ef": "six bytes", "52:54:00:ab:cd:ef\x00": "six bytes", "192.168.48.81": "six bytes", "fd00::1": "six bytes", "::": "six bytes",
		"02:00:5e:10:00:00:00:01": "six bytes", "52 54 00 ab cd ef": "six bytes", strings.Repeat("5", 9000): "six bytes",
		"00:00:00:00:00:00": "null address", "ff:ff:ff:ff:ff:ff": "such as in 52:54:00:12:34:56", "01:00:5e:00:00:fb": "such as in 00:00:5e:00:00:fb", "33-33-00-00-00-01": "such as in 32:33:00:00:00:01",
	} {
		if got, err := MAC(s); err == nil || !strings.Contains(err.Error(), says) || !got.IsZero() {
			t.Errorf("MAC(%q) = %s, %v; want an error with %q", s, got, err, says)
		}
	}
}

func FuzzMAC(f *testing.F) {
	f.Add("52:54:00:ab:cd:ef")
	f.Add("5254.00AB.CDEF")
	f.Add("ff-ff-ff-ff-ff-ff")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := MAC(s)
		if err != nil {
			if !m.IsZero() {
				t.Fatalf("MAC(%q) is refused and is %s", s, m)
			}
			return
		}
		if s == "" {
			return
		}
		if again, err := MAC(m.String()); err != nil || again != m || m.IsGroup() || m.IsZero() {
			t.Fatalf("MAC(%q) = %s, which reads back as %s, %v", s, m, again, err)
		}
	})
}

func TestWantedAddress(t *testing.T) {
	t.Parallel()
	path := field.NewPath("spec", "networkConfigs").Index(2).Child("ipAddress")
	for in, want := range map[string]string{
		"192.168.48.81": "192.168.48.81", "::ffff:192.168.48.81": "192.168.48.81", "FD00:0::1": "fd00::1",
	} {
		if got, err := WantedAddress(path, &in); err != nil || got.String() != want {
			t.Errorf("WantedAddress(%q) = %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []*string{nil, new("")} {
		if got, err := WantedAddress(path, in); err != nil || got.IsValid() {
			t.Errorf("WantedAddress of nothing = %s, %v", got, err)
		}
	}
	for _, in := range malformed() {
		if a, err := netip.ParseAddr(in); err == nil && a.Zone() == "" {
			continue // IPv6 may be wanted; the pool refuses it
		}
		got, err := WantedAddress(path, &in)
		if err == nil || got.IsValid() || err.Field != "spec.networkConfigs[2].ipAddress" || err.BadValue != in {
			t.Errorf("WantedAddress(%q) = %s, %v", in, got, err)
		}
	}
}
