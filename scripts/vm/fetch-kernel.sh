#!/usr/bin/env bash
# Fetches one of Debian's kernels by its series and unpacks it, without installing it.
#
#   scripts/vm/fetch-kernel.sh 6.12        prints the folder: vmlinuz, release, lib/modules/RELEASE, initramfs modules
#
# The packages come from the mirror that this machine's apt already uses, through a private apt root,
# so that the machine's own package lists stay as they are. Results are cached outside the tree.
set -euo pipefail

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

case $series in
5.10) suites="bullseye bullseye-security" ;;
6.1) suites="bookworm bookworm-security" ;;
6.12) suites="trixie trixie-security" ;;
6.18) suites="trixie-backports" ;;
7.2) suites="sid" ;;
*)
    echo "fetch-kernel: no suite is known for the kernel series '$series'" >&2
    exit 2
    ;;
esac

# On the same file system as the result, so that files move instead of being copied.
work=$(mktemp -d "$cache/.fetch-$series-XXXXXX")
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | awk '/\/debian\/?$/ && !found++')
[ -n "$mirror" ] || {
    echo "fetch-kernel: apt's sources on this machine name no Debian mirror (an address that ends in /debian)" >&2
    exit 1
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work"/{lists/partial,archives/partial,unpacked,none}
: >"$work/status"
for suite in $suites; do
    case $suite in
    *-security) echo "deb [signed-by=$keyring] ${mirror%/}-security $suite main" ;;
    *) echo "deb [signed-by=$keyring] $mirror $suite main" ;;
    esac
done >"$work/sources.list"
private=(-o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/none" -o "Dir::State=$work"
    -o "Dir::State::status=$work/status" -o "Dir::Cache=$work" -o Dir::Etc::Preferences=/dev/null
    -o "Dir::Etc::PreferencesParts=$work/none" -o Acquire::Languages=none -o APT::Sandbox::User=root -qq)

echo "fetch-kernel: looking for Linux $series in $suites" >&2
apt-get "${private[@]}" update >&2
names=$(apt-cache "${private[@]}" pkgnames linux-)
image=$(grep -E "^linux-image-${series//./\\.}[.-].*-amd64\$" <<<"$names" | grep -vE -- '-(rt|cloud)-amd64$' | sort -V | tail -n 1)
[ -n "$image" ] || {
    echo "fetch-kernel: the mirror offers no linux-image package for $series in $suites" >&2
    exit 1
}
release=${image#linux-image-}
wanted=("$image")
# From 7.x on the image is split: the files are in these, and linux-base-* has modules.builtin.
for part in "linux-binary-$release" "linux-modules-$release" "linux-base-$release"; do
    ! grep -qxF "$part" <<<"$names" || wanted+=("$part")
done
echo "fetch-kernel: downloading ${wanted[*]}" >&2
(cd "$work/archives" && apt-get "${private[@]}" download "${wanted[@]}" >&2)
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
depmod -b "$staged" "$release" 2>/dev/null
echo "$release" >"$staged/release"
rm -rf "$out"
mv "$staged" "$out"
echo "$out"
