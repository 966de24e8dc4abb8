// Command codegen writes the Wrangler controllers, the deep copies and the
// scheme registration from the API types. Run it with `make generate`, from the
// root of the repository; nothing imports it.
package main

import (
	"bytes"
	"log"
	"os"
	"path/filepath"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	controllergen "github.com/rancher/wrangler/v3/pkg/controller-gen"
	"github.com/rancher/wrangler/v3/pkg/controller-gen/args"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

func main() {
	// With GOPATH set, the generator writes below it instead of into the module.
	if err := os.Unsetenv("GOPATH"); err != nil {
		log.Fatal(err)
	}

	controllergen.Run(args.Options{
		OutputPackage: "github.com/freehold-net/freehold/pkg/generated",
		Boilerplate:   "pkg/codegen/boilerplate.go.txt",
		Groups: map[string]args.Group{
			"network.harvesterhci.io": {
				Types: []any{
					v1alpha1.IPPool{},
					v1alpha1.VirtualMachineNetworkConfig{},
					v1alpha1.IPLease{},
				},
				GenerateTypes: true,
			},
			nadv1.SchemeGroupVersion.Group: {
				Types: []any{nadv1.NetworkAttachmentDefinition{}},
			},
			kubevirtv1.SchemeGroupVersion.Group: {
				Types: []any{
					kubevirtv1.VirtualMachine{},
					kubevirtv1.VirtualMachineInstance{},
				},
			},
		},
	})

	if err := renameNetworkResource(); err != nil {
		log.Fatal(err)
	}
}

// renameNetworkResource corrects the plural of NetworkAttachmentDefinition. The
// generator derives "networkattachmentdefinitions" from the kind; the resource
// is called "network-attachment-definitions".
func renameNetworkResource() error {
	file := filepath.Join("pkg", "generated", "controllers", "k8s.cni.cncf.io", "v1", "interface.go")

	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}

	source = bytes.ReplaceAll(source, []byte(`"networkattachmentdefinitions"`), []byte(`"network-attachment-definitions"`))

	return os.WriteFile(file, source, 0o600)
}
