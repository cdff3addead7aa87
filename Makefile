# The one entry point. `make run ARGS="-P 8000"` builds and traces, `make test` tests everything; both first
# install what is missing.
#
#   setup          install what building and running takes         build          everything that runs
#   run            build, then nettrace $(ARGS)                     install        under $(PREFIX); uninstall
#   test           all suites, here and on KERNELS                  check          types, lint, format, generated files
#   test-unit test-native test-host test-package                    test-kernels   in virtual machines, on KERNELS
#   generate       what is made from tables, types and options      format         rewrite the sources in the house's style
#   docs-cases     docs/cases.md, from cases that are played and recorded on DOCS_KERNEL
#   pack           the npm package                                  asan           the addon's suite under AddressSanitizer
#   bench          docs/performance.md, measured here and on BENCH_KERNELS; BASE=COMMIT compares (scripts/bench/bench.sh)
#   clean          remove what was built

ARGS ?= -P 8000
DOCS_KERNEL ?= 6.12
KERNELS ?= 5.10 6.1 6.12 6.18 7.2
# How many virtual machines at once.
JOBS ?= 1
PREFIX ?= /usr/local
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
NODE ?= node
NPM ?= npm

BIN := node_modules/.bin
MODULES := node_modules/.package-lock.json
OBJECTS := dist/bpf/nettrace.x86_64.bpf.o dist/bpf/nettrace.arm64.bpf.o
# The same on every machine: they look at no registers and no structs of the kernel.
REPRO_OBJECTS := dist/bpf/xdp-drop.bpf.o dist/bpf/taker.bpf.o
ADDON := native/build/bpf_loader.node
DIST := build/dist.stamp
GENERATED := build/generated.stamp
BPF_C_FILES = $(wildcard bpf/*.c bpf/*.h test/support/*.c native/src/*.cc native/src/*.h native/test/fixtures/*.c \
	scripts/bench/*.c)

.PHONY: all setup setup-test build addon run generate test test-unit test-native test-host test-kernels test-package \
	docs-cases check check-types check-lint check-format check-generated format install uninstall pack asan bench clean
.DELETE_ON_ERROR:
.SUFFIXES:

all: build

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

# npm keeps this file in step with what it installed.
$(MODULES): package-lock.json package.json native/package.json | setup
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

# The generator reads BTF with the addon. It leaves a file alone that would not change, so this rebuilds nothing.
$(GENERATED): $(wildcard scripts/generate.mjs scripts/generate/* bpf/*.h bpf/*.c bpf/*.yaml src/*types.ts src/*/types.ts src/repro/result.ts \
		src/commands/*.ts src/explain/causes/*.ts src/options.ts src/load/backend-names.ts package.json) \
		$(MODULES) | addon
	@mkdir -p build
	CLANG=$(CLANG) $(NODE) scripts/generate.mjs
	@touch $@

generate: $(GENERATED)

# Each time another recording; so no check makes it again, but a test looks that each case is in it.
docs-cases: setup-test build
	@rm -rf build/docs-cases
	scripts/vm/run.sh $(DOCS_KERNEL) --timeout 1200 --results build/docs-cases -- \
		$(NODE) dist/cli.js repro all --set machine=1 --json -o $(CURDIR)/build/docs-cases/cases.ndjson
	$(NODE) scripts/generate-cases.mjs build/docs-cases/cases.ndjson

# Line information names sources as in the tree, wherever that lies.
BPF_CFLAGS := -O2 -g -Wall -Werror -target bpf -Ibpf -ffile-prefix-map=$(CURDIR)=. \
	-isystem /usr/include/$(shell $(CXX) -print-multiarch 2>/dev/null)
dist/bpf/nettrace.x86_64.bpf.o: BPF_CFLAGS += -D__TARGET_ARCH_x86
dist/bpf/nettrace.arm64.bpf.o: BPF_CFLAGS += -D__TARGET_ARCH_arm64

$(OBJECTS): dist/bpf/nettrace.%.bpf.o: bpf/nettrace.bpf.c Makefile | setup
	@mkdir -p dist/bpf build/bpf
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF build/bpf/$*.d -MT $@ -c $< -o $@
	$(LLVM_STRIP) -g $@

$(REPRO_OBJECTS): dist/bpf/%.bpf.o: bpf/%.bpf.c Makefile | setup
	@mkdir -p dist/bpf
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(LLVM_STRIP) -g $@

-include $(wildcard build/bpf/*.d)

FIXTURE := build/fixtures/filter-fixture.bpf.o
$(FIXTURE): test/support/filter-fixture.bpf.c $(wildcard bpf/*.h) Makefile | setup
	@mkdir -p build/fixtures
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(LLVM_STRIP) -g $@

BENCH_PROGRAMS := build/bench/load build/bench/count-records

$(DIST): $(shell find src -name '*.ts' 2>/dev/null) tsconfig.json tsconfig.build.json scripts/bundle.mjs package.json \
		$(MODULES) $(GENERATED)
	@mkdir -p dist build
	@find dist -mindepth 1 -maxdepth 1 ! -name bpf -exec rm -rf {} +
	$(BIN)/tsc -p tsconfig.build.json
	$(NODE) scripts/bundle.mjs
	@chmod +x dist/cli.js
	@touch $@

addon: $(MODULES) | setup
	@$(MAKE) -s -q -C native all || $(MAKE) --no-print-directory -C native all

build: $(OBJECTS) $(REPRO_OBJECTS) $(DIST) addon

run: build
	@$(NODE) dist/cli.js $(ARGS)

# TEST_ARGS goes to scripts/test-all.mjs.
test: setup-test build $(FIXTURE) $(BENCH_PROGRAMS)
	@$(MAKE) --no-print-directory -C native fixtures
	@$(NODE) scripts/test-all.mjs --unit --native --host --package --kernels "$(KERNELS)" --jobs $(JOBS) $(TEST_ARGS)

test-kernels: setup-test build $(FIXTURE)
	@$(MAKE) --no-print-directory -C native fixtures
	@$(NODE) scripts/test-all.mjs --kernels "$(KERNELS)" --jobs $(JOBS) $(TEST_ARGS)

test-native: setup-test build
	@$(MAKE) --no-print-directory -C native fixtures
	@$(NODE) scripts/test-all.mjs --native $(TEST_ARGS)

test-unit test-host test-package: test-%: setup-test build $(FIXTURE) $(BENCH_PROGRAMS)
	@$(NODE) scripts/test-all.mjs --$* $(TEST_ARGS)

check: setup-test $(MODULES) addon
	@$(NODE) scripts/test-all.mjs --checks $(TEST_ARGS)

check-types: $(MODULES)
	$(BIN)/tsc --noEmit

check-lint: $(MODULES)
	$(BIN)/biome lint --error-on-warnings

check-format: $(MODULES)
	$(BIN)/biome format
	clang-format --dry-run -Werror $(BPF_C_FILES)

check-generated: $(MODULES) addon
	CLANG=$(CLANG) $(NODE) scripts/generate.mjs --check

format: setup-test $(MODULES)
	$(BIN)/biome format --write
	clang-format -i $(BPF_C_FILES)

LIB = $(DESTDIR)$(PREFIX)/lib/nettrace
INSTALLED := package.json README.md LICENSE dist schema native/index.js native/index.d.ts native/package.json \
	$(ADDON) bpf/LICENSE node_modules/commander node_modules/amaro
SHARE = $(DESTDIR)$(PREFIX)/share
MAN_PAGE = $(SHARE)/man/man1/nettrace.1
# Each shell looks for a file of a name of its own.
BASH_COMPLETION = $(SHARE)/bash-completion/completions/nettrace
ZSH_COMPLETION = $(SHARE)/zsh/site-functions/_nettrace
FISH_COMPLETION = $(SHARE)/fish/vendor_completions.d/nettrace.fish

install: build
	rm -rf $(LIB)
	mkdir -p $(LIB) $(DESTDIR)$(PREFIX)/bin
	cp -r --parents $(wildcard $(INSTALLED)) $(LIB)
	ln -sf ../lib/nettrace/dist/cli.js $(DESTDIR)$(PREFIX)/bin/nettrace
	install -D -m 644 man/nettrace.1 $(MAN_PAGE)
	install -D -m 644 completions/nettrace.bash $(BASH_COMPLETION)
	install -D -m 644 completions/_nettrace $(ZSH_COMPLETION)
	install -D -m 644 completions/nettrace.fish $(FISH_COMPLETION)

uninstall:
	rm -rf $(LIB) $(DESTDIR)$(PREFIX)/bin/nettrace \
		$(MAN_PAGE) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)

pack: build
	$(NPM) pack --ignore-scripts --pack-destination .

asan: setup-test $(MODULES)
	@$(MAKE) --no-print-directory -C native asan

# libbpf is linked statically, as in the addon.
build/bench/%: scripts/bench/%.c Makefile | setup
	@mkdir -p build/bench
	$(CC) -O2 -Wall -Wextra -Werror $< -o $@ $(BENCH_LIBS)
build/bench/count-records: BENCH_LIBS := -Wl,-Bstatic -lbpf -Wl,-Bdynamic -lelf -lz

bench: setup-test build $(BENCH_PROGRAMS)
	scripts/bench/bench.sh $(BASE)

clean:
	rm -rf build dist
	$(MAKE) --no-print-directory -C native clean
