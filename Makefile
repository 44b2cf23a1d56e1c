# Two commands do everything: `make demo` and `make test`. Both install what they need inside this
# folder (pinned pnpm and Node from the npm registry) and never touch the machine.
SHELL := /bin/sh
ROOT := $(CURDIR)
NODE = $(shell sh scripts/node-path.sh)
export npm_config_cache := $(ROOT)/.cache/npm

.DEFAULT_GOAL := help
.PHONY: help setup build lint format format-check c-format-check types prose check commits test taint mutation conformance demo example debug interop frameworks python-lock bench detect flows docs sbom analyse audit image image-repro image-context image-container host-image image-lock vm-test vm-e2e vm-demo hostile clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## install the pinned toolchain and packages (skipped when the lockfile has not changed)
	@sh scripts/setup.sh

build: setup ## bundle the enclave and the command line
	@$(NODE) scripts/build.ts

lint: setup
	@$(NODE) node_modules/oxlint/bin/oxlint --type-aware --deny-warnings

format: setup ## let the formatter lay out TypeScript and, where clang-format is installed, C
	@$(NODE) node_modules/@biomejs/biome/bin/biome format --write .
	@if command -v clang-format >/dev/null; then git ls-files '*.c' '*.h' | xargs clang-format -i; else echo "format: C is left alone, as clang-format is missing (apt-get install clang-format)"; fi

format-check: setup
	@$(NODE) node_modules/@biomejs/biome/bin/biome format .

c-format-check: ## fail when clang-format would lay out C differently (needs clang-format 14)
	@command -v clang-format >/dev/null || { echo "clang-format is missing: apt-get install clang-format" >&2; exit 1; }
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror

types: setup
	@$(NODE) node_modules/typescript/bin/tsc -p tsconfig.json --incremental --tsBuildInfoFile .cache/tsc.json
	@$(NODE) node_modules/typescript/bin/tsc -p packages/cli/page

prose: setup ## sentences and words of every Markdown page
	@git ls-files '*.md' | xargs $(NODE) node_modules/textlint/bin/textlint.js --cache --cache-location .cache/textlint.json

commits: setup ## subject and body of each commit
	@$(NODE) scripts/commit-check.ts

check: format-check lint types prose ## layout, lint, types and prose

test: check build ## layout, lint, types, prose and the tests that run in one process
	@$(NODE) scripts/test.ts fast

test-all: build ## the tests that make test leaves out, and only those: processes, browsers, long runs
	@$(NODE) scripts/test.ts rest

taint: build ## markers in every free place of every message (ARGS=--mutants: each guard of the call deleted in turn)
	@$(NODE) --disable-warning=ExperimentalWarning test/taint/main.ts $(ARGS)

mutation: setup ## mutants of the packages that decide and verify, against each package's own tests (ARGS="--seed=N --count=N --package=NAME")
	@$(NODE) --disable-warning=ExperimentalWarning test/mutation/main.ts $(ARGS)

conformance: build ## the official conformance suite, directly and through the gateway
	@$(NODE) --disable-warning=ExperimentalWarning test/conformance/main.ts

demo: build ## the main job on real servers, with a claim verified at the end
	@$(NODE) test/demo/demo.ts

example: build ## one example by itself: servers, gateway, agent and auditor (NAME=quickstart, resources-and-prompts, several-servers)
	@$(NODE) --disable-warning=ExperimentalWarning examples/run.ts $(NAME)

debug: build ## the quickstart with an enclave that a debugger attaches to (CONFIG=FILE: a deployment of yours)
	@CONFIG="$(CONFIG)" $(NODE) --disable-warning=ExperimentalWarning test/debug/main.ts

interop: build ## the public Python verifier and the TRACE conformance suite read our records (needs Python 3.11)
	@sh test/interop/run.sh

frameworks: build ## agent frameworks show their model what the gateway refuses, go on, make an approved call once, and call ten published servers (needs Python 3.11, npm)
	@sh test/frameworks/run.sh

python-lock: ## resolve the locks of the Python suites (ARGS=--upgrade: to the newest versions; needs Python 3.11)
	@sh test/python/lock.sh $(ARGS)

bench: build ## what the gateway costs, beside plain proxies (ARGS=--quick, ARGS="--only NAME,…", ARGS=--profile)
	@$(NODE) --disable-warning=ExperimentalWarning test/bench/main.ts $(ARGS)

flows: setup ## figures of the data flows that are found and missed
	@$(NODE) --disable-warning=ExperimentalWarning test/flows/main.ts

docs: setup ## rewrite the generated tables in docs/ from the code
	@$(NODE) scripts/write-reference.ts

sbom: build ## write the bill of materials to out/sbom.cdx.json
	@$(NODE) scripts/sbom.ts

detect: setup ## what the detectors find and miss, on named corpora (asks for one pinned package the first time)
	@sh scripts/detect/run.sh

analyse: ## static security analysis of our sources (needs Python 3.10)
	@sh scripts/analyse.sh

audit: setup ## ask the registry for advisories on what is shipped
	@sh scripts/audit.sh

image: build ## the measured image in out/image: kernel, initramfs, UKI, firmware, manifest (KEY=FILE signs it)
	@$(NODE) --disable-warning=ExperimentalWarning enclave-image/src/build/main.ts $(if $(KEY),--key $(KEY))

image-repro: setup ## build the image twice, in different folders at different times, and compare every byte
	@$(NODE) --disable-warning=ExperimentalWarning enclave-image/src/build/repro.ts

image-context: setup ## the folder that Dockerfile.enclave builds from
	@$(NODE) --disable-warning=ExperimentalWarning enclave-image/src/build/container-context.ts

image-container: image image-context ## build Dockerfile.enclave with buildah and compare every file with make image
	@$(NODE) --disable-warning=ExperimentalWarning enclave-image/src/build/container.ts

vm-test: setup ## boot the image of out/image under emulation and try it (needs make image; nothing is installed)
	@$(NODE) --disable-warning=ExperimentalWarning --test --test-concurrency=2 test/vm/*.vm.ts

vm-e2e: build ## the end-to-end tests with the enclave in that machine (ARGS=--whole: those that take long, too; ARGS=--test=NAME: by name; needs make image)
	@$(NODE) --disable-warning=ExperimentalWarning test/vm/e2e.ts $(ARGS)

vm-demo: setup ## the main job with the enclave in a virtual machine that a TPM measures (needs make image)
	@$(NODE) --disable-warning=ExperimentalWarning test/vm/demo.ts

hostile: build ## random schedules of a lying host against the enclave process (ARGS=--minutes=60, ARGS=--seed=N)
	@$(NODE) --disable-warning=ExperimentalWarning test/hostile/main.ts $(ARGS)

host-image: build ## a container image of the command line, tried from an empty folder (needs buildah)
	@command -v buildah >/dev/null || { echo "buildah is missing: apt-get install buildah" >&2; exit 1; }
	@$(NODE) --disable-warning=ExperimentalWarning test/pack/host-image.ts

image-lock: setup ## look up the current versions of the image's packages (needs apt)
	@$(NODE) enclave-image/src/lock/refresh.ts

clean: ## remove everything that was installed or built
	rm -rf .cache node_modules packages/*/node_modules host-proxy/node_modules enclave-image/node_modules attestation/node_modules examples/node_modules test/node_modules toolchain/node_modules out packages/*/dist
