package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ErrLeadershipLost is returned by RunLeader when another process took over or
// the API server could not be reached for so long that one may have.
var ErrLeadershipLost = errors.New("leadership lost")

// Election names one leader election and its times, which are those of
// Kubernetes' own controllers unless set.
type Election struct {
	// Namespace and Name are those of the Lease.
	Namespace, Name string
	// Identity tells this process from the others; the pod's name will do.
	Identity string
	// Owner is the object that a Lease ends with which this process had to
	// make. Nil: such a Lease stays.
	Owner *metav1.OwnerReference
	// LeaseDuration is how long a dead leader holds on. Default 15 s.
	LeaseDuration time.Duration
	// RenewDeadline is how long a leader tries to renew before it gives up.
	// Default 10 s.
	RenewDeadline time.Duration
	// RetryPeriod is the pause between tries. Default 2 s.
	RetryPeriod time.Duration
}

func (e Election) withDefaults() Election {
	if e.LeaseDuration == 0 {
		e.LeaseDuration, e.RenewDeadline, e.RetryPeriod = 15*time.Second, 10*time.Second, 2*time.Second
	}

	return e
}

// ownedLock is a Lease that has an owner when it is made here. client-go's own
// knows labels only.
type ownedLock struct {
	*resourcelock.LeaseLock

	owner metav1.OwnerReference
}

func newLock(kube kubernetes.Interface, election Election) resourcelock.Interface {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: election.Namespace, Name: election.Name},
		Client:     kube.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: election.Identity},
	}

	if election.Owner == nil {
		return lock
	}

	return &ownedLock{LeaseLock: lock, owner: *election.Owner}
}

// Create makes the Lease.
func (l *ownedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	_, err := l.Client.Leases(l.LeaseMeta.Namespace).Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: l.LeaseMeta.Namespace, Name: l.LeaseMeta.Name, OwnerReferences: []metav1.OwnerReference{l.owner},
		},
		Spec: resourcelock.LeaderElectionRecordToLeaseSpec(&record),
	}, metav1.CreateOptions{})
	if err != nil {
		return err //nolint:wrapcheck // the election tells
	}

	_, _, err = l.Get(ctx) // what Update goes on from

	return err //nolint:wrapcheck // the election tells
}

// RunLeader waits until this process leads and then runs lead. The context that
// lead is given ends with the leadership. RunLeader returns lead's error,
// ErrLeadershipLost when the leadership ended first, or nil when ctx ended; the
// Lease is given back on the way out, so that the next leader need not wait.
func RunLeader(ctx context.Context, kube kubernetes.Interface, election Election, lead func(context.Context) error) error {
	election = election.withDefaults()

	// The election outlives ctx by as long as lead needs to end, so that the
	// Lease is given back only then. What lead has left running is its affair.
	electionCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	started := make(chan context.Context, 1)

	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            newLock(kube, election),
		LeaseDuration:   election.LeaseDuration,
		RenewDeadline:   election.RenewDeadline,
		RetryPeriod:     election.RetryPeriod,
		ReleaseOnCancel: true,
		Name:            election.Name,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leadCtx context.Context) { started <- leadCtx },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("make leader election of Lease %s/%s: %w", election.Namespace, election.Name, err)
	}

	ended := make(chan struct{})

	go func() {
		defer close(ended)

		elector.Run(electionCtx)
	}()

	select {
	case leadCtx := <-started:
		leadCtx, cancel := context.WithCancel(leadCtx)
		unhook := context.AfterFunc(ctx, cancel)
		err = lead(leadCtx) //nolint:contextcheck // the election's, which the end of ctx ends, too

		unhook()
		cancel()
	case <-ctx.Done():
	}

	stop()
	<-ended

	if err != nil || ctx.Err() != nil {
		return err
	}

	return ErrLeadershipLost
}
