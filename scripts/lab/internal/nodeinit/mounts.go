package nodeinit

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ownDirs are directories that every machine has for itself, because the
// kubelet and KubeVirt use them under these fixed names.
func ownDirs() []string {
	return []string{
		"/var/lib/kubelet", "/var/lib/kubevirt", "/var/lib/kubevirt-node-labeller", "/var/lib/cni", "/var/log",
	}
}

// mounter collects the first error of a series of mounts.
type mounter struct{ err error }

func (m *mounter) do(what string, f func() error) {
	if m.err != nil {
		return
	}
	if err := f(); err != nil {
		m.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (m *mounter) mount(source, target, kind string, flags uintptr, data string) {
	m.do(fmt.Sprintf("mount %s on %s", source, target), func() error {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		return unix.Mount(source, target, kind, flags, data)
	})
}

// mounts gives the process a view of its own: /proc for its process namespace,
// and for a machine /run, /dev, /sys and ownDirs. In the end everything is
// shared downwards, as volumes of pods need it.
func mounts(spec Spec) error {
	m := &mounter{}
	m.mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	m.mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if spec.Machine {
		m.mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
		for _, dir := range []string{"/run/netns", "/run/lock"} {
			m.do("make "+dir, func() error { return os.MkdirAll(dir, 0o755) })
		}
		for _, target := range ownDirs() {
			own := filepath.Join(spec.Dir, "own", filepath.Base(target))
			m.do("make "+own, func() error { return os.MkdirAll(own, 0o755) })
			m.mount(own, target, "", unix.MS_BIND, "")
		}
		m.sysfs()
		m.devices(filepath.Join(spec.Dir, "dev"))
	}
	m.mount("none", "/", "", unix.MS_REC|unix.MS_SHARED, "")
	return m.err
}

// sysfs shows the network devices of this network namespace and keeps the
// control groups, which a new sysfs hides.
func (m *mounter) sysfs() {
	const aside = "/run/cgroup-aside"
	m.mount("/sys/fs/cgroup", aside, "", unix.MS_BIND|unix.MS_REC, "")
	m.mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	m.mount(aside, "/sys/fs/cgroup", "", unix.MS_BIND|unix.MS_REC, "")
	m.do("unmount "+aside, func() error { return unix.Unmount(aside, unix.MNT_DETACH) })
}

// device is a node of /dev.
type device struct {
	name         string
	kind         uint32
	major, minor uint32
}

// devices makes a /dev without kvm: guests are emulated, and a kvm that cannot
// be used misleads KubeVirt. Opening vhost-net may fail, which libvirt bears.
func (m *mounter) devices(dev string) {
	m.mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755")
	list := []device{
		{"null", unix.S_IFCHR, 1, 3},
		{"zero", unix.S_IFCHR, 1, 5},
		{"full", unix.S_IFCHR, 1, 7},
		{"random", unix.S_IFCHR, 1, 8},
		{"urandom", unix.S_IFCHR, 1, 9},
		{"kmsg", unix.S_IFCHR, 1, 11},
		{"tty", unix.S_IFCHR, 5, 0},
		{"fuse", unix.S_IFCHR, 10, 229},
		{"net/tun", unix.S_IFCHR, 10, 200},
		{"vhost-net", unix.S_IFCHR, 10, 238},
		{"loop-control", unix.S_IFCHR, 10, 237},
		{"loop0", unix.S_IFBLK, 7, 0},
		{"loop1", unix.S_IFBLK, 7, 1},
		{"loop2", unix.S_IFBLK, 7, 2},
		{"loop3", unix.S_IFBLK, 7, 3},
	}
	m.do("make "+dev+"/net", func() error { return os.MkdirAll(filepath.Join(dev, "net"), 0o755) })
	for _, d := range list {
		path := filepath.Join(dev, d.name)
		m.do("make "+path, func() error {
			if err := unix.Mknod(path, d.kind|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
				return err
			}
			return os.Chmod(path, 0o666) // Mknod heeds the umask
		})
	}
	m.mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
	m.mount("tmpfs", filepath.Join(dev, "shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	m.mount("mqueue", filepath.Join(dev, "mqueue"), "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	for _, link := range [][2]string{
		{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"fd/0", "stdin"}, {"fd/1", "stdout"}, {"fd/2", "stderr"},
	} {
		m.do("link "+link[1], func() error { return os.Symlink(link[0], filepath.Join(dev, link[1])) })
	}
	m.mount(dev, "/dev", "", unix.MS_MOVE, "")
}
