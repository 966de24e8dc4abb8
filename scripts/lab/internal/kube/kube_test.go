package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, yaml string
		kinds      string
		wantErr    string
	}{
		{"nothing", "", "", ""},
		{"two, and empty ones", "---\nkind: A\napiVersion: v1\n---\n---\n# no more than a word\n---\nkind: B\napiVersion: v1\n", "A B", ""},
		{"no kind", "apiVersion: v1\n", "", "document 1: no kind"},
		{"not YAML", "kind: A\napiVersion: v1\n---\n\t:", "", "document 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			objects, err := Decode(strings.NewReader(tt.yaml))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			kinds := make([]string, len(objects))
			for i, o := range objects {
				kinds[i] = o.GetKind()
			}
			if got := strings.Join(kinds, " "); got != tt.kinds {
				t.Errorf("kinds %q, want %q", got, tt.kinds)
			}
		})
	}
}

func TestPollTellsTheLastState(t *testing.T) {
	t.Parallel()
	err := Poll(t.Context(), time.Millisecond, "the moon", func(context.Context) (bool, string, error) {
		return false, "half", nil
	})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the moon (last state: half)") {
		t.Errorf("error %v, want a deadline that names the moon and its last state", err)
	}
}
