# Thin wrappers: every target is one or two commands that also work by hand. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Python 3.11: the newest that every runtime has wheels for. Another one: make PYTHON=/path/to/python3.11 …
ifndef PYTHON
PYTHON = $(shell for p in python3.11 python3; do "$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo "$$p" && break; done)
endif
MODEL ?= mnist_cnn
DEVICE ?= cpu
VENV := .venv
LEGACY := .venv-legacy
BIN := $(VENV)/bin
SCHEMATHESIS := .venv-schemathesis
PINS := pyproject.toml edge/pyproject.toml constraints.txt
# pip leaves compiling to the first import (a third of the installation time), so Python must be free to write what it compiled.
PIP := -m pip --disable-pip-version-check install -qq --no-input --no-compile
NEEDS_PYTHON = "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	|| { echo "Tandem is developed on Python 3.11 and none was found: install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 6; }
# Two processes share the test files; one thread each, since numerical libraries that compete for cores spin.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
unexport PYTHONDONTWRITEBYTECODE
export BENTOML_DO_NOT_TRACK := True

##@ Set up
.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: install
install: dev ## Install everything into .venv, TensorFlow, trees and the development tools included

# What the demo needs: training, export, serving, and the oldest device runtime in its own environment. Both install at once.
.PHONY: road
road:
	@$(MAKE) -sj2 $(VENV)/.road $(LEGACY)/.runtime
	@$(MAKE) -s $(LEGACY)/.ready

##@ The road
.PHONY: demo train train-all zoo export export-thirdparty serve
demo: road ## Train, export, prove, serve and run one model on the edge; ends with a table
	@$(BIN)/python scripts/demo.py

train: road ## Train MODEL (default mnist_cnn)
	@$(BIN)/tandem train $(MODEL)

train-all: dev ## Train and export every model, and write docs/zoo.md; goes on where it was interrupted
	@$(BIN)/python scripts/zoo.py --train

zoo: dev ## Write docs/zoo.md from the models that are trained and exported here
	@$(BIN)/python scripts/zoo.py

export: road ## Export MODEL to a released bundle under bundles/
	@$(BIN)/tandem export $(MODEL)

export-thirdparty: dev ## Export models that nobody here wrote, and write docs/third-party.md
	@$(BIN)/python scripts/thirdparty.py

serve: road ## Serve the released bundles on 127.0.0.1:3000
	@$(BIN)/tandem serve

##@ Check
.PHONY: dev test test-pi pi ci ci-full fuzz-api fuzz-requests lint format types fences
dev: road
	@$(MAKE) -s $(VENV)/.dev

test: lint types fences ## Install what the tests need, then lint, types, fences and pytest with coverage
	@$(PYTEST) --cov

test-pi: dev ## Hold three models on emulated Raspberry Pis against this machine, bit for bit; 2 minutes, needs QEMU; keeps 420 MB in the cache
	@$(BIN)/python scripts/emulated_pi.py build bookworm >/dev/null
	@$(PYTEST) -m "pi and not slow" tests/test_emulated_pi.py

pi: dev ## Compare what docs/emulated-pi.md does not show yet, every released model on every system, and write it; hours where all is new
	@$(BIN)/python scripts/emulated_pi.py prove --every-system --new --page
	@$(BIN)/python scripts/emulated_pi.py memory --page

ci: test test-pi ## What a change has to pass: test, then test-pi

ci-full: lint types fences $(SCHEMATHESIS)/.ready ## Every test, the slow ones included
	@HYPOTHESIS_PROFILE=thorough $(PYTEST) --cov -m "slow or not slow"

fuzz-api: dev $(SCHEMATHESIS)/.ready ## Ask a running server for everything that its OpenAPI describes, and for what it does not
	@$(BIN)/python -m pytest -q --no-cov -m slow tests/serving_tests/test_schemathesis.py

fuzz-requests: dev ## Feed a million mutated requests to what reads them
	@$(BIN)/python scripts/fuzz_requests.py

