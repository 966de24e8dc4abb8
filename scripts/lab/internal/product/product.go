// Package product builds Freehold from the repository and installs it on the
// lab's cluster with its own chart, as users do.
package product

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/cluster"
)

const (
	// Namespace is where Freehold is installed: that of Harvester's add-ons.
	Namespace = "harvester-system"
	// Release is the name of the Helm release, of the manager's Deployment and
	// of the webhook configurations.
	Release = "freehold"
	// repository is the image's name on the nodes; nothing is ever fetched.
	repository = "registry.local/freehold"
)

// Image is a built image of the product.
type Image struct {
	// Tag tells builds apart: it is a hash of the programs.
	Tag string
	// Archive is a docker archive with the image.
	Archive string
}

// Name is the image's full name.
func (i Image) Name() string { return repository + ":" + i.Tag }

// Build builds the programs from the working tree and packs them into an image
// as the Dockerfile does: two static programs on an empty base.
func Build(ctx context.Context, cache *build.Cache) (Image, error) {
	root, err := sourceRoot(cache)
	if err != nil {
		return Image{}, err
	}

	bin := filepath.Join(cache.Dir, "product", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return Image{}, fmt.Errorf("build Freehold: %w", err)
	}

	done := cache.Announce("Freehold from the working tree", "")

	if err = BuildPage(ctx, cache); err == nil {
		err = cache.GoBuild(build.WithStep(ctx, Release), bin+"/", programs(root))
	}

	done(err)

	if err != nil {
		return Image{}, fmt.Errorf("build Freehold: %w", err)
	}

	files := map[string]string{}
	for _, program := range []string{"manager", "agent"} {
		files["/"+program] = filepath.Join(bin, program)
	}

	hash, err := build.HashFiles(bin)
	if err != nil {
		return Image{}, fmt.Errorf("build Freehold: %w", err)
	}

	image := Image{Tag: "lab-" + hash, Archive: filepath.Join(cache.Dir, "product", hash+".tar")}
	if _, err := os.Stat(image.Archive); err == nil {
		return image, nil
	}

	if err := removeArchives(filepath.Dir(image.Archive)); err != nil {
		return Image{}, err
	}

	return image, build.WriteImage(image.Archive, []string{image.Name()}, "", build.ImageConfig{
		Files: files, Env: []string{"PATH=/"},
	})
}

// BuildPage builds the dashboard, which the manager carries as it is when it is
// compiled, unless it is built already.
func BuildPage(ctx context.Context, cache *build.Cache) error {
	root, err := sourceRoot(cache)
	if err != nil {
		return err
	}

	return cache.Run(build.WithStep(ctx, "page"), root, nil, filepath.Join(root, "scripts", "web"), "page")
}

func programs(root string) build.GoBuild {
	return build.GoBuild{Dir: root, Packages: []string{"./cmd/manager", "./cmd/agent"}}
}

// Fetch downloads the Go modules that Build needs.
func Fetch(ctx context.Context, cache *build.Cache) error {
	root, err := sourceRoot(cache)
	if err != nil {
		return err
	}

	return cache.GoFetch(ctx, programs(root))
}

// removeArchives removes the images of earlier builds: each is some 100 MB.
func removeArchives(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	if err != nil {
		return fmt.Errorf("look for old images: %w", err)
	}

	for _, archive := range old {
		if err := os.Remove(archive); err != nil {
			return fmt.Errorf("remove old image: %w", err)
		}
	}

	return nil
}

func sourceRoot(cache *build.Cache) (string, error) {
	lab, err := cache.SourceDir()
	if err != nil {
		return "", err
	}

	return filepath.Dir(filepath.Dir(lab)), nil
}

// Import imports the image on every node.
func Import(ctx context.Context, c *cluster.Cluster, image Image) error {
	if err := c.ImportImage(ctx, image.Archive); err != nil {
		return fmt.Errorf("import Freehold's image: %w", err)
	}

	return nil
}

// Install installs or upgrades the chart with an image that every node has, with
// more values for it as "--set" takes them. It returns when the manager is
// ready, which it is once the cluster has the kinds of Multus and KubeVirt.
func Install(ctx context.Context, cache *build.Cache, c *cluster.Cluster, image Image, values ...string) error {
	root, err := sourceRoot(cache)
	if err != nil {
		return err
	}

	helm, err := cache.Helm(ctx)
	if err != nil {
		return err
	}

	argv := []string{
		filepath.Join(helm, "helm"), "upgrade", "--install", Release, filepath.Join(root, "chart"),
		"--kubeconfig", c.Kubeconfig(), "--namespace", Namespace, "--create-namespace",
		"--set", "image.repository=" + repository, "--set", "image.tag=" + image.Tag, "--set", "image.pullPolicy=Never",
		"--set", "serviceCIDRs={10.96.0.0/16}",
		"--wait", "--timeout", "4m",
	}
	for _, value := range values {
		argv = append(argv, "--set", value)
	}

	if err := cache.Run(build.WithStep(ctx, Release), root, nil, slices.Clip(argv)...); err != nil {
		return fmt.Errorf("install Freehold's chart: %w", err)
	}

	return nil
}
