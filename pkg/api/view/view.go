// Package view turns objects as the caches have them into the bodies of the REST
// API. It is pure: what a body needs is given to it as a plain value, and
// nothing that it is given is changed.
package view

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// utc is a time of Kubernetes as bodies have it.
func utc(t metav1.Time) time.Time { return t.UTC() }

func poolRef(pool *v1alpha1.IPPool) *v1.ObjectRef {
	if pool == nil {
		return nil
	}

	return &v1.ObjectRef{Kind: v1.KindPool, Namespace: pool.Namespace, Name: pool.Name, UID: string(pool.UID)}
}

func leaseRef(lease *v1alpha1.IPLease) *v1.ObjectRef {
	if lease == nil {
		return nil
	}

	return &v1.ObjectRef{Kind: v1.KindLease, Namespace: lease.Namespace, Name: lease.Name, UID: string(lease.UID)}
}

func conditions(from []metav1.Condition) []v1.Condition {
	out := make([]v1.Condition, 0, len(from))

	for _, one := range from {
		out = append(out, v1.Condition{
			Type: one.Type, Status: string(one.Status), Reason: one.Reason, Message: one.Message, Since: utc(one.LastTransitionTime),
		})
	}

	return out
}
