# make demo | quick | test | campaign | kills | bench    (everything installs into .venv on first use)

PYTHON ?= python3
VENV ?= .venv
DEMO_RUN ?= build/demo
CASES ?= 1000000

# Otherwise every process that a test starts would compile the whole package again.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
CNNCLI := $(BIN)/cnncli
# --no-compile: pip would compile every module of torch and the others, half a minute; what is imported is compiled then.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-compile
# The package is built with what build-requirements.txt pins: pip would download the newest hatchling.
INSTALL := $(PIP) --no-build-isolation -c constraints.txt
INPUTS := pyproject.toml constraints.txt
PYTEST := $(BIN)/pytest -n logical --dist worksteal
# A file whose name begins with _ is a helper of the others.
# Those that are left out need a run, or a spec.
BENCHMARKS := $(filter-out benchmarks/_% benchmarks/restoration.py benchmarks/seeds.py benchmarks/transfer.py,$(wildcard benchmarks/*.py))

.PHONY: help demo quick lint types prose test campaign kills bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      inspect, check, train and evaluate LeNet-5 on handwritten digits"
	@echo "make quick     lint and the fast tests, for daily work"
	@echo "make lint      ruff"
	@echo "make types     mypy"
	@echo "make prose     spelling and wording"
	@echo "make test      lint, types, prose and the whole test suite"
	@echo "make campaign  the slow random and exhaustive checks; CASES=1000000 random command lines"
	@echo "make kills     kill trainings at 240 random moments, continue them, and compare the last bits"
	@echo "make bench     the side-by-side measurements under benchmarks/"
	@echo "make clean     remove the environment, caches and demo output"

# Each stamp is newer than the inputs only after pip succeeded, so an interrupted install is repeated.
$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.build: $(VENV)/.created build-requirements.txt
	@$(PIP) --require-hashes --no-deps -r build-requirements.txt
	@touch $@

$(VENV)/.train: $(VENV)/.build $(INPUTS)
	@echo "Installing cnncli[train] into $(VENV); torch is large, the first time takes a while ..."
	@$(INSTALL) -e '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.build $(INPUTS)
	@echo "Installing cnncli[dev] into $(VENV); torch is large, the first time takes a while ..."
	@$(INSTALL) -e '.[dev]'
	@touch $(VENV)/.train $@

demo: $(VENV)/.train
	$(CNNCLI) inspect specs/lenet5.yaml
	$(CNNCLI) check specs/lenet5.yaml
	@rm -rf $(DEMO_RUN)
	$(CNNCLI) train specs/lenet5.yaml --data digits --run $(DEMO_RUN)
	$(CNNCLI) evaluate $(DEMO_RUN)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

prose: $(VENV)/.dev
	$(BIN)/python scripts/check_prose.py

quick: lint
	$(PYTEST) -m "not (slow or campaign)"

test: lint types prose
	$(PYTEST)

campaign: $(VENV)/.dev
	$(PYTEST) -m campaign
	$(BIN)/python -m tests.campaign --cases $(CASES)

kills: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.killing

bench: $(VENV)/.dev
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
