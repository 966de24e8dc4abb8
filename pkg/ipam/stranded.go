package ipam

import (
	"fmt"
	"net/netip"
	"slices"
)

// Strand is an address whose holder an edit of the plan would cut off.
type Strand struct {
	Addr netip.Addr
	// Role is what the address would be after the edit; never RoleFree.
	Role Role
	// Reason says so in words, as the rest of a sentence that starts with Addr.
	Reason string
}

// Stranded returns the held addresses that the edit from before to after would
// cut off, in ascending order and each once: those the new plan would not hand
// out and the old one would, or that would be worse off than they are, such as
// an excluded address that would fall out of the network. An address that is
// cut off already does not stand in the way of other edits. With a zero before
// every held address that after would not hand out is returned.
func Stranded(before, after Plan, held []netip.Addr) []Strand {
	var strands []Strand
	for a := range NewSet(held...).All() {
		was := RoleFree
		if before.Prefix.IsValid() {
			was = before.Role(a)
		}
		is := after.Role(a)
		if severity(is) <= severity(was) {
			continue
		}
		strands = append(strands, Strand{Addr: a, Role: is, Reason: after.reason(a, is)})
	}
	return slices.Clip(strands)
}

// severity orders the roles by how little a holder can keep its address.
func severity(r Role) int {
	switch r {
	case RoleFree:
		return 0
	case RoleExcluded:
		return 1
	case RoleOutOfRange:
		return 2
	case RoleServer, RoleRouter, RoleNetwork, RoleBroadcast:
		return 3
	case RoleOutside:
		return 4
	default:
		return 5
	}
}

func (p Plan) reason(a netip.Addr, r Role) string {
	switch r {
	case RoleServer:
		return "would be the address of the DHCP server"
	case RoleRouter:
		return "would be the address of the router"
	case RoleNetwork, RoleBroadcast:
		return fmt.Sprintf("would be the %s address of %s", r, p.Prefix)
	case RoleExcluded:
		entry, _ := p.exclusion(a)
		return fmt.Sprintf("would be excluded by %s", entry)
	case RoleOutOfRange:
		if p.span().IsZero() {
			return "would be out of the range, which would be empty"
		}
		return fmt.Sprintf("would be out of the range %s", p.span())
	default:
		return fmt.Sprintf("would be out of the network %s", p.Prefix)
	}
}
