# Tests that need a container engine. Included by the Makefile.

.PHONY: install-containers test-containers test-systemd

install-containers: $(INSTALLED) ## Install a container engine and Compose for these tests, by apt
	@./sync services install --containers

test-containers: $(VENV)/.dev ## Run make up in containers; needs Docker, or root to start an engine
	CONTAINERS=1 $(BIN)/python -m pytest tests/containers/test_up.py -v -p no:cacheprovider --durations=10

test-systemd: $(VENV)/.dev ## Run docs/on_premises.md under a real systemd in a container; needs Docker
	CONTAINERS=1 $(BIN)/python -m pytest tests/containers/test_systemd.py -x -v -p no:cacheprovider
