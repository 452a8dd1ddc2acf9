# `make demo` shows it, `make test` checks it; `make help` lists the rest.
#
#   VENV    where the virtual environment lives (.venv)
#   PYTHON  the Python, 3.11 or newer, that creates it (python3)
#   RUNS    of make e2e (1)

VENV ?= .venv
PYTHON ?= python3
RUNS ?= 1
BIN := $(abspath $(VENV))/bin

# The environment's own tools first: its Node is the one that the wheel build uses too.
export PATH := $(BIN):$(PATH)

PACKAGE := $(VENV)/.package
TOOLS := $(VENV)/.tools
NODE_MODULES := js/node_modules/.package-lock.json
FRONT_END := $(shell find js/src -type f) $(wildcard js/*.json js/*.mjs)

# JupyterLab starts as root, as in a bare container, only when told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Files of tests run side by side, each process on one thread; browsers want the machine to
# themselves.
PYTEST_SIDE_BY_SIDE := OMP_NUM_THREADS=1 python -m pytest -n logical --maxprocesses 4 --dist loadfile

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo lab test unit e2e torture lint vitest docs front-end format build browsers clean

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(PACKAGE)  ## run the loop on the embedded clip and leave its results in demo-output/
	evavos demo
	@echo 'To annotate in JupyterLab (examples/01_annotate.ipynb): make lab'

lab: $(PACKAGE)  ## open JupyterLab on the annotator's notebook
	evavos lab examples/01_annotate.ipynb $(AS_ROOT)

test: lint vitest docs browsers  ## everything: format, lint, types, imports, both languages, site, notebooks, browser, wheel
	$(PYTEST_SIDE_BY_SIDE) -m 'not e2e and not wheel'
	python -m pytest -m 'e2e or wheel'

unit: $(TOOLS)  ## the Python tests that need no browser and build no wheel
	$(PYTEST_SIDE_BY_SIDE) -m 'not e2e and not wheel'

e2e: $(TOOLS) $(NODE_MODULES) browsers  ## the browser tests, RUNS=10 times in a row
	for run in $$(seq $(RUNS)); do python -m pytest -m e2e || exit 1; done

torture: $(TOOLS)  ## kills, malformed messages and full disks as often as docs/reliability.md says
	EVAVOS_KILLS=200 EVAVOS_MESSAGES=100000 EVAVOS_FILLS=40 python -m pytest tests/torture -s --timeout 7200

lint: $(TOOLS) $(NODE_MODULES)  ## format, lint, types and the import contract, without changing a file
	ruff format --check
	ruff check
	pyright
	lint-imports
	deptry evavos_widget
	cd js && npm run lint && npm run check

vitest: $(TOOLS) $(NODE_MODULES)  ## the TypeScript tests
	cd js && npm test

docs: $(TOOLS)  ## the site, in docs/_build/html; a dead link ends the build
	sphinx-build -W --keep-going -q -b html docs docs/_build/html

front-end: $(TOOLS) $(NODE_MODULES)  ## build the bundle again after a change under js/
	cd js && npm run build

format: $(TOOLS) $(NODE_MODULES)  ## format both languages and mend what the linters can mend
	ruff format
	ruff check --fix
	cd js && npm run format

build: $(TOOLS)  ## the sdist and the wheel, in dist/
	python -m build

# Playwright's driver is linked against libatomic, which a bare Debian does not have. Without
# Firefox its tests are skipped.
browsers:
	@tools/need libatomic1 $(PYTHON) -c 'import ctypes; ctypes.CDLL("libatomic.so.1")'
	@tools/need chromium command -v $${CHROMIUM:-chromium}
	-@tools/need firefox-esr command -v $${FIREFOX:-firefox-esr}

clean:  ## remove what was built and measured, but not the environment
	rm -rf build dist demo-output docs/_build evavos_widget/widgets/static js/node_modules $(PACKAGE)
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find benchmarks evavos_widget tests -name __pycache__ -type d -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is older: name another with PYTHON=.")'
	@tools/need python3-venv $(PYTHON) -c 'import ensurepip'
	$(PYTHON) -m venv $(VENV)

$(PACKAGE): pyproject.toml $(FRONT_END) | $(BIN)/python
	python -m pip install --quiet --upgrade pip
	python -m pip install --editable .
	@touch $@

# These ask for opencv-python, whose files would overwrite the headless build's.
$(TOOLS): $(PACKAGE)
	python -m pip install --quiet --group test --group lint --group docs
	python -m pip install --quiet --no-deps vos-benchmark stcnbuf
	@touch $@

$(NODE_MODULES): js/package.json js/package-lock.json | $(TOOLS)
	cd js && npm ci
