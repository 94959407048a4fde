# Building, checking and deploying the AWS packages. Included by the Makefile, where `sam build`
# looks for the build-<logical id> targets.

AWS_TOOLS ?= .venv-aws/bin
# Lambda's Python and processor; `make test-aws` builds for the Python and processor at hand.
LAMBDA_PYTHON ?= 3.12
ARCHITECTURE ?= arm64
PACKAGES ?= .aws-sam/build
STACK ?= external-storage-sync
SAM_CONFIG ?= samconfig.toml
PARAMETERS ?= stacks/$(STACK).yaml
# The CA certificates of Amazon RDS, which no system trusts by itself.
RDS_CA_URL ?= https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
# A file that has them already, where the address cannot be reached.
RDS_CA ?=
# Local processes run every function.
FUNCTION_NEEDS := $(wildcard functions/*/requirements.in)
FUNCTION_NAMES := $(sort $(patsubst functions/%/handler.py,%,$(wildcard functions/*/handler.py)))

# Lambda's Amazon Linux 2023 has glibc 2.34.
PLATFORM = $(subst arm64,aarch64,$(ARCHITECTURE))-manylinux_2_34
RDS_CA_PACKED := $(CURDIR)/.aws-sam/rds-ca.pem
export LAMBDA_PYTHON ARCHITECTURE AWS_TOOLS RDS_CA_PACKED SAM_CLI_TELEMETRY := 0
# Trusts the system's certificates, as pip does: a company's proxy has its own authority.
export UV_SYSTEM_CERTS := 1

.PHONY: aws-tools lock rds-ca package compile-packages package-sizes deploy show-aws \
  admin-password-aws migrate-aws costs test-aws lint-aws

aws-tools: $(AWS_TOOLS)/.installed ## Install SAM CLI, cfn-lint and uv into a virtual environment of their own

$(AWS_TOOLS)/.installed: requirements/aws.txt
	python3 -m venv --clear $(dir $(AWS_TOOLS:/=))
	$(AWS_TOOLS)/python -m pip install --quiet --no-deps --require-hashes -r requirements/aws.txt
	touch $@

lock: aws-tools ## Lock all dependencies again: each function's, and those of each set of tools
	$(foreach name,$(FUNCTION_NAMES),$(call compile,functions/$(name)/requirements.in,functions/$(name)/requirements.txt)$(newline))
	$(foreach set,run dev bench,$(call compile,$(FUNCTION_NEEDS) requirements/$(set).in,requirements/$(set).txt)$(newline))
	$(call compile,requirements/aws.in,requirements/aws.txt)

# Names, versions and hashes only, for every platform, whatever index they came from.
define compile
$(AWS_TOOLS)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --upgrade \
  --no-emit-index-url --python-version 3.11 $(1) -o $(2)
endef

define newline


endef

# Amazon adds certificates, so they are fetched for each build. TLS, by the system's trust, vouches for them.
rds-ca:
	@mkdir -p .aws-sam
	@$(if $(RDS_CA),cp "$(RDS_CA)",curl --fail --silent --show-error --max-time 60 $(RDS_CA_URL) -o) \
	  "$(RDS_CA_PACKED).part" || { \
	    echo "Cannot get the RDS CA certificates. Download $(RDS_CA_URL) yourself and pass its path: RDS_CA=FILE" >&2; \
	    exit 1; \
	  }
	@grep -q 'BEGIN CERTIFICATE' "$(RDS_CA_PACKED).part" || \
	  { echo "$(or $(RDS_CA),$(RDS_CA_URL)) has no certificate" >&2; exit 1; }
	@mv "$(RDS_CA_PACKED).part" "$(RDS_CA_PACKED)"

package: aws-tools rds-ca ## Build one package for each function (ARCHITECTURE=arm64 or x86_64)
	$(AWS_TOOLS)/sam build --build-dir $(PACKAGES) --parameter-overrides Architecture=$(ARCHITECTURE)
	@$(MAKE) --no-print-directory compile-packages package-sizes

