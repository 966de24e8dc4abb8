// Package vmnetcfg holds the rules that admit VirtualMachineNetworkConfigs: one
// spelling for what may be written in many, and words for people who ask for
// what they cannot get.
//
// The manager's own requests are never refused: NICs succeed and fail one by
// one, and what is wrong with one of them is said in the request's status. The
// package reads caches and writes nothing.
package vmnetcfg

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
	"github.com/freehold-net/freehold/pkg/webhook/review"
)

// Networks finds VM networks. The error is NotFound when there is none of that
// name.
type Networks interface {
	Get(namespace, name string) (*nadv1.NetworkAttachmentDefinition, error)
}

// Leases knows what is held; a *ledger.Ledger does.
type Leases interface {
	Holder(pool ledger.Key, address netip.Addr) *v1alpha1.IPLease
	OfMAC(pool ledger.Key, mac dhcp.MAC) []*v1alpha1.IPLease
}

// World is what the rules look at beside the request itself. All of it is
// required. It is safe for concurrent use if its parts are.
type World struct {
	Networks Networks
	Pools    kube.PoolFinder
	Leases   Leases
	// Manager is the manager's own user name, system:serviceaccount:<namespace>:<name>.
	Manager string
}

func nicsPath() *field.Path { return field.NewPath("spec", "networkConfigs") }

// Validate judges a request about a VirtualMachineNetworkConfig. It is a
// review.Rules. Of an UPDATE only what it changes is judged, so that an old
// mistake in one NIC does not stand in the way of an edit to another one.
func (w World) Validate(_ context.Context, request review.Request[v1alpha1.VirtualMachineNetworkConfig]) (review.Verdict, error) {
	var verdict review.Verdict

	config, old := request.Object, request.Old

	switch {
	case request.Operation == admissionv1.Delete,
		!config.DeletionTimestamp.IsZero(),
		w.Manager != "" && request.User == w.Manager,
		old != nil && equality.Semantic.DeepEqual(config.Spec, old.Spec):
		return verdict, nil
	default:
	}

	judgeItself(config, old, &verdict)

	known := askedBefore(old)

	for i, entry := range convert.NetworkConfigs(config) {
		path := nicsPath().Index(i)

		// What cannot be read has been reported; what can be is looked at.
		nic, _ := convert.NIC(path, entry, config.Namespace)
		if nic.Network.Name == "" || known[questionOf(nic)] {
			continue
		}

		if err := w.judgeNIC(path, config, entry, nic, &verdict); err != nil {
			return review.Verdict{}, err
		}
	}

	return verdict, nil
}

// question is what the rules ask of other objects about a NIC. An entry that
// asks nothing new is not judged again.
type question struct {
	network string
	mac     dhcp.MAC
	wanted  netip.Addr
}

func questionOf(nic convert.Request) question {
	return question{network: nic.Network.String(), mac: nic.MAC, wanted: nic.Wanted}
}

// askedBefore returns the questions of the request as it was.
func askedBefore(old *v1alpha1.VirtualMachineNetworkConfig) map[question]bool {
	known := map[question]bool{}

	if old == nil {
		return known
	}

	for i, entry := range convert.NetworkConfigs(old) {
		nic, _ := convert.NIC(nicsPath().Index(i), entry, old.Namespace)
		known[questionOf(nic)] = true
	}

	return known
}

// judgeItself refuses what convert refuses, and warns of what it would have
// refused before. Entries move about in the list, so mistakes are told apart by
// what they are about and not by their index.
func judgeItself(config, old *v1alpha1.VirtualMachineNetworkConfig, verdict *review.Verdict) {
	before := map[string]int{}

	if old != nil {
		for _, problem := range convert.ValidateVMNetCfg(old) {
			before[mistake(problem)]++
		}
	}

	for _, problem := range convert.ValidateVMNetCfg(config) {
		if before[mistake(problem)] > 0 {
			before[mistake(problem)]--
			verdict.Warn("%s", problem.Error())
		} else {
			verdict.Refuse(problem)
		}
	}
}

func mistake(problem *field.Error) string {
	leaf := problem.Field[strings.LastIndexByte(problem.Field, '.')+1:]

	return fmt.Sprint(problem.Type, " ", leaf, " ", problem.BadValue)
}

// mine tells whether the lease is held for the request or for its virtual
// machine.
func mine(lease *v1alpha1.IPLease, config *v1alpha1.VirtualMachineNetworkConfig) bool {
	owner := lease.Spec.Owner
	if owner == nil || owner.Namespace != config.Namespace {
		return false
	}

	return owner.Kind == v1alpha1.OwnerVirtualMachine && owner.Name == config.Spec.VMName ||
		owner.Kind == v1alpha1.OwnerVMNetCfg && owner.Name == config.Name
}

// mayHave tells whether the NIC of the request may ask for the lease's address:
// it is held for the request already, or reserved for the NIC.
func mayHave(lease *v1alpha1.IPLease, config *v1alpha1.VirtualMachineNetworkConfig, nic convert.Request) bool {
	if !convert.Reserved(lease) {
		return mine(lease, config)
	}

	return convert.Fits(convert.ReservationOf(lease), convert.Claim{
		Namespace: config.Namespace, VirtualMachine: config.Spec.VMName, Request: config.Name,
		Interface: nic.Interface, MAC: nic.MAC,
	})
}

// rivals returns the owners of the leases that are not the request's, sorted. A
// reservation is none: it gives way to whoever has the MAC address.
func rivals(leases []*v1alpha1.IPLease, config *v1alpha1.VirtualMachineNetworkConfig) []string {
	var names []string

	for _, lease := range leases {
		if !convert.Reserved(lease) && !mine(lease, config) {
			names = append(names, convert.Holder(lease))
		}
	}

	slices.Sort(names)

	return slices.Compact(names)
}
