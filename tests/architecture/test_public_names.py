"""A public name stays what it is, whichever modules were imported before it was asked for."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from types import ModuleType

import baseeval as be

OPTIONAL = ("baseeval.app", "baseeval.engine.spark")


def module_names() -> list[str]:
    found = pkgutil.walk_packages(be.__path__, prefix="baseeval.")
    return [
        module.name
        for module in found
        if not module.name.startswith(OPTIONAL) and not module.name.endswith("__main__")
    ]


def test_no_public_name_is_a_module() -> None:
    last_parts = {name.rpartition(".")[2] for name in module_names()}
    assert not last_parts & set(be.__all__)


def test_public_names_survive_the_import_of_every_module() -> None:
    script = "\n".join(
        [
            *(f"import {name}" for name in module_names()),
            "import baseeval as be",
            "from types import ModuleType",
            "for _ in range(2):",
            "    bad = [n for n in be.__all__ if isinstance(getattr(be, n), ModuleType)]",
            "    assert not bad, bad",
        ]
    )
    outcome = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr


def test_every_public_name_is_there_and_listed() -> None:
    for name in be.__all__:
        assert not isinstance(getattr(be, name), ModuleType)
        assert name in dir(be)
