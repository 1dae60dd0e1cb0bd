# Everything happens in .venv; `make demo` and `make test` set it up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint format types check docs pages bench bench-gpu wheel release-check clean

demo: $(VENV)/.program
	$(BIN)/sbirctl demo

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

# what is dear and guards what rarely breaks
test-slow: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m slow

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed
	$(BIN)/mypy

check: lint types test

# the documentation site into build/site, its links checked; open build/site/index.html
docs: $(VENV)/.installed
	rm -rf build/site
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -d build/doctrees docs build/site
	$(BIN)/python .ci/links.py build/site

# docs/models/ and docs/ledger.md, after a card, a setting or the ledger changed
pages: $(VENV)/.installed
	for name in $$($(BIN)/sbirctl models | tail -n +2 | cut -f1); do \
	    $(BIN)/sbirctl models show $$name --format md > docs/models/$$name.md || exit 1; \
	done
	$(BIN)/sbirctl ledger --format md > docs/ledger.md

# every stage beside the bare cost of its parts; writes benchmarks/results.md
bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py

# what only a GPU shows, in under 20 minutes; writes benchmarks/results/gpu.md
bench-gpu: $(VENV)/.installed
	$(BIN)/python benchmarks/gpu.py

# both wheels of a release into dist/: sbirctl-core (light) and sbirctl (everything)
wheel: $(VENV)/.builder
	$(BIN)/python .ci/wheels.py dist

# before an upload: oldest and newest requirements, sdist, a fresh install from an index of its own
release-check:
	.ci/release

# what builds wheels, without the program and its requirements
$(VENV)/.builder:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build tomli-w
	touch $@

# the program alone, then what its development needs
$(VENV)/.program: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed: $(VENV)/.program
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
