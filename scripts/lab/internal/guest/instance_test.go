package guest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReported(t *testing.T) {
	t.Parallel()
	networks := []any{
		map[string]any{"name": "front"}, map[string]any{"name": "unknown"}, "no network", map[string]any{"name": "back"},
	}
	got := reported(networks, map[string]string{"back": "02:00:00:00:00:02", "front": "02:00:00:00:00:01", "other": "02:00:00:00:00:03"})
	want := []any{
		map[string]any{"name": "front", "mac": "02:00:00:00:00:01", "infoSource": "domain", "queueCount": int64(1)},
		map[string]any{"name": "back", "mac": "02:00:00:00:00:02", "infoSource": "domain", "queueCount": int64(1)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("NICs (-want +got):\n%s", diff)
	}
}
