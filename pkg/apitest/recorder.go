package apitest

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
)

// Recorder is a record.EventRecorder that keeps what it was told. It is safe
// for concurrent use; the zero value is ready.
type Recorder struct {
	mu   sync.Mutex
	told []string
}

// Event keeps "type reason: message".
func (r *Recorder) Event(_ runtime.Object, kind, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.told = append(r.told, kind+" "+reason+": "+message)
}

// Eventf is Event with a format.
func (r *Recorder) Eventf(object runtime.Object, kind, reason, format string, args ...any) {
	r.Event(object, kind, reason, fmt.Sprintf(format, args...))
}

// AnnotatedEventf is Eventf; the annotations are not kept.
func (r *Recorder) AnnotatedEventf(object runtime.Object, _ map[string]string, kind, reason, format string, args ...any) {
	r.Eventf(object, kind, reason, format, args...)
}

// Told returns what was told since the last call, in order.
func (r *Recorder) Told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()

	told := r.told
	r.told = nil

	return told
}
