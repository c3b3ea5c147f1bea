# Everything a person types; `make help` lists it. Variables: PYTHON, CANDLES, SYMBOL, TIMEFRAME, PORT.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
PIP_FLAGS := --disable-pip-version-check --progress-bar on

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test check bench fault-matrix format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

setup: $(VENV)/.installed ## create .venv and install what a user needs

demo: setup ## the whole pipeline on the simulated exchange, or on CANDLES="files or folders"
	@$(BIN)/trading demo $(CANDLES) $(if $(SYMBOL),--symbol $(SYMBOL)) $(if $(TIMEFRAME),--timeframe $(TIMEFRAME))

ui: setup ## Dagster webserver and daemon on what the last demo made, at localhost:PORT
	@$(BIN)/trading ui --port $(PORT)

test: $(VENV)/.installed-dev ## run the test suite, one process per core
	@TZ=UTC $(BIN)/python -m pytest -n auto --no-loadscope-reorder

check: $(VENV)/.installed-dev ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev ## measure against named peers; every figure is a ratio of one run
	@$(BIN)/python -m trading_pipeline_tests.benchmarks

fault-matrix: $(VENV)/.installed-dev ## kill writers of the lake at every named point; resumable, FRESH=1 starts again
	@TZ=UTC $(BIN)/python -m trading_pipeline_tests.fault_matrix $(if $(FRESH),--fresh)

clean: ## delete .venv and caches; data/ is left alone
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else None'
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing (about a minute) ..."
	@$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e .
	@echo "Compiling the numeric kernels (about half a minute, once) ..."
	@$(BIN)/trading warm
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing with the tools of the tests (about two minutes) ..."
	@$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev,postgres]'
	@touch $@ $(VENV)/.installed
