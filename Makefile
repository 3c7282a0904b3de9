# What a person types. Each target does only what is missing, so calling it again is quick.
#   make quickstart   the whole job in a minute, on the embedded CA
#   make test         every check, on real servers
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help quickstart test lint unit servers bench soak pins clean

VENV := .venv
BIN := $(VENV)/bin
# Three on two cores: half of the time a test waits for a server, and two leave a core idle.
WORKERS ?= 3
SCRIPTS := $(wildcard benchmarks/*.py tools/*.py examples/quickstart/*.py)
# The interpreter to build with; empty: the best one found.
PYTHON ?=
# For the build of the package itself too, which `pip -c` does not reach.
PIP := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check

help:
	@sed -n '2,3s/^# *//p' Makefile
	@echo "also: lint, bench, soak, pins, clean"

$(BIN)/python:
	@python="$(PYTHON)"; python="$${python:-$$(tools/pick-python.sh)}" && echo "$$python -m venv $(VENV)" && "$$python" -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.base
	$(PIP) -e '.[test]'
	@touch $@

quickstart: $(VENV)/.base
	@$(BIN)/python examples/quickstart/run.py

servers:
	@tools/install-servers.sh

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy reconciler tests $(SCRIPTS)
	$(BIN)/lint-imports

unit: $(VENV)/.test servers
	$(BIN)/pytest -n $(WORKERS) -m 'not soak' --cov --cov-report=term || { \
	  echo "== what failed beside other tests is run once more, alone ==" && \
	  $(BIN)/pytest --last-failed --last-failed-no-failures none -m 'not soak'; }

test: lint unit

# Beside other programs where they can be had: else what was recorded of them stands in the table.
bench: $(VENV)/.test servers
	-@tools/install-servers.sh lego:lego certbot:certbot
	$(BIN)/python -m benchmarks

soak: $(VENV)/.test servers
	$(BIN)/pytest -m soak

# All versions anew, those of the build too, in an environment of their own. They must hold for Debian 12's Python.
pins:
	rm -rf .cache/pins
	$(or $(PYTHON),/usr/bin/python3.11) -m venv .cache/pins
	.cache/pins/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' hatchling editables
	{ sed 1q constraints.txt && .cache/pins/bin/python -m pip freeze --exclude-editable; } >.cache/pins/constraints.txt
	mv .cache/pins/constraints.txt constraints.txt

clean:
	rm -rf $(VENV) quickstart .cache .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
