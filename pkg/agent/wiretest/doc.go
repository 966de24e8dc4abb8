// Package wiretest holds conversations between the agent and real DHCP clients
// over veth pairs. It has no code of its own: see its tests.
//
// The tests run in namespaces that they make themselves. Without root they
// make a user namespace first; where that is refused too, each is skipped and
// says so. A client that is not installed skips its test, or fails it if
// FREEHOLD_REQUIRE_CLIENTS=1.
package wiretest
