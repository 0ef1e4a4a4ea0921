"""Rules of the house that are read off the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
MODULES = sorted((SOURCE / "baseeval").rglob("*.py"))
# The optional extras: only these may be imported inside a function (TID253 in pyproject.toml).
EXTRAS = {"diff_diff", "lightgbm", "pyreadstat", "pyspark", "sklearn", "starlette", "uvicorn"}

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=[str(path.relative_to(SOURCE)) for path in MODULES]
)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def private_uses(tree: ast.Module) -> Iterator[str]:
    """Yield every private name of another of our modules that this one imports or reaches into."""
    ours: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or node.module == "baseeval"):
            ours |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and (
            node.level or (node.module or "").split(".")[0] == "baseeval"
        ):
            path = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (f"line {node.lineno}: {name}" for name in path if is_private(name))
        if isinstance(node, ast.Import):
            ours |= {a.asname for a in node.names if a.asname and a.name.startswith("baseeval")}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ours
            and is_private(node.attr)
        ):
            yield f"line {node.lineno}: {node.value.id}.{node.attr}"


def hidden_imports(tree: ast.Module) -> Iterator[str]:
    """Yield every import inside a function, save of an optional extra."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "."]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("import_module", "__import__")
            ):
                names = [ast.unparse(node)]
            else:
                continue
            yield from (
                f"line {node.lineno}: {name}" for name in names if name.split(".")[0] not in EXTRAS
            )


@each_module
def test_no_private_name_crosses_modules(path: Path) -> None:
    assert not list(private_uses(parse(path)))


@each_module
def test_no_import_hides_in_a_function(path: Path) -> None:
    if path.name == "__init__.py":
        tree = parse(path)
        tree.body = [
            node
            for node in tree.body
            if not (isinstance(node, ast.FunctionDef) and node.name == "__getattr__")
        ]
        assert not list(hidden_imports(tree))
    else:
        assert not list(hidden_imports(parse(path)))


def test_the_rules_catch_what_they_forbid() -> None:
    guilty = ast.parse(
        "from baseeval.design import _fit\n"
        "import baseeval.plan as plan\n"
        "def f():\n    import scipy\n    from pyspark import sql\n    return plan._hash\n"
    )
    assert list(private_uses(guilty)) == ["line 1: _fit", "line 6: plan._hash"]
    assert list(hidden_imports(guilty)) == ["line 4: scipy"]
