package change

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

const (
	// maxComment is the longest comment of a reservation, in characters.
	maxComment = 256
	// attempts is how often an address is chosen before we give up because others
	// were always faster.
	attempts = 8

	leases = "ipleases"
)

// reservation is a reservation that could be read.
type reservation struct {
	address netip.Addr // invalid: to be chosen
	mac     dhcp.MAC   // zero: for no MAC address
	owner   *v1alpha1.LeaseOwner
	comment string
}

// reserve answers POST /v1/pools/{namespace}/{name}/leases.
func (c *Changes) reserve(call *api.Call) (api.Answer, error) {
	key := named(call)
	if err := call.Require("create", freehold(leases, ledger.Key{Namespace: key.Namespace})); err != nil {
		return api.Answer{}, err
	}

	run, err := call.DryRun()
	if err != nil {
		return api.Answer{}, err
	}

	var body v1.Reservation
	if _, err := call.Decode(&body, "application/json"); err != nil {
		return api.Answer{}, err
	}

	wanted, fields := readReservation(body, key.Namespace)
	if len(fields) > 0 {
		return api.Answer{}, problem.Refused(fields...)
	}

	pool, err := c.Pools.Get(key.Namespace, key.Name)
	if err != nil {
		return api.Answer{}, told(err, v1.KindPool, key)
	}

	plan, err := planOf(pool, convert.PoolPlan)
	if err != nil {
		return api.Answer{}, err
	}

	if err := c.reservedAlready(key, wanted); err != nil {
		return api.Answer{}, err
	}

	made, err := c.keep(call.Context(), key, plan, wanted, run)
	if err != nil {
		return api.Answer{}, err
	}

	if run {
		return api.OK(c.Store.DescribeLease(made)), nil
	}

	c.done(call, "reserve", ledger.KeyOf(made))

	return api.Created("/v1/leases/"+made.Namespace+"/"+made.Name, c.Store.DescribeLease(made)), nil
}

// readReservation reads the body, with everything that is wrong with it.
func readReservation(body v1.Reservation, namespace string) (reservation, []v1.FieldProblem) {
	var (
		read  = reservation{comment: body.Comment}
		wrong []v1.FieldProblem
		err   error
	)

	complain := func(field string, value any, detail string) {
		detail, remedy := problem.Split(detail)
		wrong = append(wrong, v1.FieldProblem{Field: field, Value: value, Detail: detail, Remedy: remedy})
	}

	if body.Address != "" {
		if read.address, err = convert.IPv4(body.Address); err != nil {
			complain("address", body.Address, err.Error())
		}
	}

	if read.mac, err = convert.MAC(body.MAC); err != nil {
		complain("mac", body.MAC, err.Error())
	}

	if body.MAC != "" && body.VM != nil {
		complain("vm", body.VM.Name, "is given besides mac; leave one of the two out, an address is kept for one of them")
	}

	if count := utf8.RuneCountInString(body.Comment); count > maxComment {
		complain("comment", body.Comment, fmt.Sprintf("has %d characters; shorten it to %d", count, maxComment))
	}

	if body.VM == nil {
		return read, wrong
	}

	read.owner = &v1alpha1.LeaseOwner{
		Kind: v1alpha1.OwnerVirtualMachine, Namespace: body.VM.Namespace, Name: body.VM.Name, InterfaceName: body.VM.Interface,
	}
	if read.owner.Namespace == "" {
		read.owner.Namespace = namespace
	}

	if len(validation.IsDNS1123Subdomain(read.owner.Name)) > 0 {
		complain("vm.name", body.VM.Name, "can be no virtual machine's; write its name, of lower-case letters, digits, dots and hyphens")
	}

	if len(validation.IsDNS1123Label(read.owner.Namespace)) > 0 {
		complain("vm.namespace", body.VM.Namespace, "can be no namespace's; write its name, of lower-case letters, digits and hyphens")
	}

	return read, wrong
}

// reservedAlready refuses a second reservation of the pool for the same NIC: only
// one of them could ever be taken up.
func (c *Changes) reservedAlready(pool ledger.Key, wanted reservation) error {
	var candidates []*v1alpha1.IPLease

	switch {
	case wanted.owner != nil:
		candidates = c.Ledger.OfOwner(ledger.OwnerKey{Kind: wanted.owner.Kind, Namespace: wanted.owner.Namespace, Name: wanted.owner.Name})
	case !wanted.mac.IsZero():
		candidates = c.Ledger.OfMAC(pool, wanted.mac)
	default:
	}

	for _, lease := range candidates {
		kept := convert.ReservationOf(lease)
		if kept == nil || ledger.PoolOf(lease) != pool {
			continue
		}

		same := kept.Owner == nil && wanted.owner == nil
		if kept.Owner != nil && wanted.owner != nil {
			same = kept.Owner.Name == wanted.owner.Name && kept.Owner.InterfaceName == wanted.owner.InterfaceName
		}

		if same {
			return problem.Conflict(fmt.Sprintf("address %s of the pool is reserved for it already; release IPLease %s/%s first, or leave it at that",
				lease.Spec.Address, lease.Namespace, lease.Name))
		}
	}

	return nil
}

