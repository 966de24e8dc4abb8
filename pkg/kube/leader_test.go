package kube_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	clienttesting "k8s.io/client-go/testing"

	"github.com/freehold-net/freehold/pkg/kube"
)

// client is client-go's fake API server, which does leases and Events well.
type client struct{ *fake.Clientset }

func newClient() client { return client{fake.NewClientset()} }

func (c client) onEvent(told func(*corev1.Event)) {
	c.PrependReactor("create", "events", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if create, ok := action.(clienttesting.CreateAction); ok {
			if event, ok := create.GetObject().(*corev1.Event); ok {
				told(event)
			}
		}

		return false, nil, nil
	})
}

func election(identity string) kube.Election {
	return kube.Election{
		Namespace: "ns", Name: "lock", Identity: identity,
		LeaseDuration: 600 * time.Millisecond, RenewDeadline: 400 * time.Millisecond, RetryPeriod: 50 * time.Millisecond,
	}
}

func TestOnlyOneLeadsAndTheNextOneFollowsAtOnce(t *testing.T) {
	t.Parallel()

	api := newClient()

	var leading atomic.Int32

	lead := func(started chan<- struct{}) func(context.Context) error {
		return func(ctx context.Context) error {
			if leading.Add(1) != 1 {
				t.Error("two lead at once")
			}

			close(started)
			<-ctx.Done()
			leading.Add(-1)

			return nil
		}
	}

	first, stopFirst := context.WithCancel(t.Context())
	second, stopSecond := context.WithCancel(t.Context())

	defer stopSecond()

	firstLeads, secondLeads := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 2)

	go func() { ended <- kube.RunLeader(first, api, election("a"), lead(firstLeads)) }()
	<-firstLeads

	go func() { ended <- kube.RunLeader(second, api, election("b"), lead(secondLeads)) }()

	stopFirst()
	<-secondLeads
	stopSecond()

	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("RunLeader = %v, want nil after its context ended", err)
		}
	}
}

// TestALeaseMadeHereEndsWithItsOwner: the owner is on a Lease that the election
// makes, also in the middle of a leadership, and on no other.
func TestALeaseMadeHereEndsWithItsOwner(t *testing.T) {
	t.Parallel()

	errEnough := errors.New("enough seen")
	pod := metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: "agent-1", UID: "1234"}

	for name, test := range map[string]struct {
		owner *metav1.OwnerReference
		want  []metav1.OwnerReference
	}{
		"with an owner": {&pod, []metav1.OwnerReference{pod}},
		"without":       {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			api := newClient()
			leases := api.CoordinationV1().Leases("ns")
			mine := election("a")
			mine.Owner = test.owner

			err := kube.RunLeader(t.Context(), api, mine, func(ctx context.Context) error {
				for range 2 { // made, and made again after it was deleted
					lease, err := waitForLease(ctx, leases)
					if err != nil {
						return err
					}

					if diff := cmp.Diff(test.want, lease.OwnerReferences); diff != "" {
						t.Errorf("owners (-want +got):\n%s", diff)
					}

					if err := leases.Delete(ctx, "lock", metav1.DeleteOptions{}); err != nil {
						return err
					}
				}

				return errEnough
			})
			if !errors.Is(err, errEnough) {
				t.Error(err)
			}
		})
	}
}

func waitForLease(ctx context.Context, leases coordinationclient.LeaseInterface) (lease *coordinationv1.Lease, err error) {
	return lease, wait.PollUntilContextTimeout(ctx, time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		lease, err = leases.Get(ctx, "lock", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}

		return err == nil, err
	})
}

func TestTheLeadersErrorIsReturned(t *testing.T) {
	t.Parallel()

	boom := errors.New("boom")

	err := kube.RunLeader(t.Context(), newClient(), election("a"), func(context.Context) error { return boom })
	if !errors.Is(err, boom) {
		t.Errorf("RunLeader = %v, want %v", err, boom)
	}
}

func TestLeadershipIsLostWhenTheServerGoesAway(t *testing.T) {
	t.Parallel()

	api := newClient()

	var away atomic.Bool

	api.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		if away.Load() {
			return true, nil, apierrors.NewInternalError(errors.New("away"))
		}

		return false, nil, nil
	})

	stopped := false
	err := kube.RunLeader(t.Context(), api, election("a"), func(ctx context.Context) error {
		away.Store(true)
		<-ctx.Done()

		stopped = true

		return nil
	})

	if !errors.Is(err, kube.ErrLeadershipLost) || !stopped {
		t.Errorf("RunLeader = %v with lead stopped = %t, want ErrLeadershipLost after lead had stopped", err, stopped)
	}
}

func TestNoLeadershipIsNoError(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	api := newClient()
	api.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(errors.New("away"))
	})

	err := kube.RunLeader(ctx, api, election("a"), func(context.Context) error {
		t.Error("it led")

		return nil
	})
	if err != nil {
		t.Errorf("RunLeader = %v, want nil", err)
	}
}
