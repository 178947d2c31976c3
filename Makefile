# The two commands of the README. Everything else: justfile.
# uv reads none of pip's settings; a machine that keeps local wheels for pip shares them here.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test clean

demo: $(VENV)/.base  ## install the base and run the main job: simulate, ingest, compare, train, serve
	$(BIN)/nextbest demo $(DEMO_FLAGS)

test: $(VENV)/.test  ## install everything and run the tests
	$(BIN)/just --set bin "$(abspath $(BIN))" test

$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.5"

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[all,test]"
	touch $@ $(VENV)/.base

clean:
	rm -rf $(VENV) .nextbest .mypy_cache .ruff_cache .pytest_cache
