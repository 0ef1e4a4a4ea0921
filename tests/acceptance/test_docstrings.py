"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import baseeval as be

OPTIONAL = ("baseeval.app", "baseeval.engine.spark", "baseeval.__main__")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(be.__path__, prefix="baseeval.")
    if not module.name.startswith(OPTIONAL)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(name), optionflags=options).failed == 0
