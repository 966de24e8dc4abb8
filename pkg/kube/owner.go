package kube

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
)

// VMOwner returns the request's owner reference to a virtual machine, or nil if
// it was made by hand and no virtual machine has taken it up.
func VMOwner(request *v1alpha1.VirtualMachineNetworkConfig) *metav1.OwnerReference {
	for i := range request.OwnerReferences {
		owner := &request.OwnerReferences[i]
		if owner.Kind == kubevirtv1.VirtualMachineGroupVersionKind.Kind && groupOf(owner.APIVersion) == kubevirtv1.GroupVersion.Group {
			return owner
		}
	}

	return nil
}

// Speaker returns the one of a virtual machine's requests that speaks for it:
// one that it owns before one made by hand, one of its name before others, an
// older one before a newer one. It returns nil for none.
func Speaker(vmName string, requests []*v1alpha1.VirtualMachineNetworkConfig) *v1alpha1.VirtualMachineNetworkConfig {
	if len(requests) == 0 {
		return nil
	}

	first := func(yes bool) int {
		if yes {
			return 0
		}

		return 1
	}

	return slices.MinFunc(requests, func(a, b *v1alpha1.VirtualMachineNetworkConfig) int {
		return cmp.Or(
			cmp.Compare(first(VMOwner(a) != nil), first(VMOwner(b) != nil)),
			cmp.Compare(first(a.Name == vmName), first(b.Name == vmName)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name),
		)
	})
}

// Cached reads objects of one kind from a cache.
type Cached[T metav1.Object] interface {
	Get(namespace, name string) (T, error)
}

// Live reads objects of one kind from the API server.
type Live[T metav1.Object] interface {
	Get(namespace, name string, options metav1.GetOptions) (T, error)
}

// Ended tells whether there is no object of the owner's name and UID any more,
// which is all that frees an address. A cache that shows it is believed; one that
// does not may be behind, so the API server is asked.
func Ended[T metav1.Object](cache Cached[T], live Live[T], owner *v1alpha1.LeaseOwner) (bool, error) {
	if object, err := cache.Get(owner.Namespace, owner.Name); err == nil && object.GetUID() == owner.UID {
		return false, nil
	}

	object, err := live.Get(owner.Namespace, owner.Name, metav1.GetOptions{})

	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("get %s: %w", convert.OwnerName(owner), err)
	default:
		return object.GetUID() != owner.UID, nil
	}
}

func groupOf(apiVersion string) string {
	for i := range len(apiVersion) {
		if apiVersion[i] == '/' {
			return apiVersion[:i]
		}
	}

	return ""
}

// hashLength is how many hexadecimal digits of a hash keep shortened names apart.
const hashLength = 10

// LabelValue returns name if it can be the value of a label, and else a prefix
// of it with a hash of the whole.
func LabelValue(name string) string {
	return Shorten(name, validation.LabelValueMaxLength)
}

// Shorten returns name if it has at most limit bytes, and else a prefix of it
// with a hash of the whole, so that long names with a common beginning differ.
func Shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}

	sum := sha256.Sum256([]byte(name))
	prefix := name[:limit-hashLength-1]

	for prefix != "" && (prefix[len(prefix)-1] == '-' || prefix[len(prefix)-1] == '.') {
		prefix = prefix[:len(prefix)-1]
	}

	return prefix + "-" + hex.EncodeToString(sum[:])[:hashLength]
}
