package fault

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDescendants(t *testing.T) {
	t.Parallel()
	//   1 ── 10 ── 11 ── 12
	//   │     └─── 13
	//   └── 20 ── 21
	parents := map[int]int{1: 0, 10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 21: 20}
	got := descendants(parents, 10)
	if diff := cmp.Diff([]int{10, 11, 12, 13}, got, cmpopts.SortSlices(func(a, b int) bool { return a < b })); diff != "" {
		t.Errorf("descendants of 10 (-want +got):\n%s", diff)
	}
	seen := map[int]bool{0: true, 1: true}
	for _, pid := range got {
		if !seen[parents[pid]] {
			t.Errorf("%d comes before its parent", pid)
		}
		seen[pid] = true
	}
	if diff := cmp.Diff([]int{99}, descendants(parents, 99)); diff != "" {
		t.Errorf("descendants of a process without children (-want +got):\n%s", diff)
	}
}

func TestParentsKnowsThisProcess(t *testing.T) {
	t.Parallel()
	got, err := parents()
	if err != nil {
		t.Fatal(err)
	}
	if got[os.Getpid()] != os.Getppid() {
		t.Errorf("parent of this process = %d, want %d", got[os.Getpid()], os.Getppid())
	}
}
