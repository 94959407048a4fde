# Tests that need a container engine. Included by the Makefile.

.PHONY: install-containers test-containers test-systemd

install-containers: $(INSTALLED) ## Install a container engine and Compose for these tests, by apt
	@./sync services install --containers

# The first test makes the images, which may take longer than any test of pyproject.toml's limit.
UP_OPTIONS := -v -p no:cacheprovider --durations=10 --override-ini=faulthandler_timeout=1800

test-containers: $(VENV)/.dev ## Run make up in containers; needs Docker, or root to start an engine
	CONTAINERS=1 $(BIN)/python -m pytest tests/containers/test_up.py $(UP_OPTIONS)

test-systemd: $(VENV)/.dev ## Run docs/on_premises.md under a real systemd in a container; needs Docker
	CONTAINERS=1 $(BIN)/python -m pytest tests/containers/test_systemd.py -x -v -p no:cacheprovider
