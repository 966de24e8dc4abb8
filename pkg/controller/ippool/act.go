package ippool

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

// callTimeout bounds a call of the plain client, whose methods take a context
// that the framework's handlers are not given.
const callTimeout = 10 * time.Second

// act carries the decision about the pool's agents out.
func (h *Handler) act(seen observation, do decision) error {
	switch {
	case do.remove:
		return h.removeAgents(agentName(seen.pool))
	case do.apply:
		if err := h.applyDeployment(seen, do); err != nil {
			return err
		}

		return h.applyBudget(seen.pool, do.replicas > 1)
	default:
		return nil
	}
}

func (h *Handler) applyDeployment(seen observation, do decision) error {
	wanted, err := deployment(seen.pool, seen.network, h.config, do.image, do.replicas)
	if err != nil {
		return err
	}

	if seen.present == nil {
		created, err := h.deployments.Create(wanted)
		if apierrors.IsAlreadyExists(err) {
			return nil // the cache is behind; the watch brings it
		}

		if err != nil {
			return fmt.Errorf("create Deployment %s/%s: %w", wanted.Namespace, wanted.Name, err)
		}

		h.log.Info("agents started", "pool", seen.pool.Namespace+"/"+seen.pool.Name, "deployment", wanted.Name, "replicas", do.replicas)

		return h.createLease(created)
	}

	// The number of agents is compared by itself: it is what people change.
	scaled := seen.present.Spec.Replicas == nil || *seen.present.Spec.Replicas != do.replicas
	if !scaled && seen.present.Annotations[annotationTemplate] == wanted.Annotations[annotationTemplate] {
		return nil
	}

	changed := seen.present.DeepCopy()
	changed.Labels = wanted.Labels
	changed.Annotations = wanted.Annotations
	changed.Spec = wanted.Spec

	if _, err := h.deployments.Update(changed); err != nil {
		if apierrors.IsConflict(err) {
			return err //nolint:wrapcheck // the framework recognises a bare conflict and tries again quietly
		}

		return fmt.Errorf("update Deployment %s/%s: %w", wanted.Namespace, wanted.Name, err)
	}

	h.log.Info("agents changed", "pool", seen.pool.Namespace+"/"+seen.pool.Name, "deployment", wanted.Name, "replicas", do.replicas, "image", do.image)

	return nil
}

// createLease creates the Lease whose holder speaks for the pool's server
// address. Agents would create it too; ours ends with their Deployment.
func (h *Handler) createLease(agents *appsv1.Deployment) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout) //nolint:forbidigo // handlers are given no context
	defer cancel()

	_, err := h.kube.CoordinationV1().Leases(agents.Namespace).Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: agents.Namespace,
			Name:      agents.Name,
			Labels:    agents.Labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment", Name: agents.Name, UID: agents.UID,
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Lease %s/%s: %w", agents.Namespace, agents.Name, err)
	}

	return nil
}

// removeAgents deletes what runs agents under that name.
func (h *Handler) removeAgents(name string) error {
	if _, err := h.present.Get(h.config.Namespace, name); apierrors.IsNotFound(err) {
		return h.removeBudget(name)
	}

	foreground := metav1.DeletePropagationBackground

	err := h.deployments.Delete(h.config.Namespace, name, &metav1.DeleteOptions{PropagationPolicy: &foreground})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete Deployment %s/%s: %w", h.config.Namespace, name, err)
	}

	h.log.Info("agents removed", "deployment", name)

	return h.removeBudget(name)
}

// removeBudget deletes the disruption budget of that name unless it is known to
// be gone: a person may have deleted the Deployment, and not that.
func (h *Handler) removeBudget(name string) error {
	h.mu.Lock()
	present, known := h.budgets[name]
	h.mu.Unlock()

	if known && !present {
		return nil
	}

	return h.setBudget(name, nil)
}

// applyBudget keeps a drain from taking all agents of a pool at once. A lone
// agent has no budget: it would block every drain of its node.
func (h *Handler) applyBudget(pool *v1alpha1.IPPool, wanted bool) error {
	name := agentName(pool)

	h.mu.Lock()
	present, known := h.budgets[name]
	h.mu.Unlock()

	if known && present == wanted {
		return nil
	}

	if !wanted {
		return h.setBudget(name, nil)
	}

	one := intstr.FromInt32(1)

	return h.setBudget(name, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.config.Namespace, Name: name, Labels: kube.AgentLabels(pool)},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: &one,
			Selector:       &metav1.LabelSelector{MatchLabels: kube.AgentLabels(pool)},
		},
	})
}

// setBudget sees to it that there is the disruption budget of that name, or with
// nil that there is none. Nothing in a present one ever changes, so it writes
// only what is missing or too much.
func (h *Handler) setBudget(name string, budget *policyv1.PodDisruptionBudget) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout) //nolint:forbidigo // handlers are given no context
	defer cancel()

	budgets := h.kube.PolicyV1().PodDisruptionBudgets(h.config.Namespace)

	_, err := budgets.Get(ctx, name, metav1.GetOptions{})

	switch missing := apierrors.IsNotFound(err); {
	case missing && budget != nil:
		_, err = budgets.Create(ctx, budget, metav1.CreateOptions{})
	case err == nil && budget == nil:
		err = budgets.Delete(ctx, name, metav1.DeleteOptions{})
	case missing:
		err = nil
	default:
	}

	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("keep PodDisruptionBudget %s/%s: %w", h.config.Namespace, name, err)
	}

	h.mu.Lock()
	h.budgets[name] = budget != nil
	h.mu.Unlock()

	return nil
}
