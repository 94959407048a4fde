# The fault suite's long form. Its short form is part of `make test`. Included by the
# Makefile.

SEED ?= 1
MINUTES ?= 5
FAULTS_TABLE ?= docs/guarantees.md

.PHONY: faults soak

faults: $(VENV)/.dev ## Kill, cut, fill and corrupt for about an hour (SEED=1 MINUTES=5 of random kills)
	@$(BIN)/python -m tests.faults.tools
	FAULTS=long SEED=$(SEED) MINUTES=$(MINUTES) GUARANTEES=$(FAULTS_TABLE) \
	  $(BIN)/python -m pytest tests/faults -p no:cacheprovider -v --tb=short

# As root the storage is on a disk of its own, to be filled; otherwise that part is left out.
SOAK_MINUTES ?= 60
SOAK_OBJECTS ?= 1000000

soak: $(VENV)/.dev ## Work for an hour while everything fails (SOAK_MINUTES=60 SOAK_OBJECTS=1000000)
	@$(BIN)/python -m tests.faults.tools
	@SEED=$(SEED) SOAK_MINUTES=$(SOAK_MINUTES) SOAK_OBJECTS=$(SOAK_OBJECTS) \
	  $(BIN)/python -m tests.faults.soak

.PHONY: faults-cluster

# Needs a container engine; `make faults-cluster KIND=killed` for some of them.
faults-cluster: $(VENV)/.dev ## Kill, pause, cut off and upgrade machines of a cluster for half an hour; needs Docker
	CLUSTER=1 SEED=$(SEED) GUARANTEES=$(FAULTS_TABLE) \
	  $(BIN)/python -m pytest tests/faults/cluster -p no:cacheprovider -v --tb=short -k "$(KIND)"
