package wire_test

import (
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

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/api/wire"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ledger"
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
	book := ledger.New()
	book.Put(&v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net-48.192.168.48.86"},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "net-48", Address: address.String(), MACAddress: mac},
	})
	book.Put(&v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net-48.192.168.48.90"},
		Spec:       v1alpha1.IPLeaseSpec{PoolName: "net-48", Address: "192.168.48.90"},
	})

	return &wire.Agents{Pods: pods(of), Leases: book, Namespace: "harvester-system"}
}

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func moment(minutes int) *time.Time {
	t := at(minutes)

	return &t
}

// Two agents saw parts of one guest's life; together they tell the whole.
func TestPutsTogetherWhatAgentsSaw(t *testing.T) {
	t.Parallel()

	early := observation.Report{Since: noon, Clients: []observation.Client{{
		MAC: mac, FirstSeen: at(1), LastSeen: at(2), LastAck: moment(2), Expires: moment(62), Hostname: "web-1",
		Options: []dhcp.OptionText{{Code: 3, Name: "router", Value: "192.168.48.1"}},
		Exchanges: []observation.Exchange{
			{At: at(2), Request: "DHCPREQUEST", Reply: "DHCPACK", Reason: "selecting"},
			{At: at(1), Request: "DHCPDISCOVER", Reply: "DHCPOFFER", Reason: "discover"},
		},
	}}}
	late := observation.Report{Since: at(5), Clients: []observation.Client{{
		MAC: mac, FirstSeen: at(30), LastSeen: at(30), VendorClass: "udhcp",
		Exchanges: []observation.Exchange{{At: at(30), Request: "DHCPREQUEST", Reason: "foreign-server"}},
	}}}
	asked := agents(agent(t, "a", tells(t, early)), agent(t, "b", tells(t, late)))

	got, gaps := asked.Observe(t.Context(), pool, []netip.Addr{address, netip.MustParseAddr("192.168.48.90"), netip.MustParseAddr("192.168.48.99")})
	want := map[netip.Addr]v1.Observed{address: {
		Known: true, FirstSeen: at(1), LastSeen: at(30), LastMessage: "DHCPREQUEST", ExpiresAt: at(62), Hostname: "web-1", VendorClass: "udhcp", Agent: "b",
		Options: []v1.Option{{Code: 3, Name: "router", Value: "192.168.48.1"}},
	}}

	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || len(gaps) != 0 {
		t.Errorf("gaps %v (-want +got):\n%s", gaps, diff)
	}

	items, gaps := asked.Messages(t.Context(), pool, address)
	slices.SortStableFunc(items, func(a, b v1.HistoryItem) int { return b.At.Compare(a.At) })

	var story []string
	for _, item := range items {
		story = append(story, fmt.Sprint(item.Agent, " ", item.Direction, " ", item.What, " ", item.Detail))
	}

	wantStory := []string{
		"b in DHCPREQUEST not answered: foreign-server", "a out DHCPACK selecting", "a in DHCPREQUEST ",
		"a out DHCPOFFER discover", "a in DHCPDISCOVER ",
	}
	if diff := cmp.Diff(wantStory, story); diff != "" || len(gaps) != 0 {
		t.Errorf("gaps %v (-want +got):\n%s", gaps, diff)
	}
}

// What is not known is said with its reason, and never made up.
func TestSaysWhatIsNotKnown(t *testing.T) {
	t.Parallel()

	nothing := observation.Report{Since: noon}
	broken := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{")) }
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }
	starting := agent(t, "b", failing)
	starting.Status.PodIP = ""
	ended := agent(t, "b", failing)
	ended.Status.Phase = corev1.PodFailed
	ofOther := agent(t, "b", failing)
	ofOther.Labels[v1alpha1.LabelPoolName] = "net-49"

	tests := []struct {
		name   string
		agents []*corev1.Pod
		known  bool
		want   string // in why, or in the gap's reason
	}{
		{"all agents heard nothing", []*corev1.Pod{agent(t, "a", tells(t, nothing))}, true, "no agent has heard of it since 2026-03-01T12:00:00Z"},
		{"no agent runs", nil, false, "no agent of the pool runs"},
		{"only one that ended, and another pool's", []*corev1.Pod{ended, ofOther}, false, "no agent of the pool runs"},
		{"one starts", []*corev1.Pod{agent(t, "a", tells(t, nothing)), starting}, false, "does not run yet"},
		{"one fails", []*corev1.Pod{agent(t, "a", tells(t, nothing)), agent(t, "b", failing)}, false, "500"},
		{"one is broken", []*corev1.Pod{agent(t, "b", broken)}, false, "cannot be read"},
		{"one is old", []*corev1.Pod{agent(t, "b", http.NotFound)}, false, "of a version that does not tell"},
	}

	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			got, gaps := agents(tc.agents...).Observe(t.Context(), pool, []netip.Addr{address})
			observed, known := got[address]

			if known != tc.known || known && !strings.Contains(observed.Why, tc.want) {
				t.Errorf("known %v: %+v", known, observed)
			}

			if !tc.known && (len(gaps) != 1 || !strings.Contains(gaps[0].Reason, tc.want)) {
				t.Errorf("gaps %+v, want %q", gaps, tc.want)
			}
		})
	}
}
