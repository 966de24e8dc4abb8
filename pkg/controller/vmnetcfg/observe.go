package vmnetcfg

import (
	"fmt"
	"net/netip"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/ipam"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// observation is what the controller sees of one request.
type observation struct {
	// owner is who the addresses are held for: the virtual machine, or the
	// request itself while no virtual machine owns it.
	owner v1alpha1.LeaseOwner
	// ownerGone is set when the virtual machine no longer exists: its
	// addresses are being freed and none is given out.
	ownerGone bool
	// speaker names the other request that speaks for the virtual machine; ""
	// if this one does.
	speaker string
	paused  bool
	nics    []nic
	// held are the leases of the owner, oldest first.
	held []heldLease
}

// nic is one entry of the request.
type nic struct {
	config v1alpha1.NetworkConfig
	// network is "namespace/name", or "" if it cannot be read.
	network string
	// mac is the zero MAC while nobody knows it.
	mac    dhcp.MAC
	wanted netip.Addr
	// previous is the address that the NIC was last said to hold. It gets it
	// again if it lost it, for example because somebody deleted the lease.
	previous netip.Addr
	// pool serves the network; nil if the network is not managed.
	pool *poolView
	// refusal says why the NIC cannot be given an address, whatever is free.
	refusal *refusal
	// rival is another owner's lease of the same MAC address in the pool.
	rival *v1alpha1.IPLease
	// reserved are the leases that nobody holds and that are kept for the NIC,
	// the one that it should take first.
	reserved []*v1alpha1.IPLease
	// promised is a lease that is kept for the NIC as soon as the end of an
	// earlier owner of the same name is worked off; nil for none.
	promised *v1alpha1.IPLease
}

// poolView is what the controller needs to know of a pool.
type poolView struct {
	key  ledger.Key
	plan ipam.Plan
}

// heldLease is a lease of the owner with the network that it is on.
type heldLease struct {
	lease *v1alpha1.IPLease
	// network is the network of the lease's pool, or "" if there is no such
	// pool any more.
	network string
}

// refusal says why a NIC has no address.
type refusal struct {
	reason, message string
	// unmanaged marks a NIC that is none of our business.
	unmanaged bool
}

// name is how messages call the NIC.
func (n nic) name() string {
	switch {
	case n.config.InterfaceName != "":
		return n.config.InterfaceName
	case n.config.MACAddress != "":
		return n.config.MACAddress
	default:
		return n.config.NetworkName
	}
}

func (h *Handler) observe(request *v1alpha1.VirtualMachineNetworkConfig) (observation, error) {
	owner, gone, err := h.owner(request)
	if err != nil {
		return observation{}, err
	}

	seen := observation{
		owner:     owner,
		ownerGone: gone,
		paused:    request.Spec.Paused != nil && *request.Spec.Paused,
	}

	if seen.speaker, err = h.speaker(request); err != nil {
		return observation{}, err
	}

	// Leases that were given to the request before a virtual machine took it
	// up are held by the request's UID.
	uids := []types.UID{owner.UID}
	if owner.UID != request.UID {
		uids = append(uids, request.UID)
	}

	for _, lease := range h.ledger.Held(uids...) {
		network, err := h.networkOf(lease)
		if err != nil {
			return observation{}, err
		}

		seen.held = append(seen.held, heldLease{lease: lease, network: network})
	}

	for _, config := range convert.NetworkConfigs(request) {
		n, err := h.observeNIC(request, config, uids)
		if err != nil {
			return observation{}, err
		}

		n.previous = previousOf(n, request.Status.NetworkConfigs)

		seen.nics = append(seen.nics, n)
	}

	return seen, nil
}

// speaker returns the name of the request that speaks for the virtual machine
// instead of this one, or "". Without it, two requests of one virtual machine
// would free each other's addresses for ever.
func (h *Handler) speaker(request *v1alpha1.VirtualMachineNetworkConfig) (string, error) {
	owner := kube.VMOwner(request)
	if owner == nil {
		return "", nil
	}

	all, err := h.cache.GetByIndex(kube.IndexRequestByVM, request.Namespace+"/"+request.Spec.VMName)
	if err != nil {
		return "", fmt.Errorf("find requests of VirtualMachine %s/%s: %w", request.Namespace, request.Spec.VMName, err)
	}

	speaker := kube.Speaker(owner.Name, slices.DeleteFunc(slices.Clone(all), func(other *v1alpha1.VirtualMachineNetworkConfig) bool {
		same := kube.VMOwner(other)

		return same == nil || same.UID != owner.UID
	}))
	if speaker == nil || speaker.UID == request.UID {
		return "", nil
	}

	return speaker.Name, nil
}

// owner tells who the request's addresses are held for, and whether a virtual
// machine that should own them has ended.
func (h *Handler) owner(request *v1alpha1.VirtualMachineNetworkConfig) (owner v1alpha1.LeaseOwner, gone bool, err error) {
	reference := kube.VMOwner(request)
	if reference == nil {
		return v1alpha1.LeaseOwner{
			Kind: v1alpha1.OwnerVMNetCfg, Namespace: request.Namespace, Name: request.Name, UID: request.UID,
		}, false, nil
	}

	owner = v1alpha1.LeaseOwner{
		Kind: v1alpha1.OwnerVirtualMachine, Namespace: request.Namespace, Name: reference.Name, UID: reference.UID,
	}

	gone, err = kube.Ended(h.vmCache, h.vms, &owner)

	return owner, gone, err //nolint:wrapcheck // says what it is
}

func (h *Handler) networkOf(lease *v1alpha1.IPLease) (string, error) {
	pool, err := h.pools.Get(lease.Namespace, lease.Spec.PoolName)
	if apierrors.IsNotFound(err) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("get IPPool %s/%s: %w", lease.Namespace, lease.Spec.PoolName, err)
	}

	return kube.NetworkKey(pool.Spec.NetworkName, pool.Namespace), nil
}

