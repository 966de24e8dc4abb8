package wire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/api"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/wire"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/observation"
)

const mac = "52:54:00:00:00:01"

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	pool    = types.NamespacedName{Namespace: "default", Name: "net-48"}
	address = netip.MustParseAddr("192.168.48.86")
)

// pods are those that a selector finds.
type pods []*corev1.Pod

func (p pods) List(namespace string, selector labels.Selector) ([]*corev1.Pod, error) {
	return slices.DeleteFunc(slices.Clone(p), func(pod *corev1.Pod) bool {
		return pod.Namespace != namespace || !selector.Matches(labels.Set(pod.Labels))
	}), nil
}

// agent is a Pod of an agent that answers with the handler.
func agent(t *testing.T, name string, handler http.HandlerFunc) *corev1.Pod {
	t.Helper()

	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)

	where := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))

	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "harvester-system", Name: name, Labels: map[string]string{
			v1alpha1.LabelComponent: v1alpha1.ComponentAgent, v1alpha1.LabelPoolNamespace: "default", v1alpha1.LabelPoolName: "net-48",
		}},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: int32(where.Port())}}}}},
		Status: corev1.PodStatus{PodIP: where.Addr().String(), Phase: corev1.PodRunning},
	}
}

// tells answers with the report, and checks who is asked for.
func tells(t *testing.T, report observation.Report) http.HandlerFunc {
	t.Helper()

	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query()["mac"]; r.URL.Path != observation.Path || !slices.Equal(got, []string{mac}) {
			t.Errorf("asked %s for %q", r.URL.Path, got)
		}

		if err := json.NewEncoder(w).Encode(report); err != nil {
			t.Error(err)
		}
	}
}

func agents(of ...*corev1.Pod) *wire.Agents {
	return wire.New(pods(of), "harvester-system")
}

// nic is the guest that is asked about.
func nic() api.Watched { return api.Watched{Address: address, MAC: dhcp.MAC{0x52, 0x54, 0, 0, 0, 1}} }

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func moment(minutes int) *time.Time {
	t := at(minutes)

	return &t
}

// Two agents saw parts of one guest's life; together they tell the whole.
func TestPutsTogetherWhatAgentsSaw(t *testing.T) {
	t.Parallel()

	early := observation.Report{Since: noon, Declined: []string{address.String()}, Clients: []observation.Client{{
		MAC: mac, FirstSeen: at(1), LastSeen: at(2), LastAck: moment(2), Expires: moment(62), Hostname: "web-1",
		Options: []dhcp.OptionText{{Code: 3, Name: "router", Value: "192.168.48.1"}},
		Exchanges: []observation.Exchange{
			{At: at(2), Request: "DHCPREQUEST", Reply: "DHCPACK", Reason: "selecting"},
			{At: at(1), Request: "DHCPDISCOVER", Reply: "DHCPOFFER", Reason: "discover"},
		},
	}}}
	late := observation.Report{Since: at(5), Declined: []string{address.String(), "nonsense"}, Clients: []observation.Client{{
		MAC: mac, FirstSeen: at(30), LastSeen: at(30), VendorClass: "udhcp",
		Exchanges: []observation.Exchange{{At: at(30), Request: "DHCPREQUEST", Reason: "foreign-server"}},
	}}}
	asked := agents(agent(t, "a", tells(t, early)), agent(t, "b", tells(t, late)))

	silent := api.Watched{Address: netip.MustParseAddr("192.168.48.90")}
	got := asked.Observe(t.Context(), pool, []api.Watched{nic(), silent})
	want := map[netip.Addr]v1.Observed{address: {
		Known: true, FirstSeen: at(1), LastSeen: at(30), LastMessage: "DHCPREQUEST", ExpiresAt: at(62), Hostname: "web-1", VendorClass: "udhcp", Agent: "b",
		Options: []v1.Option{{Code: 3, Name: "router", Value: "192.168.48.1"}},
	}}

	if diff := cmp.Diff(want, got.Seen, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || len(got.Gaps) != 0 {
		t.Errorf("gaps %v (-want +got):\n%s", got.Gaps, diff)
	}

	// Both have listened since the later one began.
	if got.Answered != 2 || !got.Since.Equal(at(5)) || !slices.Equal(got.Declined, []netip.Addr{address}) {
		t.Errorf("%d answered, listening since %s, declined %v", got.Answered, got.Since, got.Declined)
	}

	items := got.Messages[address]
	slices.SortStableFunc(items, func(a, b v1.HistoryItem) int { return b.At.Compare(a.At) })

	var story []string
	for _, item := range items {
		story = append(story, fmt.Sprint(item.Agent, " ", item.Direction, " ", item.What, " ", item.Detail))
	}

	wantStory := []string{
		"b in DHCPREQUEST not answered: foreign-server", "a out DHCPACK selecting", "a in DHCPREQUEST ",
		"a out DHCPOFFER discover", "a in DHCPDISCOVER ",
	}
	if diff := cmp.Diff(wantStory, story); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// What is not known is said with its reason, and never made up.
func TestSaysWhatIsNotKnown(t *testing.T) {
	t.Parallel()

	nothing := observation.Report{Since: noon}
	broken := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{")) }
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }
	hanging := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	starting := agent(t, "b", failing)
	starting.Status.PodIP = ""
	ended := agent(t, "b", failing)
	ended.Status.Phase = corev1.PodFailed
	ofOther := agent(t, "b", failing)
	ofOther.Labels[v1alpha1.LabelPoolName] = "net-49"

	tests := []struct {
		name     string
		agents   []*corev1.Pod
		answered int
		gap      string // in the reason of the only gap; empty for none
	}{
		{"all agents heard nothing", []*corev1.Pod{agent(t, "a", tells(t, nothing))}, 1, ""},
		{"no agent runs", nil, 0, ""},
		{"only one that ended, and another pool's", []*corev1.Pod{ended, ofOther}, 0, ""},
		{"one starts", []*corev1.Pod{agent(t, "a", tells(t, nothing)), starting}, 1, "does not run yet"},
		{"one fails", []*corev1.Pod{agent(t, "a", tells(t, nothing)), agent(t, "b", failing)}, 1, "500"},
		{"one is broken", []*corev1.Pod{agent(t, "b", broken)}, 0, "cannot be read"},
		{"one is old", []*corev1.Pod{agent(t, "b", http.NotFound)}, 0, "of a version that does not tell"},
		{"one is silent", []*corev1.Pod{agent(t, "b", hanging)}, 0, "did not answer in time"},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()

			got := agents(tc.agents...).Observe(ctx, pool, []api.Watched{nic()})

			if len(got.Seen) != 0 || got.Answered != tc.answered {
				t.Errorf("%d answered, seen %v", got.Answered, got.Seen)
			}

			if tc.gap == "" && len(got.Gaps) != 0 || tc.gap != "" && (len(got.Gaps) != 1 || !strings.Contains(got.Gaps[0].Reason, tc.gap)) {
				t.Errorf("gaps %+v, want %q", got.Gaps, tc.gap)
			}
		})
	}
}

// Without a NIC only what was declined is asked for.
func TestAsksForDeclinedAddressesAlone(t *testing.T) {
	t.Parallel()

	asked := agents(agent(t, "a", func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has(observation.DeclinedOnly) || r.URL.Query().Has("mac") {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}

		_, _ = w.Write([]byte(`{"declined":["192.168.48.86"]}`))
	}))

	if got := asked.Observe(t.Context(), pool, []api.Watched{{Address: address}}); !slices.Equal(got.Declined, []netip.Addr{address}) {
		t.Errorf("%+v", got)
	}
}
