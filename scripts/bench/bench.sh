#!/usr/bin/env bash
# All benchmarks: here, and in a virtual machine for each kernel of BENCH_KERNELS; then docs/performance.md.
#
#   scripts/bench/bench.sh [BASE]
#
# BASE: a commit to compare with; it is checked out and built below build/bench. In the environment:
#
#   BENCH_PAGE, BENCH_OUT            the page, and the folder of numbers and charts (docs/performance.md, docs/performance)
#   BENCH_KERNELS                    series of virtual machines (6.12; empty: none)
#   BENCH_GROUPS, BENCH_KINDS        what is measured: cost,events,start,memory,growth,show; pingpong,bulk,connect,udp
#   BENCH_SECONDS, BENCH_VM_SECONDS  of one run of a load (1; 0.5)
#   BENCH_RUNS, BENCH_VM_RUNS        runs of what is compared, and half of the starts (3; 1)
#   BENCH_FLOWS, BENCH_VM_FLOWS      flows of the events (1,2,8; 1,2)
#   BENCH_SHOW_MB, BENCH_VM_SHOW_MB  size of the file that is shown (50; 3)
#   BENCH_BACKENDS                   backends whose cost is measured beside the default one (none)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

base=${1:-}
out=${BENCH_OUT:-docs/performance}
common=(--commit "$(git describe --always --dirty)" --kinds "${BENCH_KINDS:-pingpong,bulk,connect,udp}"
    --groups "${BENCH_GROUPS:-cost,events,start,memory,growth,show}" --backends "${BENCH_BACKENDS:-}")
here=(--seconds "${BENCH_SECONDS:-1}" --runs "${BENCH_RUNS:-3}" --flows "${BENCH_FLOWS:-1,2,8}"
    --show-mb "${BENCH_SHOW_MB:-50}")
machine=(--seconds "${BENCH_VM_SECONDS:-0.5}" --runs "${BENCH_VM_RUNS:-1}" --flows "${BENCH_VM_FLOWS:-1,2}"
    --show-mb "${BENCH_VM_SHOW_MB:-3}")
mkdir -p build/bench "$out"
out=$(realpath "$out")

if [ -n "$base" ]; then
    commit=$(git rev-parse --verify --quiet "$base^{commit}") || {
        echo "bench: there is no commit '$base'" >&2
        exit 2
    }
    tree=build/bench/base-$commit
    [ -d "$tree" ] || git worktree add --detach "$tree" "$commit"
    make -C "$tree" build
    common+=(--base "$tree/dist/cli.js")
fi

node scripts/bench/bench.mjs "${common[@]}" "${here[@]}" --results "$out/host.json"
files=("$out/host.json")
for series in ${BENCH_KERNELS-6.12}; do
    scripts/vm/run.sh "$series" --timeout 3600 --results "$out" -- \
        node scripts/bench/bench.mjs "${common[@]}" "${machine[@]}" --results "$out/vm-$series.json"
    files+=("$out/vm-$series.json")
done
node scripts/bench/report.mjs "${BENCH_PAGE:-docs/performance.md}" "$out" "${files[@]}"
