# Everything runs in .venv, which the first target that needs it makes: Python 3.11 or later and a package index are
# all that has to be there. `make PYTHON=python3.13 …` names another interpreter.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; exit; }; done; echo python3)
VENV := .venv
PY := $(VENV)/bin/python
STORE ?= .agentstore-demo
PORT ?= 9000
MESSAGES ?= 100000
# How many processes share the tests, each with a server of its own. A test waits for its server most of the time, so
# there are more of them than cores (what was measured: CONTRIBUTING.md). ARGS='-n 0' runs all tests in one process; xdist's
# own options must go where xdist itself is switched off.
WORKERS ?= 4
SIDE_BY_SIDE = $(if $(findstring no:xdist,$(ARGS)),,-n $(WORKERS) --dist worksteal)
CODE := agentstore tests examples benchmarks
# The recipes read these from the environment, so that no character in them means anything to make's shell.
export FROM FIND

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-times test-pythons test-loops test-driver test-faults test-soak lint type check fmt serve docs bench bench-writer bench-search bench-bound bench-importers bench-ingest bench-stalls bench-versions bench-crowd bench-startup bench-web screenshots build clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.local ## import history into a local store and look at it, command by command: [FROM=~/.claude/projects] [FIND=text]
	@AGENTSTORE_LOCAL_IDLE_SECONDS=$${AGENTSTORE_LOCAL_IDLE_SECONDS:-3} \
		$(PY) examples/demo.py --store 'local:$(STORE)' $${FROM:+--from="$$FROM"} $${FIND:+--find="$$FIND"}

test: $(VENV)/.dev ## run the tests, side by side: [ARGS=--all] [ARGS='tests/unit -x'] [ARGS='--server docker'] [ARGS='-n 0'] [WORKERS=4]
	@$(PY) -m pytest $(SIDE_BY_SIDE) $(ARGS)

# All, as CI does; what they took says which of them "make test" leaves out from then on.
test-times: $(VENV)/.dev ## run all tests, and write tests/long.txt, the list of those that take long, anew
	@report=$$(mktemp) && $(PY) -m pytest $(SIDE_BY_SIDE) --all --junitxml "$$report" -o junit_duration_report=total $(ARGS); \
		$(PY) -m tests.long "$$report"; rm -f "$$report"

test-pythons: $(VENV)/.dev ## the unit tests on every other Python from 3.11 on that is found: [ARGS='tests/unit -x']
	@$(PY) -m tests.pythons $(ARGS)

check: lint type ## lint and type

test-loops: $(VENV)/.dev ## all live tests under asyncio's loop and under uvloop: [ARGS='tests/live/test_versions.py']
	@$(PY) -m pytest $(SIDE_BY_SIDE) --every-loop $(if $(ARGS),$(ARGS),tests/live)

test-faults: $(VENV)/.dev ## 10,000 mutated transcripts, random families and histories, a thousand fault schedules, then test-soak: [ARGS='-x']; one: AGENTSTORE_FAULT_SEED=n
	@AGENTSTORE_MUTATIONS=$${AGENTSTORE_MUTATIONS:-10000} \
		$(PY) -m pytest $(SIDE_BY_SIDE) tests/unit/test_importers_all.py -k mutated --timeout 0 $(ARGS)
	@AGENTSTORE_FAMILIES=$${AGENTSTORE_FAMILIES:-40} AGENTSTORE_HISTORIES=$${AGENTSTORE_HISTORIES:-500} \
		$(PY) -m pytest $(SIDE_BY_SIDE) tests/live/test_counted_once.py tests/live/test_model.py --timeout 0 $(ARGS)
	@AGENTSTORE_FAULT_SCHEDULES=$${AGENTSTORE_FAULT_SCHEDULES:-1000} \
		$(PY) -m pytest $(SIDE_BY_SIDE) tests/faults --ignore tests/faults/test_soak.py --timeout 0 $(ARGS)
	@$(MAKE) --no-print-directory test-soak

# By itself, because it measures times.
test-soak: $(VENV)/.dev ## a store beside sixty hostile clients for ten minutes: [AGENTSTORE_SOAK_SECONDS=600]
	@AGENTSTORE_SOAK_SECONDS=$${AGENTSTORE_SOAK_SECONDS:-600} $(PY) -m pytest -s tests/faults/test_soak.py --timeout 0

test-driver: $(VENV)/.dev ## clickhouse-driver's own tests against a local server: [ARGS=FOLDER of its checkout]
	@$(PY) -m tests.local.driver_suite $(ARGS)

lint: $(VENV)/.dev ## ruff: rules and formatting
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m ruff format --check $(CODE)

type: $(VENV)/.dev ## mypy, strict, over package, tests, examples and benchmarks
	@$(PY) -m mypy $(CODE)

docs: $(VENV)/.dev ## build the documentation into site/, warnings are errors
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet && echo site/index.html

fmt: $(VENV)/.dev ## format, and fix what ruff can fix
	@$(PY) -m ruff check --fix --quiet $(CODE) || true
	@$(PY) -m ruff format $(CODE)

