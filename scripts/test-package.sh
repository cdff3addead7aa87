#!/usr/bin/env bash
# The npm package, and `make install`, give a nettrace that runs without a compiler: each is installed into an
# empty folder, where nothing of the tree but what it brought along is there, and started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(node -p 'require("./package.json").version')
# What a machine without a compiler has: node and the shell's own.
mkdir "$work/bin"
for tool in node npm env sh bash; do ln -s "$(command -v "$tool")" "$work/bin/$tool"; done

starts() { # NETTRACE
    local said
    said=$(PATH=$work/bin "$1" -V)
    [[ $said == *"$version"* ]] || {
        echo "test-package: $1 -V says '$said', not $version" >&2
        return 1
    }
    # The list of probes needs the addon and the kernel's BTF.
    PATH=$work/bin "$1" probes >"$work/probes"
    [ -s "$work/probes" ] || {
        echo "test-package: $1 probes says nothing" >&2
        return 1
    }
}

npm pack --silent --ignore-scripts --pack-destination "$work" >"$work/packed"
tarball=$work/$(tail -n 1 "$work/packed")
for file in dist/bpf/{nettrace.{x86_64,arm64},taker}.bpf.o dist/repro/index.js native/build/bpf_loader.node native/index.js dist/index.d.ts LICENSE \
    man/nettrace.1 completions/{nettrace.bash,_nettrace,nettrace.fish}; do
    tar -tzf "$tarball" | grep -x "package/$file" >/dev/null || {
        echo "test-package: $file is not in the package" >&2
        exit 1
    }
done
mkdir "$work/project"
(cd "$work/project" && PATH=$work/bin npm install --silent --prefer-offline --no-audit --no-fund "$tarball")
starts "$work/project/node_modules/.bin/nettrace"
(cd "$work/project" && node --input-type=module -e 'const { trace } = await import("nettrace"); if (typeof trace !== "function") throw new Error("nettrace exports no trace()");')

make -s install DESTDIR="$work/root" PREFIX=/usr/local
starts "$work/root/usr/local/bin/nettrace"
share=$work/root/usr/local/share
for file in man/man1/nettrace.1 bash-completion/completions/nettrace zsh/site-functions/_nettrace \
    fish/vendor_completions.d/nettrace.fish; do
    [ -s "$share/$file" ] || {
        echo "test-package: make install does not install $file" >&2
        exit 1
    }
done
make -s uninstall DESTDIR="$work/root" PREFIX=/usr/local
left=$(find "$work/root" ! -type d)
[ -z "$left" ] && [ ! -e "$work/root/usr/local/lib/nettrace" ] || {
    echo "test-package: make uninstall leaves $left" >&2
    exit 1
}
echo "the package and make install give a nettrace $version that runs"
