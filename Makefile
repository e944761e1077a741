# make setup | demo | test | faults | docs. The virtual environment is made once and used again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS := 1

.PHONY: setup demo test faults docs clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	touch $@

demo: setup
	$(BIN)/unequal count --facts country-capital --corpus factbook --window 100 --out runs/capitals.parquet
	$(BIN)/unequal study run examples/quick.toml --out runs/quick

test: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

# Some of these need a root of their own for a small disk, as Linux gives to everybody (unshare --map-root-user).
faults: setup
	$(BIN)/pytest -n 2 --dist loadfile -m fault --fault-table=docs/faults.md

docs: setup
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) runs .mypy_cache .pytest_cache .ruff_cache .hypothesis