# Lambda cannot write beside the sources, and would compile every module at each cold start. A file
# of another Python would never be read; one whose validity depends on times would be, and rejected.
compile-packages: ## Compile the packages' modules by Lambda's Python, which uv downloads if need be
	@python=$$($(AWS_TOOLS)/uv python find --no-project $(LAMBDA_PYTHON) 2>/dev/null) || \
	  python=$$($(AWS_TOOLS)/uv python install --quiet $(LAMBDA_PYTHON) && \
	    $(AWS_TOOLS)/uv python find --no-project $(LAMBDA_PYTHON)) || \
	  { echo "Without Python $(LAMBDA_PYTHON) the packages are not compiled: cold starts take longer" >&2; \
	    exit 0; }; \
	for package in $(PACKAGES)/*Function; do \
	  "$$python" -m compileall -q --invalidation-mode unchecked-hash \
	    -s "$$package" -p /var/task "$$package" || exit 1; \
	done

# A request waits while an execution environment unpacks these two.
package-sizes: ## Print the unzipped size of every package; ingest and stats stay under 25 MB
	@for package in $(PACKAGES)/*Function; do \
	  find $$package -type f -printf '%s\n' | \
	  awk -v name=$$(basename $$package) ' \
	    { n += $$1 } \
	    END { \
	      printf "%-20s %6.1f MB\n", name, n / 1e6; \
	      if (name ~ /^(Ingest|Stats)/ && n >= 25e6) { \
	        print name " is too large" > "/dev/stderr"; exit 1 \
	      } \
	    }' || exit 1; \
	done

# SyncWorkerFunction in the template is sync_worker in functions/.
folder = $(shell echo '$(1)' | sed -E 's/([a-z0-9])([A-Z])/\1_\2/g' | tr A-Z a-z)
build-%Function: ; @$(call pack,$(call folder,$*))

# A package is the function's own folder, shared/ and the function's locked dependencies, less what
# no import ever reads. SAM sets ARTIFACTS_DIR.
define pack
$(AWS_TOOLS)/uv pip install --quiet --target "$(ARTIFACTS_DIR)" --require-hashes --only-binary :all: \
  --python-version $(LAMBDA_PYTHON) --python-platform $(PLATFORM) -r functions/$(1)/requirements.txt
rm -rf "$(ARTIFACTS_DIR)"/bin "$(ARTIFACTS_DIR)"/*/test "$(ARTIFACTS_DIR)"/*/tests \
  "$(ARTIFACTS_DIR)"/*.dist-info/sboms
find "$(ARTIFACTS_DIR)" \( -name '*.pyi' -o -name .lock \) -delete
mkdir -p "$(ARTIFACTS_DIR)/functions"
cp -R shared "$(ARTIFACTS_DIR)/"
cp "$(RDS_CA_PACKED)" "$(ARTIFACTS_DIR)/"
cp functions/__init__.py "$(ARTIFACTS_DIR)/functions/"
cp -R functions/$(1) "$(ARTIFACTS_DIR)/functions/"
find "$(ARTIFACTS_DIR)" -name __pycache__ -type d -prune -exec rm -rf {} +
rm -f "$(ARTIFACTS_DIR)"/functions/$(1)/requirements.*
endef

# Not `--guided`: that asks for every parameter, and of every route whether it may go without an
# authorizer, which is none of SAM's business here: the functions check signatures and logins.
deploy: package $(INSTALLED) ## Build and deploy to your AWS account; the first time, ask for two parameters
	@[ "$$(printf %s '$(STACK)' | wc -c)" -le 42 ] || \
	  { echo "STACK: 42 characters at most, since a broker's name has 50 with -cluster" >&2; exit 1; }
	@./sync aws parameters $(PARAMETERS)
	$(AWS_TOOLS)/sam deploy --stack-name $(STACK) \
	  --template-file $(PACKAGES)/template.yaml --config-file $(abspath $(SAM_CONFIG)) \
	  --parameter-overrides file://$(abspath $(PARAMETERS)) Architecture=$(ARCHITECTURE)
	@echo "Next: make show-aws STACK=$(STACK)"

show-aws: $(INSTALLED) ## Print the deployed stack's address, its signing key and how to log in
	@./sync aws show $(STACK)

admin-password-aws: $(INSTALLED) ## Set the admin's password in the deployed stack (asks for it)
	@./sync aws admin-password $(STACK)

# Each deployment does it by itself.
migrate-aws: aws-tools ## Bring the deployed stack's ledger and queues up to date once more, by hand
	$(AWS_TOOLS)/sam remote invoke MigrateFunction --stack-name $(STACK) --event '{}' \
	  --config-file $(abspath $(SAM_CONFIG))

costs: $(VENV)/.run ## Write the tables of costs in docs/deploy.md
	$(BIN)/python -m local.aws_costs.page

lint-aws: aws-tools ## Validate the templates
	$(AWS_TOOLS)/sam validate --lint --region eu-west-1
	$(AWS_TOOLS)/cfn-lint template.yaml aws/alarms.yaml docs/examples/ecs.yaml

# The Python and the processor at hand, which run the packages here.
OWN_PYTHON = $$($(BIN)/python -c 'import platform; print(platform.python_version())')
OWN_PROCESSOR = $$(uname -m | sed s/aarch64/arm64/)

.PHONY: aws-runtime
aws-runtime: $(VENV)/.dev aws-tools
	$(AWS_TOOLS)/uv pip install --quiet --target .aws-sam/runtime --require-hashes --only-binary :all: \
	  --python-version $(OWN_PYTHON) -r tests/aws/runtime.txt

# Any certificates: no test connects to RDS, and the machine may not reach the internet.
TEST_CA = $$($(BIN)/python -c 'import certifi; print(certifi.where())')

# Everything that can be tested without an account: see docs/deploy.md.
test-aws: aws-runtime lint-aws ## Run the built packages under AWS's runtime client, against real servers
	$(MAKE) --no-print-directory package PACKAGES=.aws-sam/test RDS_CA="$(TEST_CA)" \
	  ARCHITECTURE=$(OWN_PROCESSOR) LAMBDA_PYTHON=$(OWN_PYTHON)
	AWS_PACKAGES=.aws-sam/test AWS_RUNTIME=.aws-sam/runtime AWS_TOOLS=$(AWS_TOOLS) \
	  $(BIN)/python -m pytest -n 2 --dist worksteal tests/aws

# An older package is built by its own commit's makefile, in a worktree.
COLD := .aws-sam/cold
BEFORE ?= c414a39
STARTS ?= 20

.PHONY: bench-cold-start
bench-cold-start: aws-runtime ## Measure cold starts of ingest, beside those of the commit BEFORE=c414a39
	rm -rf $(COLD) && mkdir -p $(COLD) && git worktree prune
	git worktree add --quiet --detach $(COLD)/tree $(BEFORE)
	export ARCHITECTURE=$(OWN_PROCESSOR) LAMBDA_PYTHON=$(OWN_PYTHON) AWS_TOOLS=$(abspath $(AWS_TOOLS)); \
	for tree in $(COLD)/tree .; do \
	  (cd $$tree && $$AWS_TOOLS/sam build IngestFunction --build-dir .aws-sam/built \
	    --parameter-overrides Architecture=$$ARCHITECTURE >/dev/null) || exit 1; \
	done
	mv .aws-sam/built $(COLD)/now
	@$(MAKE) --no-print-directory compile-packages PACKAGES=$(COLD)/now LAMBDA_PYTHON=$(OWN_PYTHON)
	@$(BIN)/python -m tests.aws.cold_start --runtime .aws-sam/runtime --starts $(STARTS) \
	  $(BEFORE)=$(COLD)/tree/.aws-sam/built now=$(COLD)/now
	git worktree remove --force $(COLD)/tree
