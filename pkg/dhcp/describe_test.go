package dhcp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

// texts writes described options as "code name: value".
func texts(options []dhcp.OptionText) []string {
	out := make([]string, 0, len(options))
	for _, o := range options {
		out = append(out, fmt.Sprintf("%d %s: %s", o.Code, o.Name, o.Value))
	}

	return out
}

func TestDescribesWhatAGuestIsTold(t *testing.T) {
	t.Parallel()

	s := testSnapshot(t, func(n *dhcp.Network) {
		n.Routes = []dhcp.Route{
			{Destination: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("10.1.0.4")},
			{Destination: netip.MustParsePrefix("10.8.0.0/20")},
		}
		n.Custom = []dhcp.Option{{Code: 100, Value: []byte{0, 1, 255}}}
	})
	want := []string{
		"53 message type: DHCPACK",
		"54 server identifier: 10.1.0.2",
		"1 subnet mask: 255.255.255.0",
		"6 name servers: 9.9.9.9, 1.1.1.1",
		"12 host name: web-1",
		"15 domain name: example.org",
		"26 MTU: 1450",
		"28 broadcast address: 10.1.0.255",
		"42 time servers: 10.1.0.10",
		"119 domain search: example.org, lab.example.org",
		"121 classless routes: 10.9.0.0/16 via 10.1.0.4, 10.8.0.0/20 on the link, 0.0.0.0/0 via 10.1.0.1",
		"100 option 100: 0001ff",
		"51 lease time: 24h0m0s",
	}

	got := texts(s.Preview(clientMAC))
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%q is missing", line)
		}
	}

	if t.Failed() {
		t.Logf("got %q", got)
	}
}

// What the preview promises is what a client without a request list is sent.
func TestThePreviewIsTheReply(t *testing.T) {
	t.Parallel()

	s := testSnapshot(t)
	frame := packet{kind: dhcpv4.MessageTypeRequest, requested: boundAddr, server: serverAddr}.build()
	result := s.Respond(frame, facts(), nil)

	if result.Reason != dhcp.ReasonAckSelecting {
		t.Fatalf("answered %v", result.Reason)
	}

	sent := texts(dhcp.DescribeOptions(dhcp.ReplyOptions(result.Frames[0])))
	if preview := texts(s.Preview(clientMAC)); !slices.Equal(preview, sent) {
		t.Errorf("preview %q\nreply   %q", preview, sent)
	}
}

func TestDescribesOddOptions(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		field []byte
		want  []string
	}{
		{"nothing", nil, nil},
		{"padding and the end", []byte{0, 0, 255, 3, 4}, nil},
		{"cut short", []byte{1, 4, 255, 255, 255, 0, 3, 4, 10}, []string{"1 subnet mask: 255.255.255.0"}},
		{"in two pieces", []byte{15, 2, 'a', '.', 15, 1, 'b'}, []string{"15 domain name: a.b"}},
		{"control characters", []byte{12, 2, 'a', 7}, []string{`12 host name: "a\a"`}},
		{"an address of five bytes", []byte{3, 5, 1, 2, 3, 4, 5}, []string{"3 router: 0102030405"}},
		{"a number of one byte", []byte{26, 1, 5}, []string{"26 MTU: 05"}},
		{"a time of one byte", []byte{51, 1, 5}, []string{"51 lease time: 05"}},
		{"for ever", []byte{51, 4, 255, 255, 255, 255}, []string{"51 lease time: for ever"}},
		{"a compressed name", []byte{119, 2, 0xc0, 1}, []string{"119 domain search: c001"}},
		{"a name without end", []byte{119, 2, 1, 'a'}, []string{"119 domain search: 0161"}},
		{"a route of 33 bits", []byte{121, 5, 33, 1, 2, 3, 4}, []string{"121 classless routes: 2101020304"}},
		{"no message type", []byte{53, 0}, []string{"53 message type: DHCPUNKNOWN"}},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			if got := texts(dhcp.DescribeOptions(tc.field)); !slices.Equal(got, tc.want) {
				t.Errorf("DescribeOptions(% x) = %q, want %q", tc.field, got, tc.want)
			}
		})
	}
}

func FuzzDescribeOptions(f *testing.F) {
	f.Add([]byte{53, 1, 5, 119, 4, 1, 'a', 0, 0, 121, 8, 24, 10, 0, 0, 10, 0, 0, 1, 255})
	f.Add([]byte{15, 1, 'a', 15, 1, 'b', 12, 0, 51, 4, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, field []byte) {
		before := slices.Clone(field)
		dhcp.DescribeOptions(field)

		if !slices.Equal(before, field) {
			t.Error("the field was changed")
		}
	})
}
