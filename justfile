# Daily commands. CONTRIBUTING.md gives the same ones for those without `just`.
python := ".venv/bin/python"

# list the recipes
default:
    @just --list

# make .venv, with the package installed so that edits take effect
setup:
    python3 -m venv .venv
    {{python}} -m pip install -q -c constraints.txt -e ".[dev]"

# style, types, layers
check:
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .
    {{python}} -m mypy
    .venv/bin/lint-imports --no-cache

# mend what can be mended
fix:
    {{python}} -m ruff check --fix .
    {{python}} -m ruff format .

# the tests; `just test tests/unit -k plan` runs some
test *args:
    {{python}} -m pytest -n 2 {{args}}

# the tests that take minutes
slow *args:
    {{python}} -m pytest -n 2 -m slow {{args}}

# one study: `just study star`
study name="src_replication":
    {{python}} -m baseeval run analyses/{{name}}/study.toml

# remake the synthetic sample that the main job reads
sample:
    {{python}} scripts/make_sample.py

# remake the example report from synthetic data
report:
    {{python}} -m baseeval run analyses/src_replication/study.toml --out reports/src_replication

# the unit tests on the oldest versions that pyproject.toml allows (needs uv)
lowest:
    uv venv -q --clear --python 3.11 .venv-lowest
    uv pip install -q --python .venv-lowest --resolution lowest-direct ".[dev]"
    .venv-lowest/bin/python -m pytest tests/unit

# remake constraints.txt from the newest versions (needs uv)
constraints:
    {{python}} scripts/make_constraints.py
