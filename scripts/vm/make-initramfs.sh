#!/usr/bin/env bash
# Builds the initramfs that guest-init.sh runs in, once for each kernel, and prints its path.
#
#   scripts/vm/make-initramfs.sh KERNEL_FOLDER       a folder that fetch-kernel.sh printed
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel=${1:?usage: make-initramfs.sh KERNEL_FOLDER}
release=$(cat "$kernel/release")
busybox=$(command -v busybox)
key=$(cat "$here/guest-init.sh" "$here/guest-run.sh" "${BASH_SOURCE[0]}" "$busybox" "$kernel/release" | sha256sum | cut -c1-16)
out=$kernel/initramfs-$key.cpio
if [ -f "$out" ]; then
    echo "$out"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,modules,host,overlay,newroot,control,repo,kernel-modules}
cp "$busybox" "$root/bin/busybox"
for applet in cat chmod cp echo hostname insmod ip kill ln mkdir mkfifo mount setsid sh sleep switch_root sync; do
    ln -s busybox "$root/bin/$applet"
done
cp "$here/guest-init.sh" "$root/init"
cp "$here/guest-run.sh" "$root/"
chmod 755 "$root/init"
# The order is the loading order. What is built into the kernel has no file, and modprobe may not even know it.
for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
    { modprobe -S "$release" -d "$kernel" --show-depends "$module" 2>/dev/null || true; } |
        sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' >"$work/files"
number=100
while read -r file; do
    name=$(basename "$file")
    number=$((number + 1))
    case $name in
    *.xz) xz -dc "$file" >"$root/modules/$number-${name%.xz}" ;;
    *.zst) zstd -dqc "$file" >"$root/modules/$number-${name%.zst}" ;;
    *.gz) gzip -dc "$file" >"$root/modules/$number-${name%.gz}" ;;
    *) cp "$file" "$root/modules/$number-$name" ;;
    esac
done <"$work/files"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/initramfs"
rm -f "$kernel"/initramfs-*.cpio
mv "$work/initramfs" "$out.$$"
mv "$out.$$" "$out"
echo "$out"
