# Run `make help` to see what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export CIO_HOME ?= $(CURDIR)/.cio
export DAGSTER_HOME ?= $(CIO_HOME)/dagster
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests and `demo` start hundreds of processes: without stored bytecode, each of them would compile
# all libraries again, which takes longer than what most of them do.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo warehouse demo-cloud demo-sakila demo-postgres readers dev test test-deep servers postgresql azurite redis pgbouncer kit bench lint docs pictures clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	mkdir -p $(DAGSTER_HOME)
	cp dagster.yaml $@

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed $(DAGSTER_HOME)/dagster.yaml ## Simulate a platform, export it, verify, show what landed
	$(BIN)/cio-pipeline demo --fresh
	$(BIN)/cio-pipeline warehouse load $(addprefix $(CIO_HOME)/bucket/,acme-v5 beta-v4 acme-calls beta-calls acme-messages) \
	  --into $(CIO_HOME)/warehouse.duckdb --rebuild
	@$(BIN)/cio-pipeline report --out $(CIO_HOME)/report.html
	@printf '%s\n' '' 'Open what came of it:' \
	  "  python3 -m webbrowser $(CIO_HOME)/report.html" \
	  "  $(BIN)/python -c \"import duckdb; duckdb.connect('$(CIO_HOME)/warehouse.duckdb').sql('FROM acme_v5.people_newest').show()\"" \
	  '  make dev'

warehouse: export CIO_WAREHOUSE ?= $(CIO_HOME)/warehouse.duckdb
warehouse: export CIO_FEED ?= acme_v5
warehouse: export DBT_TARGET_PATH ?= $(CIO_HOME)/dbt
warehouse: export DBT_LOG_PATH ?= $(CIO_HOME)/dbt
warehouse: $(VENV)/.installed ## Load what the demo delivered since, build marts and audiences with dbt
	$(BIN)/cio-pipeline warehouse load $(CIO_HOME)/bucket/$(subst _,-,$(CIO_FEED)) --into $(CIO_WAREHOUSE)
	$(BIN)/dbt build --project-dir warehouse --profiles-dir warehouse
	$(BIN)/cio-pipeline audience list --feed $(CIO_FEED)

demo-cloud: export CIO_HOME := $(CIO_HOME)/cloud
demo-cloud: $(VENV)/.installed azurite ## The same on S3 and Azure, with moto and Azurite in their place
	@mkdir -p $(DAGSTER_HOME) && cp dagster.yaml $(DAGSTER_HOME)/dagster.yaml
	PYTHONPATH=. $(BIN)/python examples/cloud/run.py

demo-sakila: $(VENV)/.installed ## Real data: SAKILA=sakila-mv-data.sql mapped, sent in 21 windows, merged
	$(BIN)/python examples/sakila/run.py "$(SAKILA)"

demo-postgres: $(VENV)/.installed postgresql ## The same data in a PostgreSQL server, sent while writers go on
	PYTHONPATH=. $(BIN)/python examples/postgres/demo.py "$(SAKILA)"

readers: $(VENV)/.installed ## Read the demo's files with seven readers and compare (needs Java 17 and Node.js)
	@[ -e .servers/readers/.installed ] || { echo 'Installing the readers, 2 GB'; examples/readers/install; }
	$(BIN)/python examples/readers/compare.py

dev: export CIO_DBT_PROJECT ?= $(if $(wildcard $(CIO_HOME)/dbt/manifest.json),$(CURDIR)/warehouse)
dev: export CIO_WAREHOUSE ?= $(wildcard $(CIO_HOME)/warehouse.duckdb)
dev: export DBT_TARGET_PATH ?= $(CIO_HOME)/dbt
dev: export DBT_LOG_PATH ?= $(CIO_HOME)/dbt
dev: $(VENV)/.installed $(DAGSTER_HOME)/dagster.yaml ## Open the Dagster UI with the daemon on http://127.0.0.1:3000
	@# Dagster warns that it does not use the dagster.yaml here: it uses the copy in its home.
	$(BIN)/dg dev > >(grep --line-buffered -v 'instance configuration value (dagster.yaml)')

test: $(VENV)/.installed servers ## Run all tests (installs PostgreSQL, Chromium and Azurite if missing)
	$(BIN)/pytest -n 4 --dist worksteal

test-deep: $(VENV)/.installed servers redis pgbouncer kit ## Many more histories and crash points, Celery, a fault day (some 20 minutes)
	CIO_CONVERGENCE_EXAMPLES=280 $(BIN)/pytest -n 4 --dist worksteal -m "deep or histories"

servers: azurite postgresql
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null \
	  || { echo 'Installing Chromium for the test of the UI'; .ci/install-chromium; }

postgresql:
	@[ -n "$$(ls $$(pg_config --bindir 2>/dev/null)/initdb /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] \
	  || { echo 'Installing PostgreSQL for the ledger tests'; .ci/install-postgresql; }

redis:
	@command -v redis-server >/dev/null \
	  || { echo 'Installing Redis for the tests of Celery workers'; .ci/install-redis; }

pgbouncer:
	@command -v pgbouncer >/dev/null \
	  || { echo 'Installing PgBouncer for the tests of PostgreSQL as a source'; .ci/install-pgbouncer; }

kit: ## Install what the tests of the loader kit and of dbt run (2 GB)
	@[ -e .servers/kit/.installed ] \
	  || { echo 'Installing ClickHouse, fakesnow and adapters of dbt for the tests of the loader kit'; .ci/install-kit; }

azurite:
	@[ -x .servers/azurite/node_modules/.bin/azurite-blob ] \
	  || { echo 'Installing Azurite, which stands in for Azure'; .ci/install-azurite; }

bench: $(VENV)/.installed ## Measure against bare Polars and an empty Dagster run (minutes; gates nothing)
	$(BIN)/python -m benchmarks

lint: $(VENV)/.installed ## Check style, types, layers and generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m cio_pipeline.contracts.docs docs --check
	$(BIN)/python -m cio_pipeline.cli.reference docs --check
	$(BIN)/python -m cio_pipeline.reader.dbt_project warehouse --check
	$(BIN)/dg check defs

docs: $(VENV)/.installed ## Write the generated documents again
	$(BIN)/python -m cio_pipeline.contracts.docs docs
	$(BIN)/python -m cio_pipeline.cli.reference docs
	$(BIN)/python -m cio_pipeline.reader.dbt_project warehouse

pictures: $(VENV)/.installed servers ## Take the pictures of docs/operations.md anew, from the test of the UI
	CIO_PICTURES=$(CURDIR)/docs/pictures $(BIN)/pytest -q cio_pipeline_tests/ui -m slow

clean: ## Remove the environment and all local state
	rm -rf $(VENV) .cio
