// Package dhcp decides what a DHCPv4 server says: it maps a snapshot of one
// pool's bindings, one received Ethernet frame and a few facts about the
// moment onto reply frames and the reason for them.
//
// It is the protocol and nothing else. It must not read a clock, take a lock,
// write a log, open a socket or know Kubernetes: the same input always gives
// the same output, so that every row of the behaviour it implements is a plain
// table test. The shell that feeds it frames is package agent.
//
// Bindings are static: a MAC address has the address the pool's leases say, or
// none. Nothing a client sends changes that. A MAC address without a binding
// is met with silence before its options are even looked at.
//
// Sources: RFC 2131 (protocol), RFC 2132 (options), RFC 3046 and RFC 5107
// (relay information), RFC 3396 (long options), RFC 3397 (domain search),
// RFC 3442 (classless routes), RFC 6842 (client identifier echo) and RFC 8357
// (relay source port). Where deployed clients need something else than the
// letter of the RFC, the code says so and why.
package dhcp
