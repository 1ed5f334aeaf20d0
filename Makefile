# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs python3 (3.11 or later), make and git. Everything else goes into .venv and .cache below this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Tools and the collection's own code find each other here.
export MYPYPATH := .collections
export PATH := $(CURDIR)/$(BIN):$(PATH)

PARTS := lint integration unit sanity types molecule

.PHONY: help demo fuzz kill soak test test-all test-real lint types unit faults access sanity integration integration-in-processes e2e fleet images molecule \
  matrix lowest nox bench docs examples security release-test licences sbom audit down clean

help:
	@echo "make demo         federate three AKS clusters on the sandbox and watch it"
	@echo "make test         lint, types, unit, sanity, integration and molecule tests"
	@echo "make test-all     the same, and everything below but 'demo', 'fleet', 'bench', 'nox', 'sbom', 'audit' and 'images'"
	@echo "make integration-in-processes  the integration tests with each module in a process of its own"
	@echo "make test-real    on real API servers with real Prometheus, promtool and kubectl (see docs/real-parts.md)"
	@echo "make e2e          the playbooks on the sandbox, bad input, teardown"
	@echo "make fleet        two hundred clusters, of which twenty have drifted (five minutes of two cores; AKS_AMP_FLEET=n)"
	@echo "make fuzz         hostile inputs and answers (FUZZ=quick|standard|deep); make kill, make soak: see docs/endurance.md"
	@echo "make faults       every fault at every request of every module, and concurrent runs"
	@echo "make access       the least-privilege documents: each playbook with exactly its rights, and without each of them"
	@echo "make security     the tests of the threat model: secrets, files, TLS, texts of others"
	@echo "make bench        what a run costs beside azure-cli, aws-cli, kubectl and stock content (BENCH=quick|large|full)"
	@echo "make docs         the docsite, in .cache/docs/html"
	@echo "make examples     every example of the documentation, on the sandbox"
	@echo "make matrix       the tests with each ansible-core on each Python (two to three hours of two cores; CELLS=\"2.20 2.21/3.13\")"
	@echo "make lowest       of these only the oldest supported versions of all packages"
	@echo "make nox          the checks of the community collections by antsibull-nox"
	@echo "make release-test what would be published: its files, and that it works where nothing but it is installed"
	@echo "make licences     whether every file says its copyright and licence"
	@echo "make sbom         the packages of a release as CycloneDX; 'make audit': their known vulnerabilities"
	@echo "make images       the pictures of the drift report in the documentation; needs Chromium"
	@echo "make clean        remove what these commands made (.venv, .cache, .sandbox)"

demo: $(VENV)/.runtime
	@$(BIN)/python -m demo

# Two parts at a time: each of them leaves one of two cores idle for much of its time.
test: $(VENV)/.tests
	@echo "== lint, types, unit, sanity, integration and molecule tests: each is shown when it has ended"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(PARTS)
	@echo "All tests passed."

test-all: test licences integration-in-processes test-real e2e examples docs faults access security fuzz kill soak release-test matrix
	@echo "All tests passed: with real parts, end to end, with every example and every fault, and with each ansible-core and Python."

# Obtains the parts first and keeps them in the user's cache folder. REAL=auto leaves out what can't be had.
test-real: $(VENV)/.tests
	$(BIN)/python -m tests.real -q

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline --strict

types: $(VENV)/.tests
	$(BIN)/mypy -p ansible_collections.crosscloud.aks_amp.plugins
	$(BIN)/mypy sandbox demo benchmarks

unit: $(VENV)/.tests
	$(BIN)/python -m pytest tests/unit -n 2 -q

# Every fault at every request of every module, runs beside other writers, and check mode's contract.
faults: $(VENV)/.tests
	$(BIN)/python -m pytest tests/faults -n 2 -q

# The secrets of each run are looked for in all that it shows and leaves; see the threat model.
security: $(VENV)/.tests
	$(BIN)/python -m pytest tests/security -n 2 -q

# Hostile inputs and answers, runs that are killed, runs that are repeated: see docs/endurance.md.
FUZZ ?= standard
fuzz: $(VENV)/.tests
	FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz -n 2 -q

KILL ?= 200
kill: $(VENV)/.tests
	KILL=$(KILL) $(BIN)/python -m pytest tests/endurance/test_kill.py -n 2 -q

SOAK ?= 1000
SOAK_PLAYBOOKS ?= 100
soak: $(VENV)/.tests
	SOAK=$(SOAK) SOAK_PLAYBOOKS=$(SOAK_PLAYBOOKS) $(BIN)/python -m pytest tests/endurance/test_soak.py -q

