# The one entry point. `make run ARGS="-P 8000"` builds and traces, `make test` tests everything; both first
# install what is missing.
#
#   setup          install what building and running takes         build          everything that runs
#   run            build, then nettrace $(ARGS)                     install        under $(PREFIX); uninstall
#   test           all suites, here and on KERNELS                  check          types, lint, format, generated files
#   test-unit test-native test-host test-package                    test-kernels   in virtual machines, on KERNELS
#   generate       files made from the probe table and the BTF      format         rewrite the sources in the house's style
#   pack           the npm package                                  asan           the addon's suite under AddressSanitizer
#   clean          remove what was built

ARGS ?= -P 8000
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
ADDON := native/build/bpf_loader.node
DIST := build/dist.stamp
GENERATED := build/generated.stamp
BPF_C_FILES = $(wildcard bpf/*.c bpf/*.h native/src/*.cc native/src/*.h native/test/fixtures/*.c)

.PHONY: all setup setup-test build addon run generate test test-unit test-native test-host test-kernels test-package \
	check check-types check-lint check-format check-generated format install uninstall pack asan clean
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
$(GENERATED): $(wildcard scripts/generate.mjs scripts/generate/* bpf/*.h bpf/*.c bpf/*.yaml src/types.ts) $(MODULES) | addon
	@mkdir -p build
	CLANG=$(CLANG) $(NODE) scripts/generate.mjs
	@touch $@

generate: $(GENERATED)

# Line information names sources as in the tree, wherever that lies.
BPF_CFLAGS := -O2 -g -Wall -Werror -target bpf -Ibpf -ffile-prefix-map=$(CURDIR)=. \
	-isystem /usr/include/$(shell $(CXX) -print-multiarch 2>/dev/null)
dist/bpf/nettrace.x86_64.bpf.o: BPF_CFLAGS += -D__TARGET_ARCH_x86
dist/bpf/nettrace.arm64.bpf.o: BPF_CFLAGS += -D__TARGET_ARCH_arm64

$(OBJECTS): dist/bpf/nettrace.%.bpf.o: bpf/nettrace.bpf.c Makefile | setup
	@mkdir -p dist/bpf build/bpf
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF build/bpf/$*.d -MT $@ -c $< -o $@
	$(LLVM_STRIP) -g $@

-include $(wildcard build/bpf/*.d)

$(DIST): $(shell find src -name '*.ts' 2>/dev/null) tsconfig.json tsconfig.build.json package.json $(MODULES) $(GENERATED)
	@mkdir -p dist build
	@find dist -mindepth 1 -maxdepth 1 ! -name bpf -exec rm -rf {} +
	$(BIN)/tsc -p tsconfig.build.json
	@chmod +x dist/cli.js
	@touch $@

addon: $(MODULES) | setup
	@$(MAKE) -s -q -C native all || $(MAKE) --no-print-directory -C native all

build: $(OBJECTS) $(DIST) addon

run: build
	@$(NODE) dist/cli.js $(ARGS)

# TEST_ARGS goes to scripts/test-all.mjs.
test: setup-test build
	@$(MAKE) --no-print-directory -C native fixtures
	@$(NODE) scripts/test-all.mjs --unit --native --host --package --kernels "$(KERNELS)" --jobs $(JOBS) $(TEST_ARGS)

test-kernels: setup-test build
	@$(MAKE) --no-print-directory -C native fixtures
	@$(NODE) scripts/test-all.mjs --kernels "$(KERNELS)" --jobs $(JOBS) $(TEST_ARGS)

test-native: setup-test build
	@$(MAKE) --no-print-directory -C native fixtures
	@$(NODE) scripts/test-all.mjs --native $(TEST_ARGS)

test-unit test-host test-package: test-%: setup-test build
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
	$(ADDON) bpf/LICENSE node_modules/commander

install: build
	rm -rf $(LIB)
	mkdir -p $(LIB) $(DESTDIR)$(PREFIX)/bin
	cp -r --parents $(wildcard $(INSTALLED)) $(LIB)
	ln -sf ../lib/nettrace/dist/cli.js $(DESTDIR)$(PREFIX)/bin/nettrace

uninstall:
	rm -rf $(LIB) $(DESTDIR)$(PREFIX)/bin/nettrace

pack: build
	$(NPM) pack --ignore-scripts --pack-destination .

asan: setup-test $(MODULES)
	@$(MAKE) --no-print-directory -C native asan

clean:
	rm -rf build dist
	$(MAKE) --no-print-directory -C native clean
