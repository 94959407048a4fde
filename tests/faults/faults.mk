# The fault suite's long form. Its short form is part of `make test`. Included by the
# Makefile.

SEED ?= 1
MINUTES ?= 5
FAULTS_TABLE ?= docs/guarantees.md

.PHONY: faults

faults: $(VENV)/.dev ## Kill, cut, fill and corrupt for about an hour (SEED=1 MINUTES=5 of random kills)
	@$(BIN)/python -m tests.faults.tools
	FAULTS=long SEED=$(SEED) MINUTES=$(MINUTES) GUARANTEES=$(FAULTS_TABLE) \
	  $(BIN)/python -m pytest tests/faults -p no:cacheprovider -v --tb=short
