# `just check` is the one command that does it all (the PyPI package is rust-just).
bin := if path_exists(".venv/bin/python") == "true" { justfile_directory() / ".venv/bin" } else { "" }
export PATH := if bin == "" { env("PATH") } else { bin + ":" + env("PATH") }

# list the recipes
default:
    @just --list

# format, lint, types, borders, tests with coverage
check: lint types borders cover

# the tests, as the README's second command runs them
test *args:
    python -m pytest {{ args }}

lint:
    ruff format --check src tests benchmarks
    ruff check src tests benchmarks

types:
    mypy

borders:
    lint-imports

# tests with branch coverage; the floor only rises
cover:
    python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=97

# write formatting and safe fixes
fix:
    ruff check --fix src tests benchmarks
    ruff format src tests benchmarks

# pin every dependency without naming a registry; torch's local build tag is dropped, and what only its
# CUDA build needs, which that build pins itself
lock:
    UV_FIND_LINKS="${PIP_FIND_LINKS:-}" uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-find-links --no-emit-index-url --all-extras pyproject.toml -o constraints.txt
    sed -i -e '/^nextbest/d' -e '/^torch==/d' -e '/^--/d' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton==/d' constraints.txt
    echo "torch==2.13.0" >> constraints.txt
