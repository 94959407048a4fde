# Tests that need a container engine. Included by the Makefile.

.PHONY: test-systemd

test-systemd: $(VENV)/.dev ## Run docs/on_premises.md under a real systemd in a container; needs Docker
	CONTAINERS=1 $(BIN)/python -m pytest tests/containers/test_systemd.py -x -v -p no:cacheprovider
