package guest

import (
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// writeInitramfs writes the guest's root file system as the kernel reads it: a
// gzip-compressed cpio archive. The same input gives the same bytes.
func writeInitramfs(w io.Writer, busybox []byte, modules []module) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	a := &archive{w: cpio.NewWriter(zip)}
	for _, dir := range []string{"bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "lib", "lib/modules", "proc", "run", "sys", "tmp"} {
		a.dir(dir)
	}
	a.file("bin/busybox", busybox)
	a.embedded("init", "init")
	a.embedded("etc/say.sh", "say.sh")
	a.embedded("etc/udhcpc.sh", "udhcpc.sh")
	a.embedded("etc/acpi/PWRF/00000080", "power.sh") // where busybox' acpid looks for the power key
	order := make([]string, len(modules))
	for i, m := range modules {
		order[i] = m.name + ".ko"
		a.file("lib/modules/"+order[i], m.data)
	}
	a.file("lib/modules/order", []byte(strings.Join(order, "\n")+"\n"))
	return errors.Join(a.err, a.w.Close(), zip.Close())
}

// archive keeps the first error so that its callers need not.
type archive struct {
	w   *cpio.Writer
	err error
}

func (a *archive) dir(name string) {
	if a.err == nil {
		a.err = a.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2})
	}
}

func (a *archive) file(name string, data []byte) {
	if a.err == nil {
		a.err = a.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | 0o755, Links: 1, Size: int64(len(data))})
	}
	if a.err == nil {
		_, a.err = a.w.Write(data)
	}
}

func (a *archive) embedded(name, source string) {
	data, err := files.ReadFile("files/" + source)
	if a.err == nil {
		a.err = err
	}
	a.file(name, data)
}
