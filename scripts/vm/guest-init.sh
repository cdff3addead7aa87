#!/bin/sh
# First process of the virtual machine, in the initramfs with nothing but busybox: lays a writable overlay
# over the host's files, makes the usual mounts, and hands over to guest-run.sh. All that is to be done in
# the guest is done with busybox from memory, because a program that comes over 9p takes 0.2 seconds to start.
PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
for module in /modules/*.ko; do
    insmod "$module"
done

share() { # TAG FOLDER OPTIONS
    mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}
share root /host cache=loose,ro
mount -t tmpfs -o size=75% tmpfs /overlay
mkdir /overlay/upper /overlay/work
mount -t overlay -o lowerdir=/host,upperdir=/overlay/upper,workdir=/overlay/work overlay /newroot

# The tree and the kernel's modules may lie below /tmp or /run, which get file systems of their own.
share control /control cache=none
. /control/settings
mount --bind "/newroot$repo" /repo
mount --bind "/host$modules" /kernel-modules
for folder in /run /tmp; do
    mount -t tmpfs -o mode=1777 tmpfs "/newroot$folder"
done
chmod 755 /newroot/run
mkdir -p /newroot/run/nettrace-vm/control /newroot/run/lock "/newroot$repo"
mount --move /control /newroot/run/nettrace-vm/control
mount --move /repo "/newroot$repo"
if [ -L /newroot/lib ]; then lib=/newroot/usr/lib; else lib=/newroot/lib; fi
mkdir -p "$lib/modules"
mount --move /kernel-modules "$lib/modules"
if [ -n "$results" ]; then
    mkdir -p "/newroot$results"
    share results "/newroot$results" cache=none
fi

mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /proc /sys /dev; do
    mount --move "$folder" "/newroot$folder"
done
hostname localhost
ip link set lo up

cp -a /bin /guest-run.sh /newroot/run/nettrace-vm/
exec switch_root /newroot /run/nettrace-vm/bin/sh /run/nettrace-vm/guest-run.sh
