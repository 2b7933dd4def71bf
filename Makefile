# The whole developer interface; `make` without a target lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATASET ?= python-stdlib
.DEFAULT_GOAL := help
# Compiled modules are kept, even where the environment says otherwise: tests start hundreds of
# processes, and each would compile them again.
export PYTHONDONTWRITEBYTECODE :=

# The environment uses the Python given as PYTHON=...; one of another version is rebuilt.
version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifneq ($(origin PYTHON),file)
ifneq ($(call version,$(PYTHON)),$(call version,$(BIN)/python))
.PHONY: $(READY)
CLEAR := --clear
endif
endif

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "charmill needs Python 3.11 or newer; name it with make PYTHON=...")'
	test -z '$(CLEAR)' -a -x $(BIN)/python || $(PYTHON) -m venv $(CLEAR) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

.PHONY: run
run: $(READY) ## Run all stages of DATASET (default: python-stdlib)
	@$(BIN)/charmill run $(DATASET)

.PHONY: serve
serve: $(READY) ## Start Prefect's UI on this machine, with a pipeline per dataset
	@$(BIN)/charmill serve

.PHONY: test
test: $(READY) ## Run the default tests, a few minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

.PHONY: test-slow
test-slow: $(READY) ## Run the slow tests: fault injection, whole pipelines
	$(BIN)/python -m pytest -m slow

.PHONY: test-processors
test-processors: $(READY) ## Run the numerical tests as on other processors
	$(BIN)/python -m tests.processors

.PHONY: test-prefect
test-prefect: $(READY) ## Run the tests of the UI and its server with the oldest and newest Prefect
	$(BIN)/python -m tests.prefects

.PHONY: faults
faults: $(READY) ## Kill, starve and unplug it, and check that nothing is lost
	$(BIN)/python -m tests.faults

.PHONY: soak
soak: $(READY) ## Serve schedules for an hour, and measure what grows
	$(BIN)/python -m tests.faults.soak

.PHONY: check
check: $(READY) ## Check format, lint, import contracts and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright

.PHONY: docs
docs: $(READY) ## Build the documentation site in build/site; a broken link is an error
	$(BIN)/python -m sphinx -W --keep-going -q -c docs -b html -d build/doctrees . build/site
	@echo build/site/index.html

.PHONY: bench
bench: $(READY) ## Measure overhead, lexers, training and sampling
	$(BIN)/python -m benchmarks

.PHONY: gpu
gpu: $(READY) ## Check and measure a GPU; takes four minutes
	$(BIN)/python -m benchmarks.gpu

# torch is pinned to a version that has a small CPU-only wheel; others pull in CUDA.
.PHONY: lock
lock: $(READY) ## Regenerate requirements.lock from pyproject.toml
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet pip-tools
	echo 'torch==2.13.0' > $(VENV)/lock/torch.txt
	CUSTOM_COMPILE_COMMAND='make lock' $(VENV)/lock/bin/pip-compile --quiet --upgrade --extra dev \
		--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-emit-options --no-annotate --constraint $(VENV)/lock/torch.txt \
		--output-file requirements.lock pyproject.toml
	sed -i 's/+cpu$$//' requirements.lock

# Strict, because pip-audit otherwise ends well if it could look nothing up.
.PHONY: audit
audit: ## Look up known vulnerabilities of the locked packages; needs the Internet
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip-audit
	$(VENV)/audit/bin/pip-audit --strict --vulnerability-service osv --disable-pip --no-deps \
		--progress-spinner off --requirement requirements.lock

.PHONY: clean
clean: ## Remove the environment and caches; keep artifacts/
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
