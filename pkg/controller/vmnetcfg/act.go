package vmnetcfg

import (
	"errors"
	"fmt"
	"net/netip"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// maxChoices bounds how often one NIC chooses again after another writer took
// the address first. Each loss teaches the ledger one address, so even two
// managers at once get on; past it the queue tries again.
const maxChoices = 32

// errTooManyLosses asks the queue to try again.
var errTooManyLosses = errors.New("other writers took every address that was chosen; trying again")

// result is what became of one NIC.
type result struct {
	nic     nic
	lease   *v1alpha1.IPLease
	refusal *refusal
	note    string
}

// act carries the decision out. It returns what became of each NIC, also when
// some of the writes failed.
func (h *Handler) act(owner v1alpha1.LeaseOwner, do decision) ([]result, error) {
	var errs []error

	for _, lease := range do.release {
		if err := h.free(lease); err != nil {
			errs = append(errs, err)
		}
	}

	results := make([]result, len(do.nics))

	for i, s := range do.nics {
		results[i] = result{nic: s.nic, lease: s.lease, refusal: s.refusal, note: s.note}

		if err := h.actNIC(owner, s, &results[i]); err != nil {
			errs = append(errs, err)
		}
	}

	return results, join(errs)
}

// join keeps a lone conflict bare, because the framework tries again quietly
// only then.
func join(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}

	return errors.Join(errs...)
}

func (h *Handler) actNIC(owner v1alpha1.LeaseOwner, s step, out *result) error {
	var err error

	switch {
	case s.take != nil:
		if err = h.update(s.take, out); err == nil {
			h.log.Info("reserved address taken up", "pool", s.nic.pool.key.String(), "address", s.take.Spec.Address,
				"mac", s.take.Spec.MACAddress, "owner", owner.Namespace+"/"+owner.Name, "interface", s.take.Spec.Owner.InterfaceName)
		}
	case s.allocate:
		var lease *v1alpha1.IPLease

		lease, out.refusal, err = h.allocate(owner, s.nic)
		if lease != nil {
			out.lease = lease
		}
	default:
		return h.update(s.update, out)
	}

	switch {
	case err != nil || !s.move:
		return err
	case out.refusal != nil:
		// It keeps what it has, and that is kept up to date.
		return h.update(s.update, out)
	default:
		return h.free(s.lease)
	}
}

// update writes a lease under its address; nil for no change.
func (h *Handler) update(lease *v1alpha1.IPLease, out *result) error {
	if lease == nil {
		return nil
	}

	updated, err := h.leases.Update(lease)
	if err != nil {
		if apierrors.IsConflict(err) {
			return err //nolint:wrapcheck // see join
		}

		return fmt.Errorf("update IPLease %s/%s: %w", lease.Namespace, lease.Name, err)
	}

	h.ledger.Updated(updated)
	out.lease = updated

	return nil
}

// free takes a lease away from its NIC.
func (h *Handler) free(lease *v1alpha1.IPLease) error {
	reserved, err := kube.FreeLease(h.leases, h.ledger, lease)
	if err != nil {
		return err //nolint:wrapcheck // see join
	}

	h.log.Info("address freed", "reserved", reserved != nil, "pool", ledger.PoolOf(lease).String(),
		"address", lease.Spec.Address, "mac", lease.Spec.MACAddress)

	return nil
}

// allocate gives the NIC an address by creating its lease. It returns a lease
// or a refusal or an error.
func (h *Handler) allocate(owner v1alpha1.LeaseOwner, n nic) (*v1alpha1.IPLease, *refusal, error) {
	for range maxChoices {
		address, err := h.reserve(n)
		if err != nil {
			return nil, h.refuse(n, err), nil
		}

		lease, mine, err := h.create(owner, n, address)

		switch {
		case err != nil:
			h.ledger.Release(n.pool.key, address)

			return nil, nil, err
		case mine:
			h.log.Info("address allocated", "pool", n.pool.key.String(), "address", lease.Spec.Address,
				"mac", lease.Spec.MACAddress, "owner", owner.Namespace+"/"+owner.Name, "interface", owner.InterfaceName)

			return lease, nil, nil
		default:
		}

		// Another was first. The ledger knows that one now, unless it is on
		// its way out; then the reservation would stand for nobody.
		h.ledger.Release(n.pool.key, address)

		if n.wanted.IsValid() {
			return nil, h.refuse(n, &ipam.TakenError{Addr: n.wanted}), nil
		}

		n.previous = netip.Addr{}
	}

	return nil, nil, errTooManyLosses
}

