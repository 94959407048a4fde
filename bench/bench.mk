# The benchmark. Included by the Makefile.

.PHONY: bench bench-admin bench-rows bench-scale bench-tools

# `make bench FULL=1` takes ten million rows, a bucket of a million objects, 5 GiB and an hour of steady
# work: three to four hours, and 60 GB of disk. ONLY="ingest throughput" takes single parts, and
# SET="runs=1 objects=500" other numbers of bench/plan.py; both write nothing. ONLY=libraries measures
# what docs/decisions/ compares, which no other run does. A part whose programs are missing is left
# out, and named first.
bench: $(VENV)/.bench ## Measure everything against its targets and other tools, write docs/benchmarks.*
	@$(BIN)/python -m bench $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY)) $(if $(SET),--set $(SET))

# SCALE="--cpus 0.5 --runs 3" changes what is measured, see `python -m bench.scale --help`; it needs a
# container engine, and writes nothing.
bench-scale: $(VENV)/.run ## Measure 1, 2 and 4 triggers in containers, and what a file costs each part
	docker build --quiet --file local/Dockerfile --tag external-storage-sync .
	@$(BIN)/python -m bench.scale $(SCALE)

# ADMIN="--rows 10000000" changes what is measured; it needs no server, and writes nothing.
bench-admin: $(VENV)/.run ## Measure the admin's pages with a million objects
	@$(BIN)/python -m bench.admin $(ADMIN)

# ROWS="--batch 50 --group 1" changes the batches, see `python -m bench.rows --help`.
bench-rows: $(VENV)/.run ## Measure what a row costs PostgreSQL, statement by statement
	@$(BIN)/python -m bench.rows $(ROWS)

# Missing programs are reported before anything is installed or measured.
bench-tools: $(VENV)/.run
	@$(BIN)/python -m bench.tools $(ONLY)

$(VENV)/.bench: requirements/bench.txt $(VENV)/.run | bench-tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
