package change

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/ledger"
)

const (
	pools    = "ippools"
	requests = "virtualmachinenetworkconfigs"

	// shownWithin is how long we wait for a change of ours to come back by the
	// watch, so that the answer shows it.
	shownWithin = 2 * time.Second
	// lookEvery is how often we look meanwhile.
	lookEvery = 10 * time.Millisecond
)

// pausePool answers POST /v1/pools/{namespace}/{name}/pause and /resume.
func (c *Changes) pausePool(pause bool) api.Handler {
	return func(call *api.Call) (api.Answer, error) {
		key := named(call)
		if err := call.Require("update", freehold(pools, key)); err != nil {
			return api.Answer{}, err
		}

		changed, err := patch[v1alpha1.IPPool](call.Context(), c.objects, pools, key,
			map[string]any{"spec": map[string]any{"paused": pause}}, false)
		if err != nil {
			return api.Answer{}, told(err, v1.KindPool, key)
		}

		c.done(call, actOf(pause)+" pool", key)

		return api.OK(c.Store.DescribePool(changed)), nil
	}
}

func actOf(pause bool) string {
	if pause {
		return "pause"
	}

	return "resume"
}

// pauseVM answers POST /v1/vms/{namespace}/{name}/pause and /resume.
func (c *Changes) pauseVM(pause bool) api.Handler {
	return func(call *api.Call) (api.Answer, error) {
		machine := named(call)

		// The answer shows the machine, too.
		if err := call.Require("get", access.Object{
			Group: access.GroupKubeVirt, Resource: "virtualmachines", Namespace: machine.Namespace, Name: machine.Name,
		}); err != nil {
			return api.Answer{}, err
		}

		all, err := c.Requests.GetByIndex(kube.IndexRequestByVM, machine.String())
		if err != nil {
			return api.Answer{}, err //nolint:wrapcheck // an index that was not registered
		}

		// Whose request it is, is for those who may change it; by default it has the
		// machine's name.
		request := machine
		speaker := kube.Speaker(machine.Name, all)

		if speaker != nil {
			request = ledger.Key{Namespace: speaker.Namespace, Name: speaker.Name}
		}

		if err := call.Require("update", freehold(requests, request)); err != nil {
			return api.Answer{}, err
		}

		if speaker == nil {
			return c.noRequest(machine)
		}

		if err := c.edit(call, request, func(edited *v1alpha1.VirtualMachineNetworkConfig) error {
			edited.Spec.Paused = &pause

			return nil
		}); err != nil {
			return api.Answer{}, err
		}

		c.done(call, actOf(pause)+" machine", machine)

		return c.machine(call.Context(), machine, pause)
	}
}

// noRequest says why a machine cannot be paused.
func (c *Changes) noRequest(machine ledger.Key) (api.Answer, error) {
	if _, found := c.Store.VM(machine); !found {
		return api.Answer{}, problem.NotFound(v1.KindVM, machine.Namespace, machine.Name)
	}

	return api.Answer{}, problem.Conflict(fmt.Sprintf(
		"VirtualMachine %s has no VirtualMachineNetworkConfig, because no NIC of it is on a managed network; there is nothing to pause", machine))
}

// machine returns the machine as it is when the watch has shown the change, or as
// it is then.
func (c *Changes) machine(ctx context.Context, machine ledger.Key, pause bool) (api.Answer, error) {
	var (
		body  v1.VM
		found bool
	)

	// It is no failure when it takes longer.
	_ = wait.PollUntilContextTimeout(ctx, lookEvery, shownWithin, true, func(context.Context) (bool, error) {
		body, found = c.Store.VM(machine)

		return !found || body.Paused == pause, nil
	})

	if !found {
		return api.Answer{}, problem.NotFound(v1.KindVM, machine.Namespace, machine.Name)
	}

	return api.OK(body), nil
}

// edit changes a request as it is on the API server. The change is judged as one
// of the caller: the webhook would not, because it is the manager that writes.
func (c *Changes) edit(call *api.Call, request ledger.Key, change func(*v1alpha1.VirtualMachineNetworkConfig) error) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		present, raw, err := read[v1alpha1.VirtualMachineNetworkConfig](call.Context(), c.objects, requests, request)
		if err != nil {
			return err
		}

		edited := present.DeepCopy()
		if err := change(edited); err != nil {
			return err
		}

		if errs, err := c.Judge(call.Context(), call.Caller.GetName(), present, edited); err != nil || len(errs) > 0 {
			return refusedOr(errs, err)
		}

		spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&edited.Spec)
		if err != nil {
			return fmt.Errorf("write VirtualMachineNetworkConfig %s: %w", request, err)
		}

		raw.Object["spec"] = spec
		_, err = c.objects.of(requests, request.Namespace).Update(call.Context(), raw, metav1.UpdateOptions{
			FieldValidation: metav1.FieldValidationStrict,
		})

		return err
	})

	return told(err, v1.KindRequest, request)
}