func (h *Handler) observeNIC(request *v1alpha1.VirtualMachineNetworkConfig, config v1alpha1.NetworkConfig, uids []types.UID) (nic, error) {
	n := nic{config: config, network: kube.NetworkKey(config.NetworkName, request.Namespace)}

	if n.network == "" {
		n.refusal = &refusal{
			reason:  v1alpha1.ReasonNetworkMissing,
			message: fmt.Sprintf("networkName %q is not a network; write it as namespace/name", config.NetworkName),
		}

		return n, nil
	}

	n = n.withAddresses()

	pool, err := kube.PoolOf(h.pools, n.network)
	if err != nil {
		return nic{}, fmt.Errorf("find pool of network %s: %w", n.network, err)
	}

	if pool == nil {
		n.refusal = &refusal{
			reason: v1alpha1.ReasonNetworkUnmanaged,
			message: fmt.Sprintf("network %s has no IPPool, so no address is given out there; "+
				"create an IPPool for it if there should be one", n.network),
			unmanaged: true,
		}

		return n, nil
	}

	plan, problems := convert.PoolPlan(&pool.Spec)
	n.pool = &poolView{key: ledger.Key{Namespace: pool.Namespace, Name: pool.Name}, plan: plan}

	switch {
	case len(problems) > 0:
		n.refusal = &refusal{
			reason:  v1alpha1.ReasonPoolInvalid,
			message: fmt.Sprintf("IPPool %s cannot be used: %s", n.pool.key, problems.ToAggregate()),
		}
	case pool.Spec.Paused != nil && *pool.Spec.Paused:
		n.refusal = &refusal{
			reason:  v1alpha1.ReasonPoolPaused,
			message: fmt.Sprintf("IPPool %s is paused and gives out no addresses; set its spec.paused to false", n.pool.key),
		}
	default:
	}

	h.observeLeases(&n, request, uids)

	return n, nil
}

// previousOf finds the NIC's address in the status as it was written last.
func previousOf(n nic, status []v1alpha1.NetworkConfigStatus) netip.Addr {
	for _, entry := range status {
		same := entry.InterfaceName == n.config.InterfaceName
		if n.config.InterfaceName == "" || entry.InterfaceName == "" {
			mac, err := dhcp.ParseMAC(entry.MACAddress)
			same = err == nil && mac == n.mac
		}

		if !same || entry.NetworkName != n.network {
			continue
		}

		if address, err := convert.Address(entry.AllocatedIPAddress); err == nil {
			return address
		}
	}

	return netip.Addr{}
}

// withAddresses returns the NIC with the entry's MAC address and wanted address
// read, or with the refusal that says what is wrong with them.
func (n nic) withAddresses() nic {
	mac, err := convert.MAC(n.config.MACAddress)

	switch {
	case err != nil:
		n.refusal = &refusal{
			reason:  v1alpha1.ReasonMACInvalid,
			message: fmt.Sprintf("macAddress %q %s", n.config.MACAddress, err),
		}
	case mac.IsZero():
		n.refusal = &refusal{
			reason: v1alpha1.ReasonMACUnknown,
			message: "the NIC has no MAC address yet; it gets an address when the virtual machine has started, " +
				"or set macAddress on its interface",
		}
	default:
		n.mac = mac
	}

	wanted, fieldErr := convert.WantedAddress(field.NewPath("ipAddress"), n.config.IPAddress)
	if fieldErr != nil {
		n.refusal = &refusal{reason: v1alpha1.ReasonAddressInvalid, message: fieldErr.Error()}
	}

	n.wanted = wanted

	return n
}
