# make run | test | test-long | ui | docs | lint | types | bench | clean        (make help lists them)
#
# PYTHON names the interpreter that the environment is made with: make PYTHON=python3.12 run

PYTHON ?= python3.11
TEST_PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test test-long ui docs contracts lint types bench clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

# Installs again only when what is to be installed changed. Bytecode is compiled (--compile, and
# COMPILE below) because a machine may forbid Python to write it later, and every command would then
# parse everything anew.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing soilmeld into $(VENV) (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile \
		-c constraints.txt -e '.[dev]'
	@touch $@

# The project's own bytecode: a moment where nothing changed.
COMPILE = $(BIN)/python -m compileall -q adapters expectations fusion models training \
	dagster_project soilmeld

run: $(STAMP)  ## the main job: files in, tables, matrices, models, published store
	@$(COMPILE)
	@$(BIN)/python -m dagster_project.run

# Each test process has a core of its own; threads of several would only wait for each other.
ONE_THREAD = OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1

test: $(STAMP)  ## the tests (under 10 minutes)
	@$(COMPILE)
	@$(ONE_THREAD) $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile -m "not long"

test-long: $(STAMP)  ## the tests and the long ones besides
	@$(COMPILE)
	@$(ONE_THREAD) $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

ui: $(STAMP)  ## the Dagster UI and daemon on the same store
	@$(BIN)/python -m dagster_project.ui

docs: $(STAMP)  ## the parts of the documentation that are written from the code
	@$(BIN)/python docs/generate.py

contracts: $(STAMP)  ## docs/contracts.md: what is refused of each source's mutated sample
	@PYTHONPATH=.:tests:tests/contracts $(BIN)/python tests/contracts/write_table.py

lint: $(STAMP)  ## style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP)  ## what the type checker still finds (not clean yet)
	@$(BIN)/pyright

bench: $(STAMP)  ## time each phase of the main job on a fresh data root
	@$(COMPILE)
	@$(BIN)/python benchmarks/main_job.py

clean:  ## remove what `make run` made; your own files in data/raw stay
	@rm -rf truth data/archive data/std data/aligned data/store data/fused data/tiles data/captions data/scenes/twin \
		data/runs data/published data/data_docs data/dagster data/tmp
