# make setup | demo | test | test-all | test-lowest | faults | docs. The virtual environment is made once and used again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS := 1

.PHONY: setup demo lint test test-full test-all test-lowest faults docs clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	touch $@

demo: setup
	OMP_NUM_THREADS=2 $(BIN)/python examples/demo.py --out runs/demo
	$(BIN)/unequal study run quick --out runs/quick

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# What to run before a commit. test-full runs what this leaves out, and test-all is both.
test: lint
	$(BIN)/pytest -n 2 --dist loadfile

test-full: setup
	$(BIN)/pytest -n 2 --dist loadfile -m "full and not slow and not gpu"

test-all: lint
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not gpu"

# The unit tests with the oldest direct dependencies that pyproject.toml allows, in an environment of their own.
test-lowest:
	scripts/test_lowest $(VENV)-lowest

# Some of these need a root of their own for a small disk, as Linux gives to everybody (unshare --map-root-user).
faults: setup
	$(BIN)/pytest -n 2 --dist loadfile -m fault --fault-table=docs/faults.md

docs: setup
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) $(VENV)-lowest runs .mypy_cache .pytest_cache .ruff_cache .hypothesis
