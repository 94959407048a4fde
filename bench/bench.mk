# The benchmark. Included by the Makefile.

.PHONY: bench bench-admin bench-scale bench-tools

# `make bench FULL=1` takes ten million rows and 5 GiB, and half an hour; ONLY="ingest throughput"
# takes single parts and writes nothing; ONLY=libraries measures what docs/decisions/ compares, which no
# other run does.
bench: $(VENV)/.bench ## Measure everything against its targets and other tools, write docs/benchmarks.*
	@$(BIN)/python -m bench $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY))

# SCALE="--cpus 0.5 --runs 3" changes what is measured, see `python -m bench.scale --help`; it needs a
# container engine, and writes nothing.
bench-scale: $(VENV)/.run ## Measure 1, 2 and 4 triggers in containers, and what a file costs each part
	docker build --quiet --file local/Dockerfile --tag external-storage-sync .
	@$(BIN)/python -m bench.scale $(SCALE)

# ADMIN="--rows 10000000" changes what is measured; it needs no server, and writes nothing.
bench-admin: $(VENV)/.run ## Measure the admin's pages with a million objects
	@$(BIN)/python -m bench.admin $(ADMIN)

# Missing programs are reported before anything is installed or measured.
bench-tools: $(VENV)/.run
	@$(BIN)/python -m bench.tools $(ONLY)

$(VENV)/.bench: requirements/bench.txt $(VENV)/.run | bench-tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
