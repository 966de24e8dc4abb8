// Package kubevirt builds KubeVirt from its Go module, installs it on a lab
// cluster through its own operator and drives virtual machines through its own
// API. No line of KubeVirt is changed. It knows nothing of what runs in a
// virtual machine, nor of the product under test.
package kubevirt

// Version is the release that is built; modules/kubevirt/go.mod names it too.
const Version = "v1.8.2"

// Namespace is where KubeVirt is installed.
const Namespace = "kubevirt"

// registry is what the operator derives image names from. Nothing serves it:
// the images are imported on every node.
const registry = "registry.local/kubevirt"

// commit is what the tag of Version points at; KubeVirt reports it as its own.
const commit = "3203e9d1ce77af32f6a9ce72b9f954830666f72c"
