package kube

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// LeaseWriter changes and deletes leases; the client of IPLeases does.
type LeaseWriter interface {
	Update(lease *v1alpha1.IPLease) (*v1alpha1.IPLease, error)
	Delete(namespace, name string, options *metav1.DeleteOptions) error
}

// FreeLease takes the address away from its holder, if the lease is still the
// one that was looked at: it is deleted, or goes back to being the reservation
// that was taken up. It returns that reservation, or nil. One that is gone
// already is no error; one that has changed is a bare conflict.
func FreeLease(leases LeaseWriter, book *ledger.Ledger, lease *v1alpha1.IPLease) (*v1alpha1.IPLease, error) {
	returned := convert.Returned(lease)
	if returned != nil {
		reserved, err := leases.Update(returned)
		if err == nil {
			book.Updated(reserved)

			return reserved, nil
		}

		return nil, freed(book, lease, err)
	}

	return nil, freed(book, lease, leases.Delete(lease.Namespace, lease.Name, &metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion},
	}))
}

// freed enters the end of the lease in the ledger, unless err says that it has
// not ended.
func freed(book *ledger.Ledger, lease *v1alpha1.IPLease, err error) error {
	switch {
	case err == nil, apierrors.IsNotFound(err):
		book.Deleted(lease)

		return nil
	case apierrors.IsConflict(err):
		return err
	default:
		return fmt.Errorf("free IPLease %s/%s: %w", lease.Namespace, lease.Name, err)
	}
}