lint: dev ## Check style and format
	@echo "ruff"; $(BIN)/ruff check -q --output-format concise . && $(BIN)/ruff format -q --check .

format: dev ## Mend what can be mended
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

types: dev ## Check types: everything for Python 3.11, edge for 3.9 too
	@echo "mypy, Python 3.11"; $(BIN)/mypy --no-error-summary
	@echo "mypy, Python 3.9, edge"; $(BIN)/mypy --no-error-summary --config-file edge/pyproject.toml --python-executable $(LEGACY)/bin/python edge

fences: dev ## Check who imports whom
	@echo "import-linter"; out=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$out"; exit 1; }

.PHONY: bench
bench: dev ## Measure serving against its peers on DEVICE (default cpu), and write docs/performance.md; 15 minutes
	@$(BIN)/python -m benchmarks.serving --device $(DEVICE)

##@ Build
.PHONY: wheel bento clean distclean
wheel: dev ## Build the edge wheel into dist/
	@rm -rf edge/build dist/tandem_edge-*
	@$(BIN)/python -m pip wheel -qq --no-deps --no-build-isolation -w dist ./edge; rm -rf edge/build; ls -l dist/tandem_edge-*

bento: road ## Build the BentoML service offline
	@$(BIN)/bentoml build

clean: ## Remove what was built and cached by tools; keep environments, data and bundles
	@rm -rf build dist edge/build *.egg-info edge/*.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

distclean: clean ## Remove everything that can be made again: environments, data cache, runs and bundles
	@rm -rf $(VENV) $(LEGACY) $(SCHEMATHESIS) .venv-bench .cache runs bundles pairs

# The environments. A stamp is as new as the pins it was made from, so a second call installs nothing.
$(VENV)/.base: constraints.txt
	@$(NEEDS_PYTHON)
	@[ -x $(BIN)/python ] || { echo "$(VENV): creating"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python $(PIP) -c constraints.txt --upgrade pip setuptools; touch $@

$(VENV)/.road: $(VENV)/.base $(PINS)
	@echo "$(VENV): installing edge, train, export, serve (2.5 GB, about a minute)"
	@$(BIN)/python $(PIP) --no-build-isolation -c constraints.txt -e ./edge -e ".[train,export,serve]"; touch $@

$(VENV)/.dev: $(VENV)/.road
	@echo "$(VENV): installing TensorFlow, trees and the development tools (1.5 GB)"
	@$(BIN)/python $(PIP) --no-build-isolation -c constraints.txt -e ".[keras,trees,tensorboard,mlflow,sweep,control,words,huggingface,dev]"; touch $@

$(LEGACY)/.runtime: constraints-legacy.txt
	@$(NEEDS_PYTHON)
	@[ -x $(LEGACY)/bin/python ] || { echo "$(LEGACY): creating"; $(PYTHON) -m venv $(LEGACY); }
	@echo "$(LEGACY): installing tflite-runtime 2.14"
	@$(LEGACY)/bin/python $(PIP) -c constraints-legacy.txt --upgrade pip
	@$(LEGACY)/bin/python $(PIP) -c constraints-legacy.txt --upgrade setuptools tflite-runtime numpy pillow; touch $@

# After .road: two editable builds of edge/ at once would write the same files.
$(LEGACY)/.ready: $(LEGACY)/.runtime $(VENV)/.road
	@$(LEGACY)/bin/python $(PIP) --no-build-isolation -c constraints-legacy.txt -e "./edge[tflite-legacy,image]"; touch $@

$(SCHEMATHESIS)/.ready: constraints-schemathesis.txt
	@$(NEEDS_PYTHON)
	@[ -x $(SCHEMATHESIS)/bin/python ] || { echo "$(SCHEMATHESIS): creating"; $(PYTHON) -m venv $(SCHEMATHESIS); }
	@$(SCHEMATHESIS)/bin/python $(PIP) -c constraints-schemathesis.txt schemathesis; touch $@
