#!/usr/bin/env bash
# Runs a command on one of Debian's kernels, in a virtual machine that sees this machine's files.
#
#   scripts/vm/run.sh SERIES [-v] [--icount] [--append WORDS] [--timeout SECONDS] [--results DIR] -- [NAME=VALUE...] COMMAND [ARG...]
#
#   scripts/vm/run.sh 6.12 -- uname -r
#
# The command runs as root in the repository's folder. Every file of the host is there, at the same
# path; whatever the command writes is gone when it ends, except in the folder given with --results.
# Standard output, standard error and the exit code are the command's own.
#
#   -v                 the kernel's messages, on standard error
#   --icount           one CPU, whose clock goes on by a nanosecond with each instruction: slow, and whatever else this
#                      machine does, costs are the same in each run
#   --append WORDS     more for the kernel's command line
#   --timeout SECONDS  give up after so long (default 600), with exit code 124
#   --results DIR      a folder of the host that the command can write to, at the same path
#
# Exit code 125: the machine could not be started, or ended without the command's exit code.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
usage='usage: run.sh SERIES [-v] [--icount] [--append WORDS] [--timeout SECONDS] [--results DIR] -- [NAME=VALUE...] COMMAND [ARG...]'

fail() {
    echo "run.sh: $1" >&2
    exit 125
}

series=''
verbose=''
cpus=(-accel tcg,thread=multi,tb-size=1024 -smp 2)
append=''
timeout=600
results=''
while [ $# -gt 0 ]; do
    case $1 in
    -v) verbose=1 ;;
    --icount) cpus=(-accel tcg,thread=single,tb-size=1024 -icount shift=0,sleep=off -smp 1) ;;
    --append | --timeout | --results)
        [ $# -ge 2 ] || fail "$1 needs a value; $usage"
        case $1 in
        --append) append=$2 ;;
        --timeout) timeout=$2 ;;
        *) results=$2 ;;
        esac
        shift
        ;;
    --)
        shift
        break
        ;;
    -*) fail "unknown option $1; $usage" ;;
    *)
        [ -z "$series" ] || fail "one kernel series at a time, got '$series' and '$1'; $usage"
        series=$1
        ;;
    esac
    shift
done
[ -n "$series" ] && [ $# -gt 0 ] || fail "$usage"
[[ $timeout =~ ^[1-9][0-9]*$ ]] || fail "--timeout takes a number of seconds, got '$timeout'"
for tool in qemu-system-x86_64 busybox cpio modprobe; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || fail "$tool is not installed; scripts/setup.sh test installs what is needed"
done

kernel=$("$here/fetch-kernel.sh" "$series") || fail "there is no kernel to run for series $series"
mapfile -t qemu < <("$here/fetch-qemu.sh")
[ ${#qemu[@]} -gt 0 ] || fail 'there is no QEMU to run'
initramfs=$("$here/make-initramfs.sh" "$kernel") || fail "the initramfs for $series could not be built"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/nettrace-vm-$series.XXXXXX")
machine=''
readers=()
clean_up() {
    trap - EXIT HUP INT TERM
    if [ -n "$machine" ]; then
        kill "$machine" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    [ ${#readers[@]} -eq 0 ] || kill "${readers[@]}" 2>/dev/null || true
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'clean_up; exit 129' HUP
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

# What the guest has to know goes through a share of its own, and the exit code comes back there.
mkdir "$tmp/control"
mkfifo "$tmp/stdout" "$tmp/stderr"
shares=()
share() { # TAG PATH [,OPTIONS]
    shares+=(-virtfs "local,path=${2//,/,,},mount_tag=$1,security_model=none,multidevs=remap${3:-}")
}
share root / ,readonly=on
share control "$tmp/control"
if [ -n "$results" ]; then
    mkdir -p "$results"
    results=$(cd "$results" && pwd)
    share results "$results"
fi
quoted() { # each argument as a word of a POSIX shell
    local word
    for word; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}
{
    echo "repo=$(quoted "$repo")"
    echo "results=$(quoted "$results")"
    echo "modules=$(quoted "$kernel/lib/modules")"
} >"$tmp/control/settings"
# Not this PATH: a command is looked for in each of its folders, and each look there goes through 9p.
path=$(dirname "$(command -v node || echo /usr/bin/node)"):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
environment=("PATH=$path" "HOME=$HOME" USER=root LOGNAME=root SHELL=/bin/bash "TERM=${TERM:-dumb}"
    "LANG=${LANG:-C.UTF-8}" "NETTRACE_VM=$series" ${CI:+"CI=$CI"} ${results:+"NETTRACE_RESULTS=$results"})
# With its path, because the shell there is busybox, whose own env would run applets for programs.
echo "exec /usr/bin/env -i $(quoted "${environment[@]}" "$@")" >"$tmp/control/command"

cat <"$tmp/stdout" &
readers+=($!)
cat <"$tmp/stderr" >&2 &
readers+=($!)
console=$tmp/console
quiet=quiet
if [ -n "$verbose" ]; then
    mkfifo "$console"
    quiet=
    cat <"$console" >&2 &
    readers+=($!)
fi

# An emulated CPU moves one byte or word at a time in `rep movs` and `rep stos`, which kernel and C library take for quick
# where the CPU says so (erms, fsrm; rep_good, which is the kernel's own: 112): a third of the time that programs take to load.
# setpriv: should this script be killed outright, then the machine goes with it.
setpriv --pdeathsig TERM timeout --kill-after=5 "$timeout" setpriv --pdeathsig KILL "${qemu[@]}" \
    -machine q35,hpet=off,sata=off "${cpus[@]}" -cpu max,-erms,-fsrm -m 3G \
    -nodefaults -no-user-config -display none -no-reboot \
    -chardev "file,id=console,path=$console" -serial chardev:console \
    -device virtio-serial-pci \
    -chardev "file,id=stdout,path=$tmp/stdout" -device virtserialport,chardev=stdout \
    -chardev "file,id=stderr,path=$tmp/stderr" -device virtserialport,chardev=stderr \
    "${shares[@]}" -kernel "$kernel/vmlinuz" -initrd "$initramfs" \
    -append "console=ttyS0 $quiet panic=-1 tsc=reliable no_timer_check mitigations=off clearcpuid=112 $append" \
    </dev/null >"$tmp/qemu" 2>&1 &
machine=$!
status=0
wait "$machine" || status=$?
machine=''
if [ "$status" = 124 ] || [ "$status" = 137 ]; then
    echo "run.sh: the command did not end within $timeout seconds on Linux $series" >&2
    exit 124
fi
code=$(cat "$tmp/control/exit" 2>/dev/null || true)
if [ -z "$code" ]; then
    cat "$tmp/qemu" >&2
    [ -n "$verbose" ] || tail -n 40 "$console" >&2 || true
    fail "the machine with Linux $series ended without the command's exit code (the last messages are above; -v shows all)"
fi
wait "${readers[@]}" || true
readers=()
exit "$code"
