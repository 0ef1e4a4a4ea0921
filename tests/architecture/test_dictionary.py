"""The data dictionary and the schemas say what the contracts say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from baseeval.contracts.registry import TABLES


@pytest.fixture(scope="module")
def made(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "scripts" / "make_dictionary.py"))


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "data-dictionary.md").read_text(encoding="utf-8")


def test_the_page_is_current(made: dict[str, Any], page: str) -> None:
    assert page == made["dictionary"]()


def test_the_schemas_are_current_and_there_is_no_other(made: dict[str, Any], root: Path) -> None:
    folder = root / "docs" / "schemas"
    held = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert held == made["schemas"]()


def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    anchors = [heading.lower().replace(" ", "-") for heading in headings]
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) - set(anchors) == set()


def test_every_kind_of_column_is_explained(made: dict[str, Any]) -> None:
    used = {column.kind for contract in TABLES.values() for column in contract.columns}
    assert set(made["KINDS"]) == used


def test_every_row_of_a_table_has_the_cells_of_its_head(page: str) -> None:
    for block in re.findall(r"(?:^\|.*\|\n)+", page, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block.splitlines()[0]
