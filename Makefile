# Every target sets up what it needs: a Python of 3.11 or later, make and a package index are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed.stamp
# Distributions of their own, which are tested here too.
CONTRIB := $(patsubst %/pyproject.toml,%,$(wildcard contrib/*/pyproject.toml))
# So many tests run at once, unless ARGS chooses some: most of them wait for processes.
WORKERS ?= $(shell nproc)
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help install run test lint types console pytest docs bench format clean

help: ## say what there is
	@echo "make run      start the example supervisor in this terminal"
	@echo "make test     run everything that checks the project"
	@echo
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | grep -vE '^(run|test|help):' \
		| sed -E 's/^([a-z]+):.*## (.*)/make \1          \2/' | sed -E 's/^(.{13}) */\1 /'

install: $(INSTALLED) ## set up .venv and install the project into it, editable

# Made anew whenever a pyproject.toml changes; once it is there, nothing needs the network.
$(INSTALLED): pyproject.toml $(CONTRIB:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "circus-bus needs Python 3.11 or later; name one: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing circus-bus and its tools into $(VENV) (a minute or so, once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]' \
		$(patsubst %,--editable '%[test]',$(CONTRIB))
	@touch $@

run: $(INSTALLED) ## start the example supervisor in this terminal
	@printf '%s\n' \
		'circusd keeps three watchers of docs/examples/quickstart.ini alive: web, worker (two processes) and clock.' \
		'In another terminal, in this directory, try:' \
		'' \
		'    $(BIN)/circusctl status            what runs' \
		'    $(BIN)/circusctl list worker       the pids of the workers' \
		'    $(BIN)/circusctl incr worker       one more worker' \
		'    $(BIN)/circusctl listen            every event as it happens; then kill a worker' \
		'    $(BIN)/circusctl quit              stop it all; so does Ctrl-C here' \
		''
	@exec $(BIN)/circusd docs/examples/quickstart.ini

test: $(INSTALLED) ## run everything that checks the project
	@$(MAKE) --jobs=2 --output-sync=target lint types console docs
	@$(MAKE) pytest ARGS=

lint: $(INSTALLED) ## ruff: rules and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

console: $(INSTALLED) ## build the web console if its sources changed, and check them: tsc, Vitest
	@$(BIN)/python build_console.py
	$(BIN)/python build_console.py check

pytest: $(INSTALLED) ## the tests; choose some with ARGS, as in: make pytest ARGS="tests/docs -k tutorial"
	$(BIN)/pytest $(or $(ARGS),--numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal)

docs: $(INSTALLED) ## build the documentation into build/docs; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

bench: $(INSTALLED) ## measure this machine: spawn, respawn, stop, idle, requests
	@if [ -f tests/benchmarks/run.py ]; then exec $(BIN)/python tests/benchmarks/run.py $(ARGS); \
	else echo "tests/benchmarks/run.py is not there"; exit 1; fi

format: $(INSTALLED) ## let ruff format and mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) build dist docs/reference/generated .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		circus_plugins/web/static circus_plugins/web/ui/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