// reserve chooses the NIC's address: the wanted one or none; else the one that
// it had before, if that is free; else the next free one.
func (h *Handler) reserve(n nic) (netip.Addr, error) {
	if !n.wanted.IsValid() && n.previous.IsValid() {
		if address, err := h.ledger.Reserve(n.pool.key, n.pool.plan, n.previous); err == nil {
			return address, nil
		}
	}

	address, err := h.ledger.Reserve(n.pool.key, n.pool.plan, n.wanted)
	if err != nil {
		return netip.Addr{}, err //nolint:wrapcheck // refuse turns it into words
	}

	return address, nil
}

// create creates the lease of address for the NIC. When one exists already it
// is learnt, and mine tells whether it is this very NIC's: then an earlier
// attempt of ours had come further than we knew.
func (h *Handler) create(owner v1alpha1.LeaseOwner, n nic, address netip.Addr) (lease *v1alpha1.IPLease, mine bool, err error) {
	wanted := newLease(owner, n, address)

	created, err := h.leases.Create(wanted)
	if err == nil {
		h.ledger.Written(created)

		return created, true, nil
	}

	if !apierrors.IsAlreadyExists(err) {
		return nil, false, fmt.Errorf("create IPLease %s/%s: %w", wanted.Namespace, wanted.Name, err)
	}

	present, err := h.leases.Get(wanted.Namespace, wanted.Name, metav1.GetOptions{})
	if err != nil {
		return nil, false, fmt.Errorf("get IPLease %s/%s, which exists already: %w", wanted.Namespace, wanted.Name, err)
	}

	h.ledger.Written(present)

	return present, present.Spec.Owner != nil && *present.Spec.Owner == *wanted.Spec.Owner, nil
}

func newLease(owner v1alpha1.LeaseOwner, n nic, address netip.Addr) *v1alpha1.IPLease {
	origin := v1alpha1.OriginAllocated
	if n.wanted.IsValid() {
		origin = v1alpha1.OriginRequested
	}

	return &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: n.pool.key.Namespace,
			Name:      convert.LeaseName(n.pool.key.Name, address),
			Labels:    map[string]string{v1alpha1.LabelPoolName: kube.LabelValue(n.pool.key.Name)},
		},
		Spec: v1alpha1.IPLeaseSpec{
			PoolName:   n.pool.key.Name,
			Address:    address.String(),
			MACAddress: n.mac.String(),
			Owner:      ownerOf(owner, n),
			Origin:     origin,
		},
	}
}

// refuse turns the reason why no address could be chosen into one for people.
func (h *Handler) refuse(n nic, err error) *refusal {
	var (
		taken    *ipam.TakenError
		reserved *ipam.ReservedError
		outside  *ipam.NotInRangeError
		excluded *ipam.ExcludedError
	)

	pool := n.pool.key.String()

	switch {
	case errors.Is(err, ipam.ErrExhausted):
		counts := h.ledger.Counts(n.pool.key, n.pool.plan)

		return &refusal{reason: v1alpha1.ReasonPoolExhausted, message: fmt.Sprintf(
			"no address is free in IPPool %s: %d of %d are used, %d excluded, %d reserved; "+
				"the NIC gets the next one that is freed, or make spec.ipv4Config.pool larger",
			pool, counts.Used, counts.Size, counts.Excluded, counts.Reserved)}
	case errors.As(err, &taken):
		return &refusal{reason: v1alpha1.ReasonAddressTaken, message: fmt.Sprintf(
			"wanted address %s is held by %s; ask for another one, or free it there", n.wanted, h.holder(n))}
	case errors.As(err, &reserved), errors.As(err, &outside), errors.As(err, &excluded):
		return &refusal{reason: v1alpha1.ReasonAddressOutOfRange, message: fmt.Sprintf(
			"IPPool %s does not give out the wanted address: %s; ask for another one or for none", pool, err)}
	default:
		return &refusal{reason: v1alpha1.ReasonPoolInvalid, message: fmt.Sprintf("IPPool %s: %s", pool, err)}
	}
}

func (h *Handler) holder(n nic) string {
	lease := h.ledger.Holder(n.pool.key, n.wanted)
	if lease == nil {
		return "IPLease " + convert.LeaseName(n.pool.key.Name, n.wanted) + ", which is on its way"
	}

	return convert.Holder(lease)
}

// macOf is how the status spells the NIC's MAC address.
func (n nic) macOf(lease *v1alpha1.IPLease) string {
	switch {
	case n.mac != (dhcp.MAC{}):
		return n.mac.String()
	case lease != nil:
		return lease.Spec.MACAddress
	default:
		return n.config.MACAddress
	}
}
