package change

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

// createPool answers POST /v1/pools.
func (c *Changes) createPool(call *api.Call) (api.Answer, error) {
	run, err := call.DryRun()
	if err != nil {
		return api.Answer{}, err
	}

	var body v1.PoolCreate
	if _, err := call.Decode(&body, "application/json"); err != nil {
		return api.Answer{}, err
	}

	for name, value := range map[string]string{"namespace": body.Namespace, "name": body.Name} {
		if value == "" {
			return api.Answer{}, problem.Refused(v1.FieldProblem{Field: name, Detail: "is missing", Remedy: "write the pool's " + name})
		}
	}

	key := ledger.Key{Namespace: body.Namespace, Name: body.Name}
	if err := call.Require("create", freehold(pools, ledger.Key{Namespace: key.Namespace})); err != nil {
		return api.Answer{}, err
	}

	wanted := &v1alpha1.IPPool{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := transcribe(body.Spec, &wanted.Spec); err != nil {
		return api.Answer{}, err
	}

	ctx, warned := listening(call.Context())

	made, err := create[v1alpha1.IPPool](ctx, c.objects, pools, v1.KindPool, wanted, run)
	if apierrors.IsNotFound(err) {
		return api.Answer{}, problem.Refused(v1.FieldProblem{
			Field: "namespace", Value: key.Namespace, Detail: "does not exist", Remedy: "create the namespace first, or correct the name",
		})
	}

	if err != nil {
		return api.Answer{}, told(err, v1.KindPool, key)
	}

	if run {
		return api.OK(c.preview(nil, made, warned.all())), nil
	}

	c.done(call, "create pool", key)

	return api.Created("/v1/pools/"+key.Namespace+"/"+key.Name, c.Store.DescribePool(made)), nil
}

// editPool answers PATCH /v1/pools/{namespace}/{name}.
func (c *Changes) editPool(call *api.Call) (api.Answer, error) {
	key := named(call)
	if err := call.Require("update", freehold(pools, key)); err != nil {
		return api.Answer{}, err
	}

	run, err := call.DryRun()
	if err != nil {
		return api.Answer{}, err
	}

	var body v1.PoolEdit
	if _, err := call.Decode(&body, "application/merge-patch+json", "application/json"); err != nil {
		return api.Answer{}, err
	}

	// Only for its fields: what stands in them is the API server's to judge.
	if err := transcribe(body.Spec, &v1.PoolPlan{}); err != nil {
		return api.Answer{}, err
	}

	before, _, err := read[v1alpha1.IPPool](call.Context(), c.objects, pools, key)
	if err != nil {
		return api.Answer{}, told(err, v1.KindPool, key)
	}

	change := map[string]any{"spec": body.Spec}
	if body.ResourceVersion != "" {
		change["metadata"] = map[string]any{"resourceVersion": body.ResourceVersion}
	}

	ctx, warned := listening(call.Context())

	after, err := patch[v1alpha1.IPPool](ctx, c.objects, pools, key, change, run)
	if err != nil {
		return api.Answer{}, told(err, v1.KindPool, key)
	}

	if run {
		return api.OK(c.preview(before, after, warned.all())), nil
	}

	c.done(call, "edit pool", key)

	return api.OK(c.Store.DescribePool(after)), nil
}

// transcribe writes what has the JSON form of another type into that, and refuses
// fields that it has not.
func transcribe(from, into any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("write the plan as JSON: %w", err)
	}

	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()

	err = decoder.Decode(into)

	var kind *json.UnmarshalTypeError

	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind):
		return problem.Parameter("spec."+kind.Field, kind.Value, "cannot be there", "write a "+kind.Type.String())
	default:
		return problem.Parameter("spec", "", "cannot be read: "+err.Error(), "see /v1/openapi.json for the fields that there are")
	}
}

// refusedOr returns err, or the refusals as a problem.
func refusedOr(errs field.ErrorList, err error) error {
	if err != nil {
		return fmt.Errorf("judge the change: %w", err)
	}

	return problem.Refused(problem.Fields(errs)...)
}

// preview says what a checked change does. Before is nil for a new pool.
func (c *Changes) preview(before, after *v1alpha1.IPPool, warned []string) v1.PoolPreview {
	var was *v1alpha1.IPPoolSpec
	if before != nil {
		was = &before.Spec
	}

	held := c.Ledger.OfPool(ledger.Key{Namespace: after.Namespace, Name: after.Name})
	effects, left := effectsOn(held, was, &after.Spec)

	answer := v1.PoolPreview{
		Pool: c.Store.DescribePool(after), Changes: differences(was, &after.Spec),
		Affected: []v1.Affected{}, Warnings: warned,
	}

	for _, one := range effects {
		answer.Affected = append(answer.Affected, v1.Affected{Lease: c.Store.DescribeLease(one.lease), Effect: one.effect})
	}

	if left > 0 {
		answer.Warnings = append(answer.Warnings, fmt.Sprintf("%d more leases are affected than are listed here", left))
	}

	guest, notes := guestOptions(&after.Spec)
	answer.Guest, answer.Warnings = guest, append(answer.Warnings, notes...)

	return answer
}
