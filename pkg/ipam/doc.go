// Package ipam decides which address a claimant gets: the address plan of one
// pool, the set of addresses that are taken, and the choice of a free one.
//
// It is a pure core. Values go in and values come out; the package knows no
// Kubernetes object, reads no clock, writes no log, holds no lock and draws no
// random number, so the same input always gives the same output. A range stays
// a pair of addresses and is never expanded into a list: a pool of a /8 costs no
// more to plan than a pool of a /30.
//
// An IPv4 address and its IPv4-mapped IPv6 form (::ffff:10.0.0.1) are one and
// the same address everywhere in this package. Zones are not part of a pool and
// are ignored. The invalid netip.Addr means "none"; it is never confused with
// 0.0.0.0.
package ipam
