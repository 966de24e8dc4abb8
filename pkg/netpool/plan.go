// Package netpool decides, from a VM network alone, which IPPool is made for it,
// or why none is. The controller acts on it and the REST API shows it, so that
// both say the same. It is pure.
package netpool

import (
	"encoding/json"
	"fmt"

	"github.com/harvester/harvester-network-controller/pkg/utils"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/convert"
	"github.com/freehold-net/freehold/pkg/kube"
)

// Decision is what to do about one network: at most one of the two.
type Decision struct {
	// Create is the pool to be made.
	Create *v1alpha1.IPPool
	// Why says in plain words why no pool is made and what to do for one; ""
	// when one is made, or is there.
	Why string
	// Tell is set where a person might expect a pool, and is told of it in an
	// Event.
	Tell bool
	// Warning marks what a person should act upon. It comes with Tell.
	Warning bool
}

// Refusal is what a person is told in an Event; "" for nothing.
func (d Decision) Refusal() string {
	if !d.Tell {
		return ""
	}

	return d.Why
}

func quietly(why string) Decision { return Decision{Why: why} }

func note(why string) Decision { return Decision{Why: why, Tell: true} }

func warn(why string) Decision { return Decision{Why: why, Tell: true, Warning: true} }

// Plan decides whether a pool is made for the network. Nothing is made where a
// pool serves the network already: a pool is made once and never overwritten.
// With managedByDefault, networks without the managed-dhcp annotation get one.
func Plan(network *nadv1.NetworkAttachmentDefinition, hasPool, managedByDefault bool) Decision {
	switch {
	case hasPool:
		return Decision{}
	case !network.DeletionTimestamp.IsZero():
		return quietly("no IPPool is made: the network is being deleted")
	}

	asked := false

	switch value := network.Annotations[v1alpha1.AnnotationManagedDHCP]; value {
	case "":
		if !managedByDefault {
			return quietly("no IPPool is made: networks have none unless they ask for it here; set the annotation " + enabled +
				", or create an IPPool for it")
		}
	case v1alpha1.ManagedDHCPEnabled:
		asked = true
	case v1alpha1.ManagedDHCPDisabled:
		return quietly(fmt.Sprintf("no IPPool is made: annotation %s is %q; set it to %q, or create an IPPool for it",
			v1alpha1.AnnotationManagedDHCP, value, v1alpha1.ManagedDHCPEnabled))
	default:
		return warn(fmt.Sprintf("annotation %s is %q and is ignored; write %q or %q",
			v1alpha1.AnnotationManagedDHCP, value, v1alpha1.ManagedDHCPEnabled, v1alpha1.ManagedDHCPDisabled))
	}

	if reason := kube.NetworkUnsuitable(network); reason != "" {
		unsuitable := warn("no IPPool is made: " + reason)
		if !asked {
			// Nobody need be told what they did not ask for.
			unsuitable = quietly(unsuitable.Why)
		}

		return unsuitable
	}

	return planRoute(network, asked)
}

// enabled is the annotation that asks for a pool.
const enabled = v1alpha1.AnnotationManagedDHCP + ": " + v1alpha1.ManagedDHCPEnabled

// Route reads what Harvester knows of the network's layer 3. The error says what
// to do.
func Route(network *nadv1.NetworkAttachmentDefinition) (utils.Layer3NetworkConf, error) {
	var route utils.Layer3NetworkConf

	text := network.Annotations[utils.KeyNetworkRoute]
	if text == "" {
		return route, nil
	}

	if err := json.Unmarshal([]byte(text), &route); err != nil {
		return utils.Layer3NetworkConf{}, fmt.Errorf("annotation %s is not JSON (%w); set the network's route again", utils.KeyNetworkRoute, err)
	}

	return route, nil
}

// planRoute decides by the network's route.
func planRoute(network *nadv1.NetworkAttachmentDefinition, asked bool) Decision {
	route, err := Route(network)

	switch {
	case err != nil:
		return warn("no IPPool is made: " + err.Error())
	case route.Mode == utils.Manual, asked && route.CIDR != "":
		return planPool(network, route)
	case route.Mode == utils.Auto:
		return note("no IPPool is made: the network's route is in mode auto, so another DHCP server serves it; " +
			"set the route to manual, or the annotation " + enabled + ", once that server is off")
	case asked:
		return warn("no IPPool is made: " + unknownCIDR)
	default:
		return quietly("no IPPool is made: " + unknownCIDR)
	}
}

const unknownCIDR = "the network's CIDR is not known; set its route to manual with CIDR and gateway, or create an IPPool for it"

func planPool(network *nadv1.NetworkAttachmentDefinition, route utils.Layer3NetworkConf) Decision {
	pool := &v1alpha1.IPPool{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: network.Namespace,
			Name:      network.Name,
			// The pool ends with its network.
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: nadv1.SchemeGroupVersion.String(),
				Kind:       "NetworkAttachmentDefinition",
				Name:       network.Name,
				UID:        network.UID,
			}},
		},
		Spec: v1alpha1.IPPoolSpec{
			NetworkName: network.Namespace + "/" + network.Name,
			IPv4Config:  v1alpha1.IPv4Config{CIDR: route.CIDR, Router: route.Gateway},
		},
	}

	if problems := convert.CompletePool(&pool.Spec); len(problems) > 0 {
		return warn(fmt.Sprintf(
			"no IPPool can be made from the network's route: %s; correct the route, or create an IPPool by hand", problems.ToAggregate()))
	}

	// The server and the gateway at the range's edge are left out of it, so that
	// what a person reads is what is given out.
	if plan, problems := convert.PoolPlan(&pool.Spec); len(problems) == 0 {
		trimmed := plan.Trim().Range
		pool.Spec.IPv4Config.Pool.Start, pool.Spec.IPv4Config.Pool.End = trimmed.First.String(), trimmed.Last.String()
	}

	return Decision{Create: pool}
}
