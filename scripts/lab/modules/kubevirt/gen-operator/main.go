// Command gen-operator prints the manifest that installs KubeVirt's operator:
// its custom resource definition, priority class, RBAC and Deployment, made by
// KubeVirt's own generators so that nothing in it is written by hand.
//
// It is run while the lab builds its KubeVirt image; the output is what a
// release publishes as kubevirt-operator.yaml, for the lab's image names.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
	"kubevirt.io/kubevirt/tools/util"
)

func main() {
	registry := flag.String("registry", "registry.local/kubevirt", "repository the virt-* images are named under")
	version := flag.String("version", "", "tag of the virt-* images, for example v1.8.2")
	namespace := flag.String("namespace", "kubevirt", "namespace KubeVirt is installed in")
	flag.Parse()
	if *version == "" {
		fmt.Fprintln(os.Stderr, "gen-operator: -version is empty: give the tag of the virt-* images")
		os.Exit(2)
	}
	if err := run(*registry, *version, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, "gen-operator:", err)
		os.Exit(1)
	}
}

func run(registry, version, namespace string) error {
	out := bufio.NewWriter(os.Stdout)
	crd, err := components.NewKubeVirtCrd()
	if err != nil {
		return fmt.Errorf("generate KubeVirt's CRD: %w", err)
	}
	objects := []any{crd, components.NewKubeVirtPriorityClassCR()}
	for _, o := range rbac.GetAllOperator(namespace) {
		objects = append(objects, o)
	}
	// Every image is left to be derived from registry and version: the lab
	// names its one image after each component.
	deployment := components.NewOperatorDeployment(namespace, registry, "", version, "2",
		"", "", "", "", "", "", "", "", "", "", "", "", "", "", "", corev1.PullIfNotPresent)
	one := int32(1)
	deployment.Spec.Replicas = &one
	objects = append(objects, deployment)
	for _, o := range objects {
		if err := util.MarshallObject(o, out); err != nil {
			return fmt.Errorf("print %T: %w", o, err)
		}
	}
	return out.Flush()
}
