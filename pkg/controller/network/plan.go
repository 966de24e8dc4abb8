package network

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

// decision is what to do about one network: at most one of the two.
type decision struct {
	// create is the pool to be made.
	create *v1alpha1.IPPool
	// refusal says in plain words why no pool is made, where a person might
	// expect one; "" where nobody does.
	refusal string
	// warning marks a refusal that a person should act upon.
	warning bool
}

// plan decides whether a pool is made for the network. Nothing is made where a
// pool serves the network already: a pool is made once and never overwritten.
func plan(network *nadv1.NetworkAttachmentDefinition, hasPool, managedByDefault bool) decision {
	if hasPool || !network.DeletionTimestamp.IsZero() {
		return decision{}
	}

	asked := false

	switch value := network.Annotations[v1alpha1.AnnotationManagedDHCP]; value {
	case "":
		if !managedByDefault {
			return decision{}
		}
	case v1alpha1.ManagedDHCPEnabled:
		asked = true
	case v1alpha1.ManagedDHCPDisabled:
		return decision{}
	default:
		return decision{warning: true, refusal: fmt.Sprintf("annotation %s is %q and is ignored; write %q or %q",
			v1alpha1.AnnotationManagedDHCP, value, v1alpha1.ManagedDHCPEnabled, v1alpha1.ManagedDHCPDisabled)}
	}

	if reason := kube.NetworkUnsuitable(network); reason != "" {
		// Nobody need be told what they did not ask for.
		if !asked {
			return decision{}
		}

		return decision{warning: true, refusal: "no IPPool is made: " + reason}
	}

	return planRoute(network, asked)
}

// planRoute decides by what Harvester knows of the network's layer 3.
func planRoute(network *nadv1.NetworkAttachmentDefinition, asked bool) decision {
	var route utils.Layer3NetworkConf

	text := network.Annotations[utils.KeyNetworkRoute]
	if text != "" {
		if err := json.Unmarshal([]byte(text), &route); err != nil {
			return decision{warning: true, refusal: fmt.Sprintf(
				"no IPPool is made: annotation %s is not JSON (%s); set the network's route again", utils.KeyNetworkRoute, err)}
		}
	}

	switch {
	case route.Mode == utils.Manual, asked && route.CIDR != "":
		return planPool(network, route)
	case route.Mode == utils.Auto:
		return decision{refusal: "no IPPool is made: the network's route is in mode auto, so another DHCP server serves it; " +
			"set the route to manual, or the annotation " + v1alpha1.AnnotationManagedDHCP + ": " + v1alpha1.ManagedDHCPEnabled +
			", once that server is off"}
	case asked:
		return decision{warning: true, refusal: "no IPPool is made: the network's CIDR is not known; " +
			"set its route to manual with CIDR and gateway, or create an IPPool for it"}
	default:
		return decision{}
	}
}

func planPool(network *nadv1.NetworkAttachmentDefinition, route utils.Layer3NetworkConf) decision {
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
		return decision{warning: true, refusal: fmt.Sprintf(
			"no IPPool can be made from the network's route: %s; correct the route, or create an IPPool by hand", problems.ToAggregate())}
	}

	// The server and the gateway at the range's edge are left out of it, so that
	// what a person reads is what is given out.
	if plan, problems := convert.PoolPlan(&pool.Spec); len(problems) == 0 {
		trimmed := plan.Trim().Range
		pool.Spec.IPv4Config.Pool.Start, pool.Spec.IPv4Config.Pool.End = trimmed.First.String(), trimmed.Last.String()
	}

	return decision{create: pool}
}
