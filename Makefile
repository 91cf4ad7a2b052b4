# make run and make test are all a fresh machine needs: Python 3.11 or newer with venv and pip, and make.
PYTHON ?= python3
COMPANY ?= data/sample
# make bench SERIES=file.parquet also measures the forecasts of series with a known future.
SERIES ?=
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt

.PHONY: run test lab lint bench docs golden constraints clean

run: .venv/run-time
	@$(BIN)/sop run $(COMPANY)

test: .venv/test
	$(BIN)/python -m pytest -n 2 --dist loadfile

lab: .venv/run-time
	@$(BIN)/sop lab $(COMPANY)

lint: .venv/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/run-time
	@$(BIN)/python -m benchmarks.pipeline $(COMPANY)
	$(if $(SERIES),@$(BIN)/python -m benchmarks.forecast $(SERIES))

docs: .venv/run-time
	$(BIN)/python -c "from sop_lib import tables; print(tables.dictionary(), end='')" > docs/tables.md

golden: .venv/test
	$(BIN)/python -m pytest tests/test_chain.py --refresh-golden

constraints: $(BIN)/uv
	echo uv | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--no-annotate --no-header --output-file constraints.txt pyproject.toml -

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

.venv/run-time: $(BIN)/uv pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

.venv/test: .venv/run-time
	$(INSTALL) -e ".[test]"
	@touch $@
