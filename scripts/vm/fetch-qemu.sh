#!/usr/bin/env bash
# Prints the QEMU that machines are run with, and its options: this machine's own from 8.1 on, else a newer one of Debian's
# backports, unpacked and not installed. Before 8.1 a CPU could go on in code that another one had just patched (pages are
# locked before translation since): kernels panicked or stood still when functions were attached under load.
#
#   scripts/vm/fetch-qemu.sh        words, one a line
#
# Results are cached outside the tree. Where the mirror gives none, the machine's own is what is printed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${NETTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nettrace}
out=$cache/qemu

own=$(qemu-system-x86_64 --version | sed -nE 's/.*version ([0-9.]+).*/\1/p;q')
if [ "$(printf '%s\n' 8.1 "$own" | sort -V | head -n 1)" = 8.1 ]; then
    echo qemu-system-x86_64
    exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/.lock-qemu"
flock 9
work=$(mktemp -d "$cache/.fetch-qemu-XXXXXX")
trap 'rm -rf "$work"' EXIT
suites=$(. /etc/os-release && echo "$VERSION_CODENAME-backports")

# In a shell of its own, because what is missing ends it. Tried once: the next machine asks again.
fetch() (
    echo "fetch-qemu: QEMU $own is older than 8.1: looking for a newer one in $suites"
    . "$here/private-apt.sh"
    update && download qemu-system-x86 qemu-system-common qemu-system-data || exit
    for deb in "$work"/archives/*.deb; do dpkg-deb -x "$deb" "$work/unpacked" || exit; done
    "$work/unpacked/usr/bin/qemu-system-x86_64" -L "$work/unpacked/usr/share/qemu" --version || exit
    rm -rf "$out"
    mv "$work/unpacked" "$out"
)

if [ ! -x "$out/usr/bin/qemu-system-x86_64" ] && ! fetch >&2; then
    echo "fetch-qemu: $suites gives none that runs here; QEMU $own it is, under which kernels may panic" >&2
    echo qemu-system-x86_64
    exit 0
fi
printf '%s\n' "$out/usr/bin/qemu-system-x86_64" -L "$out/usr/share/qemu" -L /usr/share/seabios -L /usr/share/qemu
