#!/usr/bin/env bash
# Fetches one of Debian's kernels by its series and unpacks it, without installing it.
#
#   scripts/vm/fetch-kernel.sh 6.12        prints the folder: vmlinuz, release, lib/modules/RELEASE, initramfs modules
#
# The packages come from the mirror that this machine's apt already uses, through a private apt root,
# so that the machine's own package lists stay as they are. Results are cached outside the tree.
#
# Exit code 3: the mirror did not give a kernel of a series that is in moving suites only (testing, unstable), where a
# newer one takes its place some day.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

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
    -o "Dir::Etc::PreferencesParts=$work/none" -o Acquire::Languages=none -o APT::Sandbox::User=root
    -o APT::Update::Error-Mode=any -qq)

try() { # COMMAND...: a mirror may be busy for a while
    local pause
    for pause in 5 20 60 0; do
        ! "$@" || return 0
        [ "$pause" = 0 ] || sleep "$pause"
    done
    return 1
}

update() {
    apt-get "${private[@]}" update
}

packages() { # RELEASE: the image and, from 7.x on, where it is split, the packages that have the files
    local part
    for part in image binary modules base; do
        ! grep -qxF "linux-$part-$1" <<<"$names" || echo "linux-$part-$1"
    done
}

download() { # PACKAGE...
    (cd "$work/archives" && apt-get "${private[@]}" download "$@")
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
