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

print() {
    printf '%s\n' "$out/usr/bin/qemu-system-x86_64" -L "$out/usr/share/qemu" -L /usr/share/seabios -L /usr/share/qemu
}

mkdir -p "$cache"
exec 9>"$cache/.lock-qemu"
flock 9
if [ -x "$out/usr/bin/qemu-system-x86_64" ]; then
    print
    exit 0
fi
work=$(mktemp -d "$cache/.fetch-qemu-XXXXXX")
trap 'rm -rf "$work"' EXIT
suites=$(. /etc/os-release && echo "$VERSION_CODENAME-backports")
. "$here/private-apt.sh"

fetch() {
    echo "fetch-qemu: QEMU $own is older than 8.1: looking for a newer one in $suites" >&2
    try update >&2 && try download qemu-system-x86 qemu-system-common qemu-system-data >&2
}
if ! fetch; then
    echo "fetch-qemu: $suites gives none; QEMU $own it is, under which kernels may panic" >&2
    echo qemu-system-x86_64
    exit 0
fi
for deb in "$work"/archives/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done
"$work/unpacked/usr/bin/qemu-system-x86_64" -L "$work/unpacked/usr/share/qemu" --version >&2 || {
    echo "fetch-qemu: the QEMU of $suites does not run here; QEMU $own it is, under which kernels may panic" >&2
    echo qemu-system-x86_64
    exit 0
}
rm -rf "$out"
mv "$work/unpacked" "$out"
print