// keep creates the lease.
func (c *Changes) keep(ctx context.Context, pool ledger.Key, plan ipam.Plan, wanted reservation, run bool) (*v1alpha1.IPLease, error) {
	if wanted.address.IsValid() {
		if err := c.mayKeep(pool, plan, wanted.address); err != nil {
			return nil, err
		}

		made, err := create[v1alpha1.IPLease](ctx, c.objects, leases, v1.KindLease, leaseOf(pool, wanted.address, wanted), run)
		if apierrors.IsAlreadyExists(err) {
			return nil, heldAlready(wanted.address, c.Ledger.Holder(pool, wanted.address))
		}

		return made, err
	}

	for range attempts {
		made, err := c.keepAny(ctx, pool, plan, wanted, run)
		if !apierrors.IsAlreadyExists(err) {
			return made, err
		}
	}

	return nil, problem.Conflict("others were faster each time that an address was chosen; try again, or name one")
}

// keepAny chooses an address and creates its lease. The error is AlreadyExists when
// somebody else was faster.
func (c *Changes) keepAny(ctx context.Context, pool ledger.Key, plan ipam.Plan, wanted reservation, run bool) (*v1alpha1.IPLease, error) {
	address, err := c.Ledger.Reserve(pool, plan, netip.Addr{})
	if errors.Is(err, ipam.ErrExhausted) {
		return nil, problem.Conflict(fmt.Sprintf("no address of IPPool %s is free; widen its range, or release one that nobody needs", pool))
	}

	if err != nil {
		return nil, err //nolint:wrapcheck // about the plan
	}

	made, err := create[v1alpha1.IPLease](ctx, c.objects, leases, v1.KindLease, leaseOf(pool, address, wanted), run)

	switch {
	case err == nil && !run:
		c.Ledger.Written(made)
	case apierrors.IsAlreadyExists(err):
		// The watch has yet to tell. Until then the address must not be chosen again.
		other, _, found := read[v1alpha1.IPLease](ctx, c.objects, leases, ledger.Key{
			Namespace: pool.Namespace, Name: convert.LeaseName(pool.Name, address),
		})
		if found == nil {
			c.Ledger.Written(other)
		}
	default:
	}

	// Without effect once there is a lease.
	c.Ledger.Release(pool, address)

	return made, err
}

// mayKeep refuses an address that nobody may have, or that somebody has.
func (c *Changes) mayKeep(pool ledger.Key, plan ipam.Plan, address netip.Addr) error {
	refuse := func(detail string) error {
		return problem.Refused(v1.FieldProblem{
			Field: "address", Value: address.String(), Detail: detail,
			Remedy: fmt.Sprintf("choose one from %s, or leave it out to have one chosen", plan.Range),
		})
	}

	switch plan.Role(address) {
	case ipam.RoleServer:
		return refuse("is the address of the pool's DHCP server")
	case ipam.RoleRouter:
		return refuse("is the address of the router")
	case ipam.RoleOutside, ipam.RoleNetwork, ipam.RoleBroadcast:
		return refuse(fmt.Sprintf("is no host's address on %s", plan.Prefix))
	default:
	}

	if lease := c.Ledger.Holder(pool, address); lease != nil {
		return heldAlready(address, lease)
	}

	return nil
}

func heldAlready(address netip.Addr, lease *v1alpha1.IPLease) error {
	holder := "somebody"
	if lease != nil {
		holder = convert.Holder(lease)
	}

	return problem.Conflict(fmt.Sprintf("address %s is held by %s; choose another one, or release it first", address, holder),
		v1.FieldProblem{Field: "address", Value: address.String(), Detail: "is held by " + holder, Remedy: "choose another one, or release it first"})
}

// leaseOf is the lease that keeps the address.
func leaseOf(pool ledger.Key, address netip.Addr, wanted reservation) *v1alpha1.IPLease {
	lease := &v1alpha1.IPLease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pool.Namespace, Name: convert.LeaseName(pool.Name, address),
			Labels: map[string]string{v1alpha1.LabelPoolName: kube.LabelValue(pool.Name)},
		},
		Spec: v1alpha1.IPLeaseSpec{
			PoolName: pool.Name, Address: address.String(), Owner: wanted.owner, Origin: v1alpha1.OriginManual,
		},
	}

	if !wanted.mac.IsZero() {
		lease.Spec.MACAddress = wanted.mac.String()
	}

	if wanted.comment != "" {
		lease.Annotations = map[string]string{v1alpha1.AnnotationComment: wanted.comment}
	}

	return lease
}
