package guest

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"
)

// kernelFiles is what a guest needs of a kernel package.
type kernelFiles struct {
	image   []byte   // vmlinuz
	modules []module // in the order in which they can be loaded
}

// module is one kernel module, uncompressed.
type module struct {
	name string // as modprobe spells it, with underscores
	data []byte
}

// readKernel picks the kernel image and the wanted modules, with those they
// depend on, from the tar stream of a kernel package.
func readKernel(r io.Reader, wanted []string) (kernelFiles, error) {
	var k kernelFiles
	drivers := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return k, fmt.Errorf("read the kernel package: %w", err)
		}
		name := path.Clean(hdr.Name)
		isKernel := strings.HasPrefix(path.Base(name), "vmlinuz-")
		if !isKernel && !isDriver(name) {
			continue
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			return k, fmt.Errorf("read %s of the kernel package: %w", name, err)
		}
		if isKernel {
			k.image = data
			continue
		}
		drivers[moduleName(name)] = data
		if strings.HasSuffix(name, ".xz") {
			drivers[moduleName(name)+".xz"] = data
		}
	}
	if len(k.image) == 0 {
		return k, errors.New("the kernel package has no vmlinuz")
	}
	for _, name := range wanted {
		if err := k.add(name, drivers); err != nil {
			return k, err
		}
	}
	return k, nil
}

// isDriver limits what is kept in memory to where the wanted modules live.
func isDriver(name string) bool {
	if !strings.Contains(name, ".ko") {
		return false
	}
	for _, dir := range []string{"/drivers/virtio/", "/drivers/net/", "/drivers/acpi/", "/drivers/input/", "/net/core/", "/lib/"} {
		if strings.Contains(name, "/kernel"+dir) {
			return true
		}
	}
	return false
}

func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// add appends the module after those it depends on. One that the package does
// not have is taken to be built into the kernel.
func (k *kernelFiles) add(name string, drivers map[string][]byte) error {
	for _, m := range k.modules {
		if m.name == name {
			return nil
		}
	}
	data, ok := drivers[name]
	if !ok {
		return nil
	}
	if _, compressed := drivers[name+".xz"]; compressed {
		cmd := exec.Command("xz", "-dc")
		cmd.Stdin = bytes.NewReader(data)
		var err error
		if data, err = cmd.Output(); err != nil {
			return fmt.Errorf("kernel module %s: xz: %w", name, err)
		}
	}
	depends, err := moduleDepends(data)
	if err != nil {
		return fmt.Errorf("kernel module %s: %w", name, err)
	}
	for _, d := range depends {
		if err := k.add(d, drivers); err != nil {
			return err
		}
	}
	k.modules = append(k.modules, module{name: name, data: data})
	return nil
}

// moduleDepends reads the "depends=" entry of a module's .modinfo section.
func moduleDepends(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
