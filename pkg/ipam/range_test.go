package ipam

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want, err string }{
		{in: "10.0.0.5", want: "10.0.0.5"},
		{in: " 10.0.0.5 ", want: "10.0.0.5"},
		{in: "10.0.0.5-10.0.0.9", want: "10.0.0.5-10.0.0.9"},
		{in: "10.0.0.5 - 10.0.0.9", want: "10.0.0.5-10.0.0.9"},
		{in: "10.0.0.5-10.0.0.5", want: "10.0.0.5"},
		{in: "::ffff:10.0.0.5-10.0.0.6", want: "10.0.0.5-10.0.0.6"},
		{in: "10.0.0.4/30", want: "10.0.0.4-10.0.0.7"},
		{in: "10.0.0.5/32", want: "10.0.0.5"},
		{in: "10.0.0.4/31", want: "10.0.0.4-10.0.0.5"},
		{in: "10.64.0.0/10", want: "10.64.0.0-10.127.255.255"},
		{in: "0.0.0.0/0", want: "0.0.0.0-255.255.255.255"},
		{in: "2001:db8::/126", want: "2001:db8::-2001:db8::3"},
		{in: "2001:DB8:0::1", want: "2001:db8::1"},
		{in: "fd00::/9", want: "fd00::-fd7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{in: "", err: "is empty"},
		{in: "   ", err: "is empty"},
		{in: "-", err: `"" is not an IP address`},
		{in: "10.0.0.5-", err: `"" is not an IP address`},
		{in: "-10.0.0.5", err: `"" is not an IP address`},
		{in: "10.0.0.5-10.0.0.6-10.0.0.7", err: `"10.0.0.6-10.0.0.7" is not an IP address`},
		{in: "10.0.0.9-10.0.0.5", err: "write 10.0.0.5-10.0.0.9"},
		{in: "10.0.0.5-fd00::1", err: "mixes IPv4 and IPv6"},
		{in: "10.0.0.256", err: "is not an IP address"},
		{in: "10.0.0", err: "is not an IP address"},
		{in: "010.0.0.1", err: "is not an IP address"},
		{in: "10.0.0.5/24", err: "write 10.0.0.0/24 for the whole network or 10.0.0.5 for the one address"},
		{in: "10.0.0.0/33", err: "is not a CIDR"},
		{in: "10.0.0.0/-1", err: "is not a CIDR"},
		{in: "10.0.0.0/", err: "is not a CIDR"},
		{in: "10.0.0.0/24-10.0.1.0/24", err: "is not a CIDR"},
		{in: "::ffff:10.0.0.0/120", err: "write it as IPv4"},
		{in: "fe80::1%eth0", err: "write the address without %eth0"},
		{in: "fe80::1%eth0/64", err: "is not a CIDR"},
		{in: "host.example", err: "is not an IP address"},
		{in: "10.0.0.5–10.0.0.9", err: "is not an IP address"},
	}
	for _, tc := range tests {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRange(tc.in)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("ParseRange = %s, error %v; want one with %q", got, err, tc.err)
				}
				if !got.IsZero() {
					t.Errorf("a refused text gave %s", got)
				}
				return
			}
			if err != nil || got.String() != tc.want {
				t.Errorf("ParseRange = %s, %v; want %s", got, err, tc.want)
			}
		})
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{
		"10.0.0.5", "10.0.0.5-10.0.0.9", "10.0.0.0/8", "fd00::/64", "::1-::2", "10.0.0.5/24", "-", "/", "1.2.3.4-5",
		"::ffff:1.2.3.4", "fe80::1%eth0", "0.0.0.0/0", "::/0", "255.255.255.255", "ffff::-ffff::ff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRange(s)
		if err != nil {
			if !r.IsZero() || err.Error() == "" {
				t.Fatalf("ParseRange(%q) = %s with error %q", s, r, err)
			}
			return
		}
		if !r.IsValid() || !r.Contains(r.First) || !r.Contains(r.Last) || r.Size() == 0 {
			t.Fatalf("ParseRange(%q) = %s, which is no range", s, r)
		}
		again, err := ParseRange(r.String())
		if err != nil || again != r {
			t.Fatalf("%s does not survive being written: %s, %v", r, again, err)
		}
	})
}

