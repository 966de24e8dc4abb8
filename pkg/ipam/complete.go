package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// InvalidError says that a plan cannot be used, with every problem found.
type InvalidError struct {
	// Problems is never empty.
	Problems []Problem
}

// Error joins the problems into one text.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.String()
	}
	return strings.Join(parts, "; ")
}

// Complete returns p with an unset Server and unset ends of Range filled in.
// What is set is never changed, and filling never makes a valid plan invalid.
//
//   - An unset end of the range becomes the first or last usable address.
//   - An unset server becomes the first usable address that is neither the router
//     nor excluded: outside the range when an end of the range was given and such
//     an address exists, inside it otherwise. Inside the range it is reserved like
//     any server.
//
// The server and the router therefore may be edges of a range that was filled
// in; they are reserved there. vm-dhcp-controller writes ranges this way, and
// pools must not change when they are carried over. Trim gives the narrower range.
//
// The error is an *InvalidError: the plan has problems as given, or no address
// is left for the server. Complete returns p unchanged then.
func (p Plan) Complete() (Plan, error) {
	if problems := p.Validate(); len(problems) > 0 {
		return p, &InvalidError{Problems: problems}
	}
	usable := p.Usable()
	full := p
	if !full.Range.First.IsValid() {
		full.Range.First = usable.First
	}
	if !full.Range.Last.IsValid() {
		full.Range.Last = usable.Last
	}
	if full.Server.IsValid() {
		return full, nil
	}
	server, ok := p.pickServer(full.Range)
	if !ok {
		return p, &InvalidError{Problems: []Problem{{
			Field:  "serverIP",
			Detail: fmt.Sprintf("no address of %s is left for the DHCP server: each one is the router or excluded", p.Prefix),
			Remedy: "exclude fewer addresses or use a larger network",
		}}}
	}
	full.Server = server
	return full, nil
}

// pickServer returns the address for the server, given the completed range.
func (p Plan) pickServer(completed Range) (netip.Addr, bool) {
	avoid := p.blocked()
	usable := p.Usable()
	if !p.Range.IsZero() {
		outside := merge(append(slices.Clone(avoid), completed))
		if a, ok := firstFree(usable, nil, outside); ok {
			return a, true
		}
	}
	return firstFree(usable, nil, avoid)
}

// Trim returns p with the server and the router taken off the ends of the range,
// where they only count as reserved. A range that would become empty stays as it
// is. What can be handed out is the same before and after.
func (p Plan) Trim() Plan {
	trimmed := p
	isReserved := func(a netip.Addr) bool {
		role := p.Role(a)
		return role == RoleServer || role == RoleRouter
	}
	for trimmed.Range.IsValid() && isReserved(trimmed.Range.First) {
		if trimmed.Range.Size() == 1 {
			return p
		}
		trimmed.Range.First = trimmed.Range.First.Next()
	}
	for trimmed.Range.IsValid() && isReserved(trimmed.Range.Last) {
		trimmed.Range.Last = trimmed.Range.Last.Prev()
	}
	return trimmed
}
