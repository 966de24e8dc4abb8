package convert

import (
	"errors"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ipam"
)

// PoolPlan returns the address plan of a pool with its defaults filled in, as
// CompletePool would write them. The errors name everything that is wrong with
// the plan; with any of them the plan is the zero Plan, which hands out nothing.
func PoolPlan(spec *v1alpha1.IPPoolSpec) (ipam.Plan, field.ErrorList) {
	draft, errs := readPlan(&spec.IPv4Config)
	if len(errs) > 0 {
		return ipam.Plan{}, errs
	}
	plan, err := draft.Complete()
	if err != nil {
		return ipam.Plan{}, problemErrors(err, nil)
	}
	return plan, nil
}

// CompletePool writes the defaults of the server address and the range into spec.
// What is set is not touched, not even its spelling. With errors, which are those
// of PoolPlan, spec is left as it is.
func CompletePool(spec *v1alpha1.IPPoolSpec) field.ErrorList {
	plan, errs := PoolPlan(spec)
	if len(errs) > 0 {
		return errs
	}
	c := &spec.IPv4Config
	for _, f := range []struct {
		text  *string
		value netip.Addr
	}{
		{&c.ServerIP, plan.Server},
		{&c.Pool.Start, plan.Range.First},
		{&c.Pool.End, plan.Range.Last},
	} {
		if *f.text == "" {
			*f.text = f.value.String()
		}
	}
	return nil
}

// configPath is where the errors of a plan and its options are.
func configPath() *field.Path { return field.NewPath("spec", "ipv4Config") }

// readPlan reads the plan as it is written, without defaults.
func readPlan(c *v1alpha1.IPv4Config) (ipam.Plan, field.ErrorList) {
	path := configPath()
	var errs field.ErrorList
	addr := func(path *field.Path, s string) netip.Addr {
		if s == "" {
			return netip.Addr{}
		}
		a, err := IPv4(s)
		if err != nil {
			errs = append(errs, field.Invalid(path, s, err.Error()))
		}
		return a
	}

	var plan ipam.Plan
	var err error
	if plan.Prefix, err = IPv4Prefix(c.CIDR); err != nil {
		if c.CIDR == "" {
			errs = append(errs, field.Required(path.Child("cidr"), "write the network of the pool, such as 192.168.48.0/24"))
		} else {
			errs = append(errs, field.Invalid(path.Child("cidr"), c.CIDR, err.Error()))
		}
	}
	plan.Server = addr(path.Child("serverIP"), c.ServerIP)
	plan.Router = addr(path.Child("router"), c.Router)
	plan.Range.First = addr(path.Child("pool", "start"), c.Pool.Start)
	plan.Range.Last = addr(path.Child("pool", "end"), c.Pool.End)
	for i, s := range c.Pool.Exclude {
		// An entry that cannot be read stays in its place as the zero Range, so that
		// the problems of the others keep their index.
		r, err := ipam.ParseRange(s)
		if err == nil && !r.First.Is4() {
			r, err = ipam.Range{}, errors.New("is IPv6; write IPv4 addresses of the pool's network")
		}
		if err != nil {
			errs = append(errs, field.Invalid(path.Child("pool", "exclude").Index(i), s, err.Error()))
		}
		plan.Excluded = append(plan.Excluded, r)
	}
	if problems := plan.Validate(); len(problems) > 0 {
		errs = append(errs, problemErrors(&ipam.InvalidError{Problems: problems}, errs)...)
	}
	return plan, errs
}

// problemErrors puts the problems of a plan into fields. A field that known has
// an error for is left out: what cannot be read has been reported as such.
func problemErrors(err error, known field.ErrorList) field.ErrorList {
	var invalid *ipam.InvalidError
	if !errors.As(err, &invalid) {
		return field.ErrorList{field.InternalError(configPath(), err)}
	}
	var errs field.ErrorList
	for _, p := range invalid.Problems {
		path := configPath().String() + "." + p.Field
		if slices.ContainsFunc(known, func(e *field.Error) bool { return e.Field == path }) {
			continue
		}
		kind := field.ErrorTypeInvalid
		if p.Value == "" {
			kind = field.ErrorTypeRequired
		}
		errs = append(errs, &field.Error{Type: kind, Field: path, BadValue: p.Value, Detail: p.Detail + "; " + p.Remedy})
	}
	return errs
}
