"""Imports point down the layers in pyproject.toml; worlds stays an independent witness."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grimp

WITNESS_MAY_IMPORT = ("baseeval.errors", "baseeval.contracts", "baseeval.worlds")
WITNESS_MUST_NOT_REACH = {"formulaic", "linearmodels", "sklearn", "statsmodels"}


def test_imports_point_down(root: Path) -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    outcome = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root / "src"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_worlds_share_no_code_with_what_they_test() -> None:
    graph = grimp.build_graph("baseeval", include_external_packages=True, cache_dir=None)
    worlds = {name for name in graph.modules if name.startswith("baseeval.worlds")}
    reached = set().union(*(graph.find_upstream_modules(name) for name in worlds))
    ours = {name for name in reached if name.startswith("baseeval.")}
    strangers = {name for name in ours if not name.startswith(WITNESS_MAY_IMPORT)}
    assert not strangers, f"worlds reaches {sorted(strangers)}"
    assert not reached & WITNESS_MUST_NOT_REACH
