# Every command that a developer needs; `make help` explains them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 27000
# Two test processes a core keep a small machine busy while servers are waited for.
TEST_WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup run sample sample-requests sign install-servers test lint format clean

help: ## Explain every target
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' '{ printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2 }'

setup: $(VENV)/.run ## Install what a local run needs into .venv

run: $(VENV)/.run ## Start everything on http://localhost:27000, without root or Docker
	@exec $(BIN)/python -m local run

sample: $(VENV)/.run ## Send signed requests for the sample pictures and show the files
	@$(BIN)/python -m local sample

sample-requests: $(VENV)/.run ## Write sample-requests.txt: ready signed curl commands
	@$(BIN)/python -m local sample-requests

sign: $(VENV)/.run ## Print the Authorization header of BODY='…'
	@$(BIN)/python -m local sign "$$BODY"
sign: export BODY := $(value BODY)

install-servers: $(VENV)/.run ## Install the servers and tools that tests and benchmarks use, by apt
	@$(BIN)/python -m local services install --tools

test: $(VENV)/.dev $(TEST_NEEDS) ## Run every test, and measure coverage
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal --cov --cov-report=term

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

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r $<
	@touch $@

-include local/*.mk bench/*.mk tests/*/*.mk