func TestRangeSizeAndContains(t *testing.T) {
	t.Parallel()
	tests := []struct {
		r    Range
		size uint64
		in   []string
		out  []string
	}{
		{r: Range{}, out: []string{"0.0.0.0", "::", "10.0.0.1"}},
		{r: Range{First: addr("10.0.0.1")}, out: []string{"10.0.0.1"}},
		{r: Range{Last: addr("10.0.0.1")}, out: []string{"10.0.0.1", "0.0.0.0"}},
		{r: Range{First: addr("10.0.0.9"), Last: addr("10.0.0.1")}, out: []string{"10.0.0.1", "10.0.0.5", "10.0.0.9"}},
		{r: Range{First: addr("10.0.0.1"), Last: addr("fd00::1")}, out: []string{"10.0.0.1", "10.0.0.2", "fd00::1"}},
		{r: rangeOf(t, "10.0.0.7"), size: 1, in: []string{"10.0.0.7", "::ffff:10.0.0.7"}, out: []string{"10.0.0.6", "10.0.0.8", "::10.0.0.7"}},
		{r: rangeOf(t, "0.0.0.0/0"), size: 1 << 32, in: []string{"0.0.0.0", "255.255.255.255"}, out: []string{"::", "fd00::1"}},
		{r: rangeOf(t, "10.0.0.0/8"), size: 1 << 24, in: []string{"10.0.0.0", "10.255.255.255"}, out: []string{"9.255.255.255", "11.0.0.0"}},
		{r: rangeOf(t, "fd00::/65"), size: 1 << 63, in: []string{"fd00::1"}, out: []string{"fd00::8000:0:0:0"}},
		{r: rangeOf(t, "fd00::/64"), size: math.MaxUint64, in: []string{"fd00::ffff:ffff:ffff:ffff"}, out: []string{"fd00:0:0:1::"}},
		{r: rangeOf(t, "::/0"), size: math.MaxUint64, in: []string{"fd00::1"}, out: []string{"10.0.0.1"}},
	}
	for _, tc := range tests {
		t.Run(tc.r.String(), func(t *testing.T) {
			t.Parallel()
			if got := tc.r.Size(); got != tc.size {
				t.Errorf("Size = %d, want %d", got, tc.size)
			}
			if got, want := tc.r.IsValid(), tc.size > 0; got != want {
				t.Errorf("IsValid = %v, want %v", got, want)
			}
			for _, a := range tc.in {
				if !tc.r.Contains(addr(a)) {
					t.Errorf("%s is not in it", a)
				}
			}
			for _, a := range tc.out {
				if tc.r.Contains(addr(a)) {
					t.Errorf("%s is in it", a)
				}
			}
			if tc.r.Contains(netip.Addr{}) {
				t.Error("the invalid address is in it")
			}
		})
	}
}

func TestRangeOf(t *testing.T) {
	t.Parallel()
	if got := RangeOf(netip.Prefix{}); !got.IsZero() {
		t.Errorf("the invalid prefix gives %s", got)
	}
	for bits := range 33 {
		p := netip.PrefixFrom(addr("10.171.205.239"), bits)
		r := RangeOf(p)
		if r.First != p.Masked().Addr() || r.Size() != 1<<(32-bits) || !p.Contains(r.Last) {
			t.Errorf("RangeOf(%s) = %s", p, r)
		}
	}
	for bits := 65; bits <= 128; bits++ {
		p := netip.PrefixFrom(addr("2001:db8:cafe:f00d:dead:beef:1:2"), bits)
		r := RangeOf(p)
		if r.First != p.Masked().Addr() || r.Size() != 1<<(128-bits) || !p.Contains(r.Last) {
			t.Errorf("RangeOf(%s) = %s", p, r)
		}
	}
}

func TestRangeOverlaps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0/24", false},
		{"10.0.0.0/8", "10.9.8.7", true},
		{"10.0.0.1-10.0.0.5", "10.0.0.5-10.0.0.9", true},
		{"10.0.0.1-10.0.0.5", "10.0.0.6-10.0.0.9", false},
		{"10.0.0.0/8", "fd00::/8", false},
		{"::/0", "0.0.0.0/0", false},
		{"", "10.0.0.0/8", false},
	}
	for _, tc := range tests {
		a, b := rangeOf(t, tc.a), rangeOf(t, tc.b)
		if a.Overlaps(b) != tc.want || b.Overlaps(a) != tc.want {
			t.Errorf("%q and %q: overlap is %v, %v; want %v", tc.a, tc.b, a.Overlaps(b), b.Overlaps(a), tc.want)
		}
	}
}

// TestMergeMatchesModel: the union of ranges contains what one of them contains,
// in disjoint, ascending parts with a gap between each two.
func TestMergeMatchesModel(t *testing.T) {
	t.Parallel()
	eachSeed(t, 60, func(t *testing.T, rng *rand.Rand) {
		prefix := netip.MustParsePrefix("10.0.0.0/24")
		var in []Range
		for range rng.IntN(9) {
			in = append(in, rangeOfTwo(anyOf(rng, prefix), anyOf(rng, prefix)))
			if rng.IntN(3) > 0 {
				in[len(in)-1].Last = in[len(in)-1].First
			}
		}
		in = append(in, Range{}, Range{First: addr("10.0.0.9"), Last: addr("10.0.0.1")})
		before := append([]Range(nil), in...)
		out := merge(in)
		if diff := cmp.Diff(before, in, cmpAddrs); diff != "" {
			t.Fatalf("merge changed its argument:\n%s", diff)
		}
		for i := 1; i < len(out); i++ {
			if out[i-1].Last.Next().Compare(out[i].First) >= 0 {
				t.Fatalf("%s and %s are not apart", out[i-1], out[i])
			}
		}
		for a := prefix.Addr(); prefix.Contains(a); a = a.Next() {
			want, got := false, false
			for _, r := range in {
				want = want || r.Contains(a)
			}
			for _, r := range out {
				got = got || r.Contains(a)
			}
			if got != want {
				t.Fatalf("%s is in the union: %v, want %v (%v)", a, got, want, out)
			}
		}
	})
}

func TestMergeAtTheTopOfAFamily(t *testing.T) {
	t.Parallel()
	got := merge([]Range{rangeOf(t, "255.255.255.255"), rangeOf(t, "255.255.255.254"), rangeOf(t, "::1"), rangeOf(t, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")})
	want := []Range{rangeOf(t, "::1"), rangeOf(t, "255.255.255.254-255.255.255.255"), rangeOf(t, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}
	if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
		t.Error(diff)
	}
}

func TestRangeString(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Range{
		"":          {},
		"10.0.0.1-": {First: addr("10.0.0.1")},
		"-10.0.0.1": {Last: addr("10.0.0.1")},
	} {
		if got := r.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}
