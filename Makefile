SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 8
.DEFAULT_GOAL := help

.PHONY: help setup lock generate verify test test-fast faults bench demo demo-cluster cluster-down
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "setting up $(VENV), once: a minute or two"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
setup: $(VENV)/.ready ## create .venv with the project and its tools

lock: ## resolve requirements.lock (and the two images' locks) again
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --all-extras pyproject.toml requirements-build.in -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links -c requirements.lock --extra operator pyproject.toml requirements-build.in -o operator/requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links -c requirements.lock --extra job pyproject.toml requirements-build.in -o labeljob_image/requirements.lock

generate: setup ## write the generated files: crds/, the chart's CRDs, labelplane.yaml, docs/requirements.md
	$(BIN)/python -m devcluster build --api-only
	PYTHONPATH=. $(BIN)/python scripts/generate.py
	$(BIN)/python scripts/requirements_map.py

verify: setup ## lint, types, layers, sizes, generated files
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sizes.py
	PYTHONPATH=. $(BIN)/python scripts/generate.py --check
	$(BIN)/python scripts/requirements_map.py --check

test: setup ## the whole suite, with a real API server and a real node
	$(BIN)/python -m devcluster build
	$(BIN)/pytest -n $(WORKERS) --durations=25

test-fast: setup ## what needs no cluster
	$(BIN)/pytest -n auto -m "not cluster and not apiserver and not objectstore"

faults: setup ## 20 rounds of faults at random instants in runs in shards, on a real node
	$(BIN)/python -m devcluster build
	LABELPLANE_FAULT_ROUNDS=20 $(BIN)/pytest tests/e2e/test_shards.py -k random_instants --timeout 1800

bench: setup ## measure, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks

DEMO := build/demo
demo: setup ## run examples/mail-triage with no cluster
	@mkdir -p $(DEMO)/mail/data && cp examples/mail-triage/data/mails.parquet $(DEMO)/mail/data/
	@$(BIN)/labelplane run examples/mail-triage --state $(DEMO)/state --volume mail=$(DEMO)/mail

demo-cluster: setup ## run examples/mail-triage on a real Kubernetes
	@$(BIN)/python -m devcluster.demo

cluster-down: setup ## remove what demo-cluster made, and nothing else
	@$(BIN)/python -m devcluster.demo --down
