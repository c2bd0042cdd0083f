# What one does with this checkout. `make` lists it. Everything sets itself up: Python >= 3.11 and make are enough.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Recipes see this checkout's programs first. Paths are relative or quoted: the checkout may lie in a path with a blank.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV
unexport PYTHONPATH

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
# Test processes at the same time.
WORKERS ?= 2
# More for pytest, such as PYTEST_ARGS='-k manifest'.
PYTEST_ARGS ?=
CODE := $(wildcard packages services operator tests tools)

##@ Use

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*##"; print "usage: make TARGET" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*##/ { printf "  %-18s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Install uv into .tools and the locked packages into .venv.
	@tools/bootstrap

.PHONY: demo
demo: setup ## Watch a simulated fleet's events flow into PostgreSQL and out of the API (DEMO_SECONDS=60 ends by itself).
	@exec $(PYTHON) tools/demo.py

##@ Test

.PHONY: test
test: setup ## Run the tests: unit and integration.
	$(PYTEST) -n $(WORKERS) tests/unit tests/integration $(EVERY_ROUTE:%=--ignore=%) $(LONG:%=--ignore=%) $(PYTEST_ARGS)

# What tries each route with everything: minutes by itself.
EVERY_ROUTE := $(addprefix tests/integration/api/test_, matrix.py every_route.py kept_answers.py manners.py)
# Kills, outages and rebuilding, with whole programs.
LONG := tests/integration/faults \
    $(addprefix tests/integration/ingestor/test_, reprocess.py backfill.py keeping.py late_truth.py verify.py)

.PHONY: test-every-route
test-every-route: setup ## Try each route of the API with each role, foreign data and generated requests.
	$(PYTEST) -n $(WORKERS) $(EVERY_ROUTE) $(PYTEST_ARGS)

.PHONY: test-long
test-long: setup ## Kill, cut off, fill, compare and rebuild with whole programs (2 minutes).
	$(PYTEST) -n $(WORKERS) $(LONG) $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: setup ## Run the tests that need neither database nor processes.
	$(PYTEST) tests/unit $(PYTEST_ARGS)

.PHONY: test-integration
test-integration: setup ## Run the tests on real PostgreSQL and real processes.
	$(PYTEST) -n $(WORKERS) tests/integration $(PYTEST_ARGS)

.PHONY: test-postgres
test-postgres: setup ## Run the database tests only (MIXHAUL_TEST_POSTGRES=15 takes Debian's PostgreSQL 15).
	$(PYTEST) -n $(WORKERS) tests/integration/store tests/integration/store_foundation $(PYTEST_ARGS)

# For tests/torture: how long, or any options of its own (`--kills 10000 --jobs 2`, `--replay SEED`).
TORTURE_SECONDS ?= 180
TORTURE ?= --seconds-in-all $(TORTURE_SECONDS)

.PHONY: torture
torture: setup ## Kill and disturb everything at once, by seed, and compare with the truth (TORTURE='--kills 1000').
	PYTHONPATH=tests $(PYTHON) -m torture $(TORTURE)

.PHONY: test-report
test-report: setup ## Print the performance report with a real browser (Debian: apt-get install chromium) and read it.
	$(PYTEST) tests/report $(PYTEST_ARGS)

.PHONY: test-trouble
test-trouble: setup ## Run the tests of everything that goes wrong with databases: a minute or two.
	$(PYTEST) tests/trouble $(PYTEST_ARGS)

.PHONY: torture-ci
torture-ci: setup ## The same as CI does it: two fixed seeds and a fresh one, in three minutes.
	PYTHONPATH=tests $(PYTHON) -m torture --seconds-in-all $(TORTURE_SECONDS)

.PHONY: mutants
mutants: setup ## Apply deliberate bugs to a copy, and see each killed by an assertion of its test (MUTANTS='cursor epoch').
	PYTHONPATH=tests $(PYTHON) -m mutants $(MUTANTS)

