package kubevirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	transport "k8s.io/client-go/transport/websocket"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// consoleContainer is the container of a virt-launcher pod that logs what the
// guest prints on its serial console.
const consoleContainer = "guest-console-log"

// consoleTimeout bounds how long a console may take to say something after a
// command. A guest with a NIC is never silent that long.
const consoleTimeout = 30 * time.Second

// Console returns what the running instance has printed on its serial console
// since its boot, over all the pods it has lived in.
func (v *VMs) Console(ctx context.Context, name string) ([]byte, error) {
	i, ok, err := v.Instance(ctx, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, v.fail("read the console of", name, errors.New("it does not run"))
	}
	pods, err := v.clients.Core.CoreV1().Pods(v.namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubevirt.io/created-by=" + i.UID})
	if err != nil {
		return nil, v.fail("read the console of", name, err)
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	var out bytes.Buffer
	for _, p := range pods.Items {
		o := &corev1.PodLogOptions{Container: consoleContainer}
		log, err := v.clients.Core.CoreV1().Pods(v.namespace).GetLogs(p.Name, o).DoRaw(ctx)
		if err != nil {
			if len(pods.Items) > 1 || p.Status.Phase == corev1.PodPending {
				continue // the target of a migration, or gone with its source
			}
			return nil, v.fail("read the console of", name, err)
		}
		out.Write(log)
	}
	return out.Bytes(), nil
}

// Events returns what the guest told on its console; see Console.
func (v *VMs) Events(ctx context.Context, name string) ([]guest.Event, error) {
	console, err := v.Console(ctx, name)
	if err != nil {
		return nil, err
	}
	return guest.ParseConsole(bytes.NewReader(console))
}

// WaitEvent waits until done says that the guest's events hold what is waited
// for, which what names, and returns the event it gave.
func (v *VMs) WaitEvent(ctx context.Context, name, what string, limit time.Duration, done func([]guest.Event) (guest.Event, bool)) (guest.Event, error) {
	var found guest.Event
	err := kube.Poll(ctx, limit, what+" in virtual machine "+v.namespace+"/"+name, func(ctx context.Context) (bool, string, error) {
		events, err := v.Events(ctx, name)
		if err != nil {
			return false, err.Error(), nil
		}
		state := "the guest has said nothing"
		if len(events) > 0 {
			state = fmt.Sprintf("%d events, the last: %s", len(events), events[len(events)-1])
		}
		var ok bool
		found, ok = done(events)
		return ok, state, nil
	})
	return found, err
}

// WaitLease waits for the guest's newest lease on the NIC with that MAC; any
// NIC when mac is empty.
func (v *VMs) WaitLease(ctx context.Context, name, mac string, limit time.Duration) (guest.Event, error) {
	return v.WaitEvent(ctx, name, "a lease", limit, func(events []guest.Event) (guest.Event, bool) {
		e, ok := guest.Latest(events, mac, guest.Bound, guest.Renewed, guest.Changed, guest.Lost)
		return e, ok && e.HasLease()
	})
}

// Command types a line on the guest's console: renew, release, show or
// poweroff. It does not wait for an effect.
func (v *VMs) Command(ctx context.Context, name, command string) error {
	return v.fail("type on the console of", name, v.command(ctx, name, command))
}

func (v *VMs) command(ctx context.Context, name, command string) error {
	ctx, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	request := v.rest().Get().AbsPath("/apis/subresources.kubevirt.io/v1/namespaces", v.namespace, "virtualmachineinstances", name, "console")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, request.URL().String(), nil)
	if err != nil {
		return err
	}
	tripper, holder, err := transport.RoundTripperFor(v.clients.Config)
	if err != nil {
		return err
	}
	conn, err := transport.Negotiate(tripper, holder, req, "plain.kubevirt.io")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // ends the read below
	defer stop()
	err = conn.WriteMessage(websocket.BinaryMessage, []byte(command+"\n"))
	if err == nil {
		// Closing at once would lose the line on its way through two proxies:
		// wait for the first thing the console says, its answer or another.
		_, _, err = conn.ReadMessage()
	}
	return errors.Join(err, conn.Close())
}
