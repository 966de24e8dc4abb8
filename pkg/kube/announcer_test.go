package kube_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

func poolNamed(name string, uid types.UID) *v1alpha1.IPPool {
	return &v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: uid}}
}

// said returns what was announced since the last call.
func said(recorder *record.FakeRecorder) []string {
	var events []string

	for {
		select {
		case event := <-recorder.Events:
			events = append(events, event)
		default:
			return events
		}
	}
}

func TestAnnouncerSaysOnlyWhatIsNew(t *testing.T) {
	t.Parallel()

	recorder := record.NewFakeRecorder(20)
	announcer := kube.NewAnnouncer(recorder)
	pool := poolNamed("a", "1")

	steps := []struct {
		what string
		do   func()
		want []string
	}{
		{"first", func() { announcer.Note(pool, "agents", "Ready", "all answer") }, []string{"Normal Ready all answer"}},
		{"the same again", func() { announcer.Note(pool, "agents", "Ready", "all answer") }, nil},
		{"other message", func() { announcer.Note(pool, "agents", "Ready", "one answers") }, []string{"Normal Ready one answers"}},
		{"other reason", func() { announcer.Warn(pool, "agents", "Lost", "one answers") }, []string{"Warning Lost one answers"}},
		{"other topic", func() { announcer.Warn(pool, "plan", "Lost", "one answers") }, []string{"Warning Lost one answers"}},
		{"nothing to say", func() { announcer.Warn(pool, "plan", "Lost", "") }, nil},
		{"and again after that", func() { announcer.Warn(pool, "plan", "Lost", "one answers") }, []string{"Warning Lost one answers"}},
		{"other object", func() { announcer.Warn(poolNamed("b", "2"), "plan", "Lost", "one answers") }, []string{"Warning Lost one answers"}},
		{"new object of the name", func() { announcer.Warn(poolNamed("a", "3"), "plan", "Lost", "one answers") }, []string{"Warning Lost one answers"}},
		{"forgotten", func() {
			announcer.Forget("ns/a")
			announcer.Warn(pool, "plan", "Lost", "one answers")
		}, []string{"Warning Lost one answers"}},
	}

	for _, step := range steps {
		step.do()

		if diff := cmp.Diff(step.want, said(recorder)); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", step.what, diff)
		}
	}
}

func TestSplitKey(t *testing.T) {
	t.Parallel()

	for key, want := range map[string][2]string{
		"ns/name": {"ns", "name"}, "node1": {"", "node1"}, "": {"", ""}, "ns/": {"ns", ""}, "a/b/c": {"a", "b/c"},
	} {
		namespace, name := kube.SplitKey(key)
		if got := [2]string{namespace, name}; got != want {
			t.Errorf("SplitKey(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestEventsAreWrittenInTheNameOfTheComponent(t *testing.T) {
	t.Parallel()

	scheme, err := kube.NewScheme()
	if err != nil {
		t.Fatal(err)
	}

	client := newClient()
	created := make(chan *corev1.Event, 1)
	client.onEvent(func(event *corev1.Event) { created <- event })

	recorder, stop := kube.NewEventRecorder(client, scheme, "freehold")
	defer stop()

	kube.NewAnnouncer(recorder).Note(poolNamed("a", "1"), "agents", "Ready", "all answer")

	event := <-created
	got := fmt.Sprintf("%s %s %s/%s: %s %s", event.Source.Component, event.InvolvedObject.Kind,
		event.InvolvedObject.Namespace, event.InvolvedObject.Name, event.Reason, event.Message)

	if want := "freehold IPPool ns/a: Ready all answer"; got != want {
		t.Errorf("event = %q, want %q", got, want)
	}
}
