#!/usr/bin/env bash
# Fetches one of Debian's kernels by its series and unpacks it, without installing it.
#
#   scripts/vm/fetch-kernel.sh 6.12        prints the folder: vmlinuz, release, lib/modules/RELEASE, initramfs modules
#
# Results are cached outside the tree.
#
# Exit code 3: the mirror did not give a kernel of a series that is in moving suites only (testing, unstable), where a
# newer one takes its place some day.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
series=${1:?usage: fetch-kernel.sh SERIES, for example 6.12}
cache=${NETTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nettrace}/kernels
out=$cache/$series

mkdir -p "$cache"
exec 9>"$cache/.lock-$series"
flock 9
if [ -f "$out/release" ]; then
    echo "$out"
    exit 0
fi

not_given=1 # the exit code
case $series in
5.10) suites="bullseye bullseye-security" ;;
6.1) suites="bookworm bookworm-security" ;;
6.12) suites="trixie trixie-security" ;;
6.18) suites="trixie-backports" ;;
7.2) suites="sid forky" not_given=3 ;;
*)
    echo "fetch-kernel: no suite is known for the kernel series '$series'" >&2
    exit 2
    ;;
esac

# On the same file system as the result, so that files move instead of being copied.
work=$(mktemp -d "$cache/.fetch-$series-XXXXXX")
trap 'rm -rf "$work"' EXIT
. "$here/private-apt.sh"

packages() { # RELEASE: the image and, from 7.x on, where it is split, the packages that have the files
    local part
    for part in image binary modules base; do
        ! grep -qxF "linux-$part-$1" <<<"$names" || echo "linux-$part-$1"
    done
}

echo "fetch-kernel: looking for Linux $series in $suites" >&2
# A list that is missing shows in what is found.
try update >&2 || echo "fetch-kernel: not all lists of $suites could be had" >&2
names=$(apt-cache "${private[@]}" pkgnames linux-)
# The newest first, and then what testing may still have when the newest of unstable is gone.
releases=$(sed -nE "s/^linux-image-(${series//./\\.}[.-].*-amd64)\$/\1/p" <<<"$names" | grep -vE -- '-(rt|cloud)-amd64$' | sort -rV | head -n 3 || true)
release=''
for candidate in $releases; do
    mapfile -t wanted < <(packages "$candidate")
    echo "fetch-kernel: downloading ${wanted[*]}" >&2
    if try download "${wanted[@]}" >&2; then
        release=$candidate
        break
    fi
    find "$work/archives" -name '*.deb' -delete
done
[ -n "$release" ] || {
    echo "fetch-kernel: the mirror offers no linux-image package for $series in $suites${releases:+ that can be downloaded}" >&2
    exit "$not_given"
}
for deb in "$work"/archives/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done

staged=$work/staged
mkdir -p "$staged/lib/modules/$release"
vmlinuz=$(find "$work/unpacked" -name 'vmlinuz*' -type f -print -quit)
[ -n "$vmlinuz" ] || {
    echo "fetch-kernel: there is no vmlinuz in ${wanted[*]}" >&2
    exit 1
}
mv "$vmlinuz" "$staged/vmlinuz"
# Depending on the package, under /lib or /usr/lib, or parts under each.
for modules in "$work"/unpacked/{,usr/}lib/modules/"$release"; do
    [ ! -d "$modules" ] || cp -al "$modules/." "$staged/lib/modules/$release/"
done
depmod -b "$staged" "$release"
echo "$release" >"$staged/release"
rm -rf "$out"
mv "$staged" "$out"
echo "$out"