serve: $(VENV)/.local ## serve a local store to any ClickHouse client: [STORE=.agentstore-demo] [PORT=9000]
	@$(PY) -m agentstore.local --path '$(STORE)' --port $(PORT)

bench: $(VENV)/.local ## client CPU and time beside the bare driver: [ARGS='--rounds 9']
	@$(PY) benchmarks/bulk.py $(ARGS)

bench-writer: $(VENV)/.local ## small concurrent writes, latency, stalls, memory: [ARGS='--quick']
	@$(PY) -m benchmarks.writer $(ARGS)

bench-importers: $(VENV)/.dev ## imports beside decoding the same lines: FOLDER=~/.claude/projects [ARGS='--rounds 15']
	@$(PY) -m benchmarks.importers '$(FOLDER)' $(ARGS)

bench-ingest: $(VENV)/.dev ## reading, parsing, masking, encoding and the server, on FOLDER's transcripts made 1 GB: [ARGS='--megabytes 200']
	@$(PY) -m benchmarks.importers '$(FOLDER)' --megabytes 1000 $(ARGS)

bench-stalls: $(VENV)/.local ## how long reads of 100,000 rows hold the event loop: [ARGS='--rows 10000']
	@$(PY) -m benchmarks.stalls $(ARGS)

bench-search: $(VENV)/.local ## search and reads beside plain SQL on a corpus of [MESSAGES=100000]
	@$(PY) -m benchmarks.corpus --messages $(MESSAGES) 'local:.agentstore-bench'
	@$(PY) -m benchmarks.search --merge 'local:.agentstore-bench' $(ARGS)
	@$(PY) -m benchmarks.reads 'local:.agentstore-bench' $(ARGS)
	@$(PY) -m benchmarks.search --fresh 20000 'local:.agentstore-bench' $(ARGS)

bench-bound: $(VENV)/.local ## searches of every kind beside one scan of the same texts: [ARGS='--messages 300000']
	@$(PY) -m benchmarks.bound 'local:.agentstore-bench' $(ARGS)

bench-versions: $(VENV)/.local ## what floors and looks at the clock cost, on a corpus of [MESSAGES=100000]
	@$(PY) -m benchmarks.corpus --messages $(MESSAGES) 'local:.agentstore-bench'
	@$(PY) -m benchmarks.looks 'local:.agentstore-bench'
	@$(PY) -m benchmarks.floors 'local:.agentstore-bench' $(ARGS)

bench-crowd: $(VENV)/.local ## small reads, pings and writes beside twenty searching clients, on a corpus of [MESSAGES=100000]
	@$(PY) -m benchmarks.corpus --messages $(MESSAGES) 'local:.agentstore-bench'
	@$(PY) -m benchmarks.crowd 'local:.agentstore-bench' $(ARGS)

bench-startup: $(VENV)/.dev ## how long the command line takes to start, beside an interpreter that does nothing
	@$(PY) -m benchmarks.startup $(ARGS)

bench-web: $(VENV)/.dev ## what twenty people who look at the pages wait for, beside an import, on a corpus of [MESSAGES=100000]
	@$(PY) -m benchmarks.corpus --messages $(MESSAGES) 'local:.agentstore-bench'
	@$(PY) -m benchmarks.web 'local:.agentstore-bench' $(ARGS)

screenshots: $(VENV)/.dev ## pictures of the pages on the sample, into docs/images/; needs a chromium
	@$(PY) docs/screenshots.py

build: $(VENV)/.local ## build the wheel into dist/, and see that it is whole
	@rm -rf dist
	@$(PY) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@unset PYTHONPATH; for wanted in agentstore/py.typed agentstore/ddl/0001_initial.sql agentstore/samples/README.md .jsonl \
		agentstore/web/templates/base.html agentstore/web/static/app.css; do \
		$(PY) -m zipfile --list dist/agentstore-*.whl | grep -F "$$wanted" >/dev/null || \
			{ echo "the wheel lacks $$wanted" >&2; exit 1; }; done
	@ls dist/*.whl

clean: ## remove .venv, caches, build results and the demo's store
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .agentstore-demo .agentstore-bench
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment -------------------------------------------------------------------------------------------

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input

$(VENV)/.local: pyproject.toml | $(PY)
	@echo "Installing agentstore and the ClickHouse engine into $(VENV) (some 180 MB, once) …" >&2
	@$(PY) $(PIP_INSTALL) --editable '.[local,ingest,cli,cost]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PY)
	@echo "Installing agentstore, the ClickHouse engine and the test tools into $(VENV) (some 180 MB, once) …" >&2
	@$(PY) $(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.local

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "agentstore needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another: make PYTHON=/path/to/python3.12 …" >&2; exit 1; }
	@output=$$($(PYTHON) -m venv --clear $(VENV) 2>&1) || { \
		rm -rf $(VENV); \
		output=$$($(PYTHON) -m venv --without-pip $(VENV) 2>&1 && $(PYTHON) -m pip --python $(PY) install pip 2>&1); } || { \
		echo "$$output" >&2; rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment with pip. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
