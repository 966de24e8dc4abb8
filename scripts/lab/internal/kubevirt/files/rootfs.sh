#!/bin/sh
# rootfs.sh DIR PACKAGE...: Debian 13 with the packages, in DIR. It runs in mount
# and process namespaces of its own, so that nothing stays mounted or running.
set -eu
root=$1
shift
debootstrap --variant=minbase --include=ca-certificates trixie "$root"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # start no daemons
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get update
DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y --no-install-recommends "$@"
# KubeVirt runs guests as user and group 107.
echo 'qemu:x:107:107:qemu:/home/qemu:/bin/sh' >>"$root/etc/passwd"
echo 'qemu:x:107:' >>"$root/etc/group"
mkdir -p "$root/home/qemu" "$root/etc/libvirt/hooks" "$root/usr/lib64/qemu-kvm"
chown 107:107 "$root/home/qemu"
# virt-handler reaches files by /proc/PID/root: an absolute link would lead it astray.
ln -sfn ../run "$root/var/run"
cd "$root"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/sbin/policy-rc.d \
	var/lib/apt/lists var/cache/apt var/log/*.log usr/bin/qemu-system-i386
