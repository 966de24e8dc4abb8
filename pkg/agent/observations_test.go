package agent

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/observation"
)

func ask(t *testing.T, a *Agent, query string) (int, observation.Report, string) {
	t.Helper()

	answer := httptest.NewRecorder()
	a.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, observation.Path+query, nil))

	var report observation.Report
	if answer.Code == http.StatusOK {
		if err := json.Unmarshal(answer.Body.Bytes(), &report); err != nil {
			t.Fatalf("%v in %s", err, answer.Body)
		}
	}

	return answer.Code, report, answer.Body.String()
}

func TestTellsWhatItSaw(t *testing.T) {
	t.Parallel()

	a, _ := newAgent(t, "")
	if err := a.apply(testState(), true); err != nil {
		t.Fatal(err)
	}

	entry := testState().Entries[0]
	a.seen.Record(time.Now(), &dhcp.Result{MAC: entry.MAC, Address: entry.Address, Request: dhcp.Decline, Reason: dhcp.ReasonDeclined})
	a.quarantine.add(entry.Address, time.Now())

	for _, query := range []string{"", "?mac=02-00-00-00-00-01", "?mac=020000000001&mac=02:00:00:00:00:99"} {
		code, report, body := ask(t, a, query)
		if code != http.StatusOK || len(report.Clients) != 1 || report.Clients[0].Exchanges[0].Reason != "declined" {
			t.Errorf("%q: %d %s", query, code, body)
		}

		if len(report.Declined) != 1 || report.Declined[0] != "10.9.0.50" || report.Since.IsZero() {
			t.Errorf("%q: declined %q since %v", query, report.Declined, report.Since)
		}
	}

	for _, query := range []string{"?mac=02:00:00:00:00:99", "?" + observation.DeclinedOnly} {
		if _, report, body := ask(t, a, query); len(report.Clients) != 0 || len(report.Declined) != 1 {
			t.Errorf("%s: %s", query, body)
		}
	}

	// A client that lost its binding is forgotten with it.
	state := testState()
	state.Entries = nil

	if err := a.apply(state, true); err != nil {
		t.Fatal(err)
	}

	if _, report, body := ask(t, a, ""); len(report.Clients) != 0 {
		t.Errorf("without a binding: %s", body)
	}
}

func TestRefusesBadQuestions(t *testing.T) {
	t.Parallel()

	a, _ := newAgent(t, "")

	for query, want := range map[string]string{
		"?mac=nonsense": `"nonsense"`,
		"?" + strings.Repeat("mac=020000000001&", observation.MaxMACs+1): "too many",
	} {
		if code, _, body := ask(t, a, query); code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%.20s: %d %s", query, code, body)
		}
	}
}
