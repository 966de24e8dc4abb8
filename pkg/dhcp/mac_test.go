package dhcp_test

import (
	"encoding/json"
	"testing"

	"github.com/freehold-net/freehold/pkg/dhcp"
)

func TestParseMAC(t *testing.T) {
	t.Parallel()
	want := dhcp.MAC{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x0f}
	for _, s := range []string{"aa:bb:cc:dd:ee:0f", "AA-BB-CC-DD-EE-0F", "aabb.ccdd.ee0f", "AABBCCDDEE0F", " aa:bb:cc:dd:ee:0f\n"} {
		if got, err := dhcp.ParseMAC(s); err != nil || got != want {
			t.Errorf("ParseMAC(%q) = %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:0g", "aa:bb-cc:dd:ee:0f", "aa.bb.cc.dd.ee.0f", "aabbccddee0", "aabbc.cdd.ee0f", "aa:bb:cc:dd:ee:0f:11", "aaa:b:cc:dd:ee:0f"} {
		if got, err := dhcp.ParseMAC(s); err == nil {
			t.Errorf("ParseMAC(%q) = %s, want an error", s, got)
		}
	}
	b, err := json.Marshal(map[dhcp.MAC]dhcp.MAC{want: want})
	if err != nil || string(b) != `{"aa:bb:cc:dd:ee:0f":"aa:bb:cc:dd:ee:0f"}` {
		t.Errorf("JSON %s, %v", b, err)
	}
	var back map[dhcp.MAC]dhcp.MAC
	if err := json.Unmarshal(b, &back); err != nil || back[want] != want {
		t.Errorf("back: %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"x":"y"}`), &back); err == nil {
		t.Error("a bad address was read")
	}
}
