package apitest

import (
	"strings"
	"testing"
)

// Says checks that there are as many texts as wants, and that each has the words
// of its want, which are parted by "|". It calls the texts what.
func Says(t *testing.T, what string, want, got []string) {
	t.Helper()

	if len(want) != len(got) {
		t.Errorf("got %d %ss, want %d:\n%s", len(got), what, len(want), strings.Join(got, "\n"))

		return
	}

	for i := range want {
		for word := range strings.SplitSeq(want[i], "|") {
			if !strings.Contains(got[i], word) {
				t.Errorf("%s %q lacks %q", what, got[i], word)
			}
		}
	}
}
