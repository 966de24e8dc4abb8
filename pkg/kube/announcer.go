package kube

import (
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
)

// Announcer writes Events when something changes, and only then: controllers
// say what is so on every pass, and repeat themselves without a write. It is
// safe for concurrent use.
type Announcer struct {
	recorder record.EventRecorder

	mu sync.Mutex
	// last has what was said last, for each object's key and each topic.
	last map[string]map[string]string
}

// Object is what an Event is about.
type Object interface {
	runtime.Object
	metav1.Object
}

// NewAnnouncer returns an announcer that writes through recorder.
func NewAnnouncer(recorder record.EventRecorder) *Announcer {
	return &Announcer{recorder: recorder, last: map[string]map[string]string{}}
}

// Note announces good news about object: a Normal Event, unless the very same
// was said last on that topic. An empty message says nothing and clears the topic.
func (a *Announcer) Note(object Object, topic, reason, message string) {
	a.say(object, corev1.EventTypeNormal, topic, reason, message)
}

// Warn is Note for what a person should look at: a Warning Event.
func (a *Announcer) Warn(object Object, topic, reason, message string) {
	a.say(object, corev1.EventTypeWarning, topic, reason, message)
}

func (a *Announcer) say(object Object, kind, topic, reason, message string) {
	if a.changed(object, topic, reason+": "+message) && message != "" {
		a.recorder.Event(object, kind, reason, message)
	}
}

func (a *Announcer) changed(object Object, topic, message string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()

	key := object.GetNamespace() + "/" + object.GetName()
	topic = string(object.GetUID()) + "/" + topic

	if a.last[key][topic] == message {
		return false
	}

	if a.last[key] == nil {
		a.last[key] = map[string]string{}
	}

	a.last[key][topic] = message

	return true
}

// Forget drops what was said about the objects of that key, "namespace/name".
// Controllers call it when an object is gone.
func (a *Announcer) Forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()

	delete(a.last, key)
}

// SplitKey splits "namespace/name".
func SplitKey(key string) (namespace, name string) {
	namespace, name, found := strings.Cut(key, "/")
	if !found {
		return "", key
	}

	return namespace, name
}
