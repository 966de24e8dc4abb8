// Package e2e holds the end-to-end scenarios: Freehold as its chart installs it,
// on the lab's cluster, with KubeVirt's virtual machines that boot and take
// their addresses by DHCP. The scenarios are its tests; `make e2e` runs them.
//
// Each has a namespace and VLANs of its own and removes what it made. Those that
// disturb the whole cluster or count what others would add to run one by one,
// before the rest, which run two at a time.
package e2e
