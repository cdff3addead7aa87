#!/usr/bin/env bash
# Makes sure that what the Makefile calls is there, and installs what is missing on Debian and Ubuntu.
#
#   scripts/setup.sh run      what building and running nettrace takes
#   scripts/setup.sh test     that, and what the tests and checks take
#
# Does nothing, and says nothing, where all is there already.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# A package, and the command, file or library that shows on other distributions that its like is there.
run_needs='
clang            clang
llvm             llvm-strip
libbpf-dev       /usr/include/bpf/bpf_helpers.h
libpcap0.8       libpcap.so
libelf-dev       /usr/include/libelf.h
zlib1g-dev       /usr/include/zlib.h
g++              g++
make             make
'
test_needs='
clang-format     clang-format
qemu-system-x86  qemu-system-x86_64
busybox-static   busybox
cpio             cpio
kmod             depmod
xz-utils         xz
zstd             zstd
bpftool          bpftool
iproute2         ip
ethtool          ethtool
nftables         nft
iptables         iptables
tcpdump          tcpdump
tshark           tshark
iputils-ping     ping
iputils-arping   arping
netcat-openbsd   nc
python3-scapy    /usr/lib/python3/dist-packages/scapy/__init__.py
jq               jq
man-db           man
mandoc           mandoc
zsh              zsh
fish             fish
'

case ${1:-} in
run) needs=$run_needs ;;
test) needs=$run_needs$test_needs ;;
*)
    echo 'usage: scripts/setup.sh run|test' >&2
    exit 2
    ;;
esac

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

command -v node >/dev/null || fail 'Node.js is missing: install version 20 or newer, with npm (https://nodejs.org/en/download)'
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    fail "Node.js 20 or newer is needed, and $(command -v node) is $(node --version) (https://nodejs.org/en/download)"
command -v npm >/dev/null || fail "npm is missing beside $(command -v node): install it"

debian() {
    [ -r /etc/os-release ] || return 1
    (. /etc/os-release && [[ " ${ID:-} ${ID_LIKE:-} " =~ \ (debian|ubuntu)\  ]]) && command -v apt-get >/dev/null
}
missing=()
while read -r package sign; do
    [ -n "$package" ] || continue
    if debian; then
        # libraries whose time_t became longer have another name, and provide the former one
        [[ $(dpkg-query -W -f '${db:Status-Status} ' "$package" "${package}t64" 2>/dev/null) =~ ^installed\ |\ installed\  ]] ||
            missing+=("$package")
    elif [[ $sign = /* ]]; then
        [ -e "$sign" ] || missing+=("$package")
    elif [[ $sign = *.so ]]; then
        [[ $(ldconfig -p) = *"$sign"* ]] || missing+=("$package")
    else
        command -v "$sign" >/dev/null || missing+=("$package")
    fi
done <<<"$needs"
[ ${#missing[@]} -gt 0 ] || exit 0

debian || fail "these are missing; their names on Debian are: ${missing[*]}" \
    'install what your distribution has for them, then call this again'
[ "$(id -u)" = 0 ] || fail "not root, and these packages are missing: ${missing[*]}" \
    "as root: apt-get install ${missing[*]}"

echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}")
# Package lists that are missing or too old for the mirror are the usual reasons to fail.
apt-cache show --no-all-versions "${missing[@]}" >/dev/null 2>&1 && "${install[@]}" >/dev/null || {
    echo 'setup: updating the package lists'
    apt-get update -qq
    "${install[@]}" >/dev/null
} || fail "apt could not install ${missing[*]}; what it said is above"
