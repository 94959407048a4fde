# Every command that a developer needs; `make help` explains them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMMAND := $(BIN)/external-storage-sync
INSTALLED := $(VENV)/.run $(COMMAND)
# Two test processes per core keep a small machine busy while tests wait for servers.
TEST_WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup run status retry sample sample-requests sign install-servers test coverage lint format clean

help: ## Explain every target
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' '{ printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2 }'

setup: $(INSTALLED) ## Install what a local run needs into .venv

run: $(INSTALLED) ## Start everything on http://localhost:27000, without root or Docker
	@exec ./sync run

status: $(INSTALLED) ## Show what runs, the progress of the work and what needs attention
	@./sync status

retry: $(INSTALLED) ## Put every failed object back in the queue; ./sync retry --help for some of them
	@./sync retry --all

sample: $(INSTALLED) ## Send signed requests for the sample pictures and show the files
	@./sync sample

sample-requests: $(INSTALLED) ## Write sample-requests.txt: ready signed curl commands
	@./sync sample-requests

# The body is signed exactly as it was typed. Make would expand a dollar in it, and run $(shell …);
# `value` does not, and needs `override` for a variable of the command line. Blanks in front of the
# body are lost before anything here can see them, so they are refused where /proc shows them.
BODY_GIVEN := $(filter-out undefined,$(origin BODY))
FILE_GIVEN := $(filter-out undefined,$(origin FILE))
sign: override export BODY := $(value BODY)
sign: override export FILE := $(value FILE)
sign: $(INSTALLED) ## Print the Authorization header of BODY='…', of FILE=… or of standard input
	@if grep -qsz '^BODY=[[:space:]]' /proc/$$PPID/cmdline; then \
	  echo "make drops the blanks in front of BODY: use FILE=… or standard input" >&2; exit 2; fi; \
	exec ./sync sign $(if $(FILE_GIVEN),--file "$$FILE") $(if $(BODY_GIVEN),-- "$$BODY")

install-servers: $(INSTALLED) ## Install the servers and tools that tests and benchmarks use, by apt
	@./sync services install --tools

test: $(VENV)/.dev $(TEST_NEEDS) ## Run every test
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal

# By themselves: measuring takes a third more processor time, and the others test processes.
coverage: $(VENV)/.dev $(TEST_NEEDS) ## Run the tests of single modules, and measure what they cover
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal --cov --cov-report=term \
	  tests/functions tests/local tests/shared

lint: $(VENV)/.dev ## Check style, formatting, types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean: ## Remove everything that was built or installed here, but no data of a local run
	rm -rf $(VENV) .venv-aws .aws-sam .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.local/*' -prune -exec rm -rf {} +

# Each set of packages is installed once, and again when its lock file changes.
$(VENV)/.run: requirements/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is not: make PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r $<
	@touch $@

# The command for PATH: a link, so that it finds the project whatever its folder is called.
$(COMMAND): | $(VENV)/.run
	@ln -sf ../../sync $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r $<
	@touch $@

-include local/*.mk bench/*.mk tests/*/*.mk
