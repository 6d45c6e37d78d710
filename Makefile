# Needs make, python3 (3.11 or later) and pip; uses uv when it is there. Everything goes into .venv.
# ARGS goes to the command behind a target: make demo ARGS="--records 20000", make test ARGS="-k watermark"

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
VERSION ?= 2.19.6
.DEFAULT_GOAL := help
.PHONY: help install demo test test-opensearch crash check bench bench-index bench-detection fmt lock

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-23s %s\n", $$1, $$2}'

install: ## Make .venv with the locked packages; nothing to do when it is up to date
	@$(PYTHON) .ci/install

demo: install ## Watch a model on 163,277 real flights, in about a minute
	@$(BIN)/streamer demo $(ARGS)

test: install ## Run all tests; those on a real OpenSearch are skipped where Maven is missing
	@.ci/opensearch >/dev/null || true
	@$(BIN)/pytest -n auto $(ARGS)

test-opensearch: install ## Run the tests of the index on another OpenSearch (VERSION=2.19.6: needs a Java 17 to 23)
	@.ci/opensearch $(VERSION)
	@STREAMER_TEST_OPENSEARCH_VERSION=$(VERSION) $(BIN)/pytest -n auto tests/opensearch tests/contract/test_sinks.py $(ARGS)

crash: install ## Kill the running service at 200 moments; each time the same must come out (about 15 minutes)
	@$(BIN)/python -m tests.sim.kill --moments 200 --seed 1 $(ARGS)

check: ## Run what CI runs: lint, format, types, import contracts, tests
	@PYTHON=$(PYTHON) bash .ci/run

bench: install ## Measure the cost per record, memory and hostile input
	@$(BIN)/streamer bench $(ARGS)

bench-index: install ## Write 100,000 documents to an OpenSearch, through faults and kills too (about 10 minutes)
	@$(BIN)/python -m tests.bench.index $(ARGS)

bench-detection: install ## Measure false alarms and delays of the detection (about 15 minutes; ARGS=--small: 2)
	@$(BIN)/python -m tests.bench.detection $(ARGS)

fmt: install ## Format the code and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: install ## Write requirements.txt anew from pyproject.toml (ARGS=--upgrade takes newer versions)
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra parquet --extra demo --group build --group dev \
		--universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --output-file requirements.txt $(ARGS)