# The documents of access/ are enough for what they are for, and each right in them is needed.
access: $(VENV)/.tests
	$(BIN)/python -m pytest tests/access -n 2 --dist loadfile -q

sanity: $(VENV)/.tests
	$(BIN)/python -m tests.ansible_test sanity

# In as many runs at once as there are cores.
integration: $(VENV)/.tests
	$(BIN)/python -m tests.shards

# The same with direct execution off, which 'integration' has on.
integration-in-processes: $(VENV)/.tests
	$(BIN)/python -m tests.shards --in-processes

e2e: $(VENV)/.tests
	$(BIN)/python -m pytest tests/e2e -n 2 --dist loadfile -q

# The same test as in 'e2e', with more clusters.
fleet: $(VENV)/.tests
	AKS_AMP_FLEET=$${AKS_AMP_FLEET:-200} $(BIN)/python -m pytest tests/e2e/test_fleet_of_clusters.py -q

# The pictures of the drift report in the documentation; needs Chromium.
images: $(VENV)/.tests
	PYTHONPATH=.collections:. $(BIN)/python -m tests.real.report_images

molecule: $(VENV)/.tests
	$(BIN)/molecule test

# Results go into docs/compatibility.json, and as tables into docs/compatibility.md and README.md.
matrix: $(VENV)/.tests
	$(BIN)/python -m tests.matrix $(if $(CELLS),--cells $(CELLS))

lowest: $(VENV)/.tests
	$(BIN)/python -m tests.matrix --cells lowest

# The sessions that a change needs; 'nox --list' shows all (see docs/compatibility.md).
nox: $(VENV)/.tests
	$(BIN)/nox

# The docsite, in .cache/docs/html: linted, and built without a network and without a warning.
DOCS := .cache/docs
DOCS_BIN := $(DOCS)/venv/bin
docs: $(DOCS)/.installed
	ANSIBLE_COLLECTIONS_PATH=.collections PATH="$(CURDIR)/$(DOCS_BIN):$$PATH" bash docs/site/build.sh $(DOCS)

# Every example of the documentation, on the sandbox.
examples: $(VENV)/.tests
	$(BIN)/python -m pytest tests/docs -n 2 --dist loadgroup -q

$(DOCS)/.installed: docs/requirements.txt | $(VENV)/bin/python
	@echo "== Installing what builds the docsite"
	@$(BIN)/python -m venv $(DOCS)/venv
	@$(DOCS_BIN)/python -m pip --disable-pip-version-check install --quiet -r docs/requirements.txt
	@touch $@

# What a release is made and checked with; see docs/releasing.md.
release-test: $(VENV)/.release
	$(BIN)/python -m pytest tests/release -q

licences: $(VENV)/.release
	$(BIN)/reuse lint --lines

sbom: $(VENV)/.release
	$(BIN)/python -m tests.release.sbom

audit: $(VENV)/.release
	$(BIN)/python -m tests.release.audit

# Measures, prints the tables and puts them into the documentation; see docs/benchmarks.md for the values of BENCH.
BENCH ?= standard
bench: $(VENV)/.runtime
	@$(PIP) install --quiet -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks --bench $(BENCH) --write-docs

# Old pip resolvers stall on these packages, so pip is upgraded first.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed, $(PYTHON) is older: choose another with 'make PYTHON=python3.12 ...'."; exit 1; }
	@echo "== Creating the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "No virtual environment could be made: on Debian, install the package python3-venv."; exit 1; }
	@$(PIP) install --quiet --upgrade pip

$(VENV)/.runtime: requirements.txt sandbox/requirements.txt | $(VENV)/bin/python
	@echo "== Installing the SDKs and the sandbox's packages (a minute or two, about 700 MB)"
	@$(PIP) install --progress-bar on -r requirements.txt -r sandbox/requirements.txt | sed -u -n 's/^Collecting \([^ ]*\).*/   \1/p; /^Installing/{s/ collected packages.*/ .../p}'
	@$(BIN)/python -c 'import ansible, boto3, azure.identity, azure.mgmt.containerservice, msgraph, kubernetes, moto'
	@touch $@

$(VENV)/.tests: tests/requirements.txt $(VENV)/.runtime
	@echo "== Installing the test tools"
	@$(PIP) install --quiet -r requirements.txt -r sandbox/requirements.txt -r tests/requirements.txt
	@touch $@

$(VENV)/.release: tests/release/requirements.txt $(VENV)/.tests
	@echo "== Installing the tools of releases"
	@$(PIP) install --quiet -r tests/release/requirements.txt
	@touch $@

down:
	-@$(BIN)/python -m sandbox down

clean: down
	rm -rf $(VENV) .cache .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis
