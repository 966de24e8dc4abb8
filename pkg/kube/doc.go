// Package kube is the plumbing between Freehold and Kubernetes: the scheme, the
// shared caches and controllers of Wrangler, leader election, Events, the
// upgrade of our CRDs, and the bridge that sends the frameworks' logs to slog.
//
// It knows which objects there are and how to reach them. It decides nothing
// about addresses.
package kube
