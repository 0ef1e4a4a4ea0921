"""The design stage sees covariates alone: it imports no measure or model, and names no outcome."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from baseeval.cohort.building import Cohort

DESIGN = Path(__file__).resolve().parents[2] / "src" / "baseeval" / "design"
MODULES = sorted(DESIGN.rglob("*.py"))
FORBIDDEN = ("baseeval.measures", "baseeval.effects", "baseeval.pipeline", "baseeval.stress")
#: Fields of a cohort that outcomes have shaped; the others are the plan, its data and counts.
OUTCOMES = {"outcomes", "answers", "surveyed", "completion", "attrition", "movements", "ways_out"}

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=[str(p.relative_to(DESIGN)) for p in MODULES]
)


def imported(tree: ast.Module) -> set[str]:
    """Return every module that a module imports, with the names taken from it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def named(tree: ast.Module) -> set[str]:
    """Return every attribute that a module reads, by name or by text."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    texts = {
        node.args[1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "getattr"
        and isinstance(node.args[1], ast.Constant)
    }
    return attributes | {str(text) for text in texts}


@each_module
def test_design_imports_nothing_that_knows_an_outcome(path: Path) -> None:
    guilty = {
        name for name in imported(ast.parse(path.read_text("utf-8"))) if name.startswith(FORBIDDEN)
    }
    assert guilty == set()


@each_module
def test_design_reads_no_field_that_outcomes_have_shaped(path: Path) -> None:
    assert named(ast.parse(path.read_text("utf-8"))) & OUTCOMES == set()


def test_the_rules_catch_what_they_forbid() -> None:
    assert set(Cohort.__dataclass_fields__) >= OUTCOMES
    tree = ast.parse(
        "from baseeval.effects import rows\nimport baseeval.measures.kinds\n"
        "def f(cohort):\n    return cohort.outcomes, getattr(cohort, 'answers')\n"
    )
    assert {name for name in imported(tree) if name.startswith(FORBIDDEN)} == {
        "baseeval.effects.rows",
        "baseeval.measures.kinds",
    }
    assert named(tree) & OUTCOMES == {"outcomes", "answers"}
