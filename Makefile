# What one does with this repository; needs GNU make and Python 3.11 with venv, nothing from root.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell .ci/find-python)
# Each file is named with its hash in the requirements, and nothing is built from source.
PIP_INSTALL := $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check \
	--retries 5 --timeout 60 --require-hashes --only-binary :all:
# Nothing of this machine's package settings may get into what is committed.
PIP_COMPILE := PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" env -u PIP_FIND_LINKS \
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
# A file's tests stay together in one of two processes: what they start is shared.
PYTEST_ARGS ?= --numprocesses 2 --dist loadfile

.PHONY: help
help: ## list these targets
	@awk -F ': .*## ' '/^[a-z-]+: .*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ----------------------------------------------------------------------------------------------------------- install

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "Python 3.11 with venv is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/pyvenv.cfg
	@echo "installing what the mirror runs with into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "installing what tests and checks need into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements.txt -r requirements-dev.txt
	@touch $@

.PHONY: install install-dev
install: $(VENV)/installed ## make .venv with what the mirror runs with
	@:

install-dev: $(VENV)/installed-dev ## the same, and what tests and checks need
	@:

# --------------------------------------------------------------------------------------------------------------- run

.PHONY: demo bench
demo: install ## simulator, grabbers and server on this machine; open the address it prints
	@$(BIN)/python -m dqmsquare.demo

bench: install-dev ## measure what the speed claims rest on
	@$(BIN)/python -m bench

# ------------------------------------------------------------------------------------------------------ test, check

.PHONY: test
test: install-dev ## run all tests; fetches a browser as root, else uses one that is there
	@.ci/need chromium || true
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: chaos chaos-kills
chaos: install-dev ## ten minutes of random faults, then the oracle (CHAOS_SECONDS=600, CHAOS_SEED=)
	@$(BIN)/python -m tests.chaos

chaos-kills: install-dev ## 200 times SIGKILL at random instants, then the oracle
	@$(BIN)/python -m tests.chaos.kills

.PHONY: soak
soak: install-dev ## 100,000 documents through reader, scrubber and store: does memory grow?
	@$(BIN)/python -m tests.faults.soak

.PHONY: check check-format check-lint check-types check-imports check-tree check-packages
check: check-format check-lint check-types check-imports check-tree check-packages ## format, lint, types, layers, what may not be in the tree

check-format: install-dev
	@$(BIN)/ruff format --check --quiet || { echo "not formatted: run $(BIN)/ruff format" >&2; exit 1; }

check-lint: install-dev
	@$(BIN)/ruff check --quiet

check-types: install-dev
	@$(BIN)/mypy

check-imports: install-dev
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said" >&2; exit 1; }

check-tree: install-dev
	@$(BIN)/python -m pytest --quiet --no-header tests/unit/test_tooling.py

check-packages: install-dev
	@$(BIN)/python .ci/audit requirements.txt requirements-dev.txt

# ------------------------------------------------------------------------------------------------- what is committed

.PHONY: vendor
vendor: ## fetch what static/vendor holds, as package-lock.json names it
	@.ci/vendor

.PHONY: lock
lock: install-dev ## make requirements*.txt anew from requirements*.in
	@$(PIP_COMPILE) --upgrade --output-file requirements.txt requirements.in
	@$(PIP_COMPILE) --upgrade --output-file requirements-dev.txt requirements-dev.in

# ------------------------------------------------------------------------------------------------------ what is shipped

.PHONY: image-try single-file rpm
image-try: install-dev ## as root: run the Dockerfile's steps in a clean root, start what is in it (TRY=--debootstrap)
	@$(BIN)/python -m tests.shipping.try_image $(TRY)

single-file: install-dev ## make dist/dqmsquare_mirror, one file that needs no Python
	@./dqmsquare_deploy.sh build

rpm: single-file ## the same as an RPM, in dist/
	@./dqmsquare_deploy.sh rpm

.PHONY: clean
clean: ## remove .venv and caches (the demo's database in tmp/ stays)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache node_modules build dist
	@find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