.PHONY: lint
lint: setup ## Check style, types, import arrows, YAML and shell scripts.
	$(PYTHON) -m ruff check $(CODE)
	$(PYTHON) -m ruff format --check $(CODE)
	$(PYTHON) -m mypy
	MYPYPATH=tools:tests $(PYTHON) -m mypy tools/*.py tools/dashboards/*.py
	.venv/bin/lint-imports --no-logo
	$(PYTHON) -m yamllint --strict .
	MYPYPATH=tests:tools $(PYTHON) -m mypy -p cluster -p chart -p rules -p alerts -p torture -p mutants
	.venv/bin/shellcheck tools/bootstrap tools/*.sh .ci/run tests/cluster/*.sh
	.venv/bin/hadolint Containerfile

.PHONY: format
format: setup ## Format the code and repair what ruff can repair.
	$(PYTHON) -m ruff check --fix $(CODE)
	$(PYTHON) -m ruff format $(CODE)

##@ Kubernetes

# kind, node or control-plane; empty takes the best that this machine allows.
LEVEL ?=
# What cluster-enter runs instead of a shell.
CMD ?=

.PHONY: cluster-build
cluster-build: setup ## Build the cluster's programs: minutes the first time, then nothing.
	@tests/cluster/build.sh $(LEVEL)

.PHONY: cluster-up
cluster-up: setup ## Start a Kubernetes cluster to play with (LEVEL=kind|node|control-plane).
	@tests/cluster/up.sh $(LEVEL)

.PHONY: cluster-enter
cluster-enter: ## Open a shell that sees the cluster (CMD='kubectl get pods -A' runs that instead).
	@tests/cluster/enter.sh $(CMD)

.PHONY: cluster-down
cluster-down: ## End the cluster.
	@tests/cluster/down.sh

.PHONY: test-chart
test-chart: setup ## Render the chart under many values and check what comes out: no Go, no root, no cluster.
	$(PYTEST) tests/chart $(PYTEST_ARGS)

.PHONY: test-rules
test-rules: setup ## Check alerts, dashboards and runbooks; needs Prometheus' promtool in the PATH.
	$(PYTEST) tests/rules $(PYTEST_ARGS)

.PHONY: test-alerts
test-alerts: setup ## See alerts fire and resolve on real programs (5 minutes); needs Debian's prometheus in the PATH.
	$(PYTEST) tests/alerts $(PYTEST_ARGS)

.PHONY: test-day-two
test-day-two: setup ## Do what docs/operations.md says: restore, rotate, move (2 minutes).
	$(PYTEST) tests/daytwo $(PYTEST_ARGS)

.PHONY: test-cluster
test-cluster: cluster-build ## Run the tests on a real Kubernetes: kind where a Docker engine answers, otherwise our own.
	$(PYTEST) tests/chart tests/cluster $(PYTEST_ARGS)

# They wait more than they work. Each process has its planes, and keeps the order of a file.
CLUSTER_WORKERS ?= 3

.PHONY: test-control-plane
test-control-plane: ## Run those that need no pod, on a real API server and controllers: Go, any user.
	@$(MAKE) cluster-build LEVEL=control-plane
	$(PYTEST) -n $(CLUSTER_WORKERS) --timeout 300 -m "not pods and not slow" tests/cluster $(PYTEST_ARGS)

.PHONY: test-pods
test-pods: ## Run the flow and the chart with pods, on a node: kind, or as root our own.
	@$(MAKE) cluster-build
	$(PYTEST) -m "pods and not slow" tests/cluster $(PYTEST_ARGS)

##@ Images

.PHONY: images
images: ## Build the image of all programs, with Docker or buildah (IMAGE=, TAG= and BASE= may be given).
	@tools/images.sh build

.PHONY: images-load
images-load: ## Put the image into the cluster of cluster-up.
	@tools/images.sh load

.PHONY: images-push
images-push: ## Push the image (REGISTRY=registry.example.com/fleet).
	@tools/images.sh push $(REGISTRY)

##@ Generated files

.PHONY: generate
generate: setup ## Make the generated files anew: the CRD, the chart's schema and table, docs/*.md.
	$(PYTHON) tools/generate.py

.PHONY: check-generated
check-generated: setup ## Fail if a generated file is not what its source says.
	$(PYTHON) tools/generate.py --check

##@ Measure

.PHONY: bench-ingest
bench-ingest: setup ## Compare the write path with raw COPY of the same rows.
	PYTHONPATH=tests $(PYTHON) tests/bench/bench_ingest.py $(BENCH_ARGS)

.PHONY: bench-operator
bench-operator: cluster-build ## Measure the operator with 1,000 MixSources on a real API server.
	PYTHONPATH=tests $(PYTHON) tests/bench/bench_operator.py $(BENCH_ARGS)

.PHONY: bench-elections
bench-elections: ## Measure how long until another ingestor leads: 20 x kill -9, SIGSTOP and SIGTERM on a real API server.
	@$(MAKE) cluster-build LEVEL=control-plane
	MIXHAUL_ELECTIONS=20 $(PYTEST) -n 3 tests/cluster/ingestor/test_elections.py $(PYTEST_ARGS)

.PHONY: bench-search
bench-search: setup ## Measure the driver search among 100,000 drivers, beside ILIKE.
	PYTHONPATH=tests $(PYTHON) tests/bench/bench_search.py $(BENCH_ARGS)

.PHONY: bench-e2e
bench-e2e: setup ## Measure from the simulator over HTTP to the database.
	PYTHONPATH=tests $(PYTHON) tests/bench/bench_e2e.py $(BENCH_ARGS)

##@ Clean

.PHONY: clean
clean: ## Remove what the targets above made: .venv, .tools, .cache and tools' caches. The demo's data stays.
	rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
