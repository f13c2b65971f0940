# Everything from a fresh clone: each of these sets up what it needs.
#   make demo     a broker to play with (another port: make demo PORT=8081)
#   make test     everything that can fail: make check, then the agent and the real clients
#   make check    the linters, the types and the quick tests
#   make bench    how fast it is
#   make docs     docs/reference.md, from the code

PYTHON ?= python3
PORT ?= 8080

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
INSTALL := PIP_CONSTRAINT=constraints.txt $(PIP) install --editable

.PHONY: demo test check bench docs

demo: $(VENV)/installed
	@$(BIN)/usher demo --port $(PORT)

test: check
	$(BIN)/python -m pytest tests/agent tests/e2e

check: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet -n 4 --dist loadfile --ignore=tests/agent --ignore=tests/e2e

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench

docs: $(VENV)/installed-dev
	$(BIN)/python docs/generate.py

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/installed

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| $(call missing,Python 3.11 or newer as $(PYTHON))
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| $(call missing,the venv module of Python)
	$(PYTHON) -m venv $(VENV)

missing = { echo 'Usher needs $(1): apt install python3-venv' >&2; exit 1; }
