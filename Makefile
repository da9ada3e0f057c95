# Everything a developer does. `make run` and `make test` need nothing but Python 3.11 or 3.12.
.PHONY: run test setup lint format quick bench
SHELL := /bin/sh

# The first of these that can make a virtual environment.
PYTHONS := python3.12 python3.11 python3 python

setup: .venv/.complete

.venv/.complete: requirements.lock pyproject.toml
	@python=; version=; for candidate in $(PYTHONS); do \
	  $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null || continue; \
	  version=$$candidate; \
	  if $$candidate -c 'import venv, ensurepip' 2>/dev/null; then python=$$candidate; break; fi; done; \
	if [ -z "$$version" ]; then \
	  echo 'kalam_pg needs Python 3.11 or 3.12: install the package python3.11 or python3.12' >&2; exit 1; fi; \
	if [ -z "$$python" ]; then \
	  echo "kalam_pg needs Python's venv module: install the package python3-venv" >&2; exit 1; fi; \
	echo "Making a virtual environment in .venv with $$python ($$($$python --version 2>&1)) …"; \
	$$python -m venv --clear .venv
	@echo "Installing $$(grep -c == requirements.lock) packages from requirements.lock; that takes a minute or a few …"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "Installing kalam_pg itself …"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Set up."

run: setup
	@.venv/bin/kalam serve --data ./data --host 127.0.0.1 --port 5433

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: setup
	.venv/bin/python -m conformance.bench

format: setup
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

# A file of tests stays with one process: what its tests share is made once.
test: lint
	.venv/bin/pytest -n 2 --dist loadfile

quick: setup
	.venv/bin/pytest -m 'not slow'
