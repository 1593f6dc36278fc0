# make demo | test | bench | fuzz | soak | lint     Python >= 3.11 and make are all they need; the rest is installed into .venv
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SERIAL := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 MPLBACKEND=Agg

.PHONY: demo test bench lint fuzz soak clean

demo: $(VENV)/.core
	$(BIN)/c2b demo c2b-demo

test: $(VENV)/.test lint
	$(SERIAL) $(BIN)/python -m pytest

bench: $(VENV)/.test
	$(SERIAL) C2B_THREADS=1 $(BIN)/python -m tests.benchmarks

fuzz: $(VENV)/.test
	$(SERIAL) $(BIN)/python -m tests.fuzz --cases 20000
	$(SERIAL) $(BIN)/python -m tests.fuzz.settings_walk

soak: $(VENV)/.test
	$(SERIAL) $(BIN)/python -m tests.soak_calibration 200
	$(SERIAL) $(BIN)/python -m tests.soak_training 10
	$(SERIAL) C2B_THREADS=1 $(BIN)/python -m tests.soak_comparison 300
	$(SERIAL) $(BIN)/python -m tests.soak_check 300 30
	$(SERIAL) $(BIN)/python -m tests.soak_alignment 1

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit("c2b needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 demo" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	$(PIP) --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) c2b-demo dist .pytest_cache .mypy_cache .ruff_cache
