"""The catalogues in the docs say what the catalogue's files say, each entry with its source."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from baseeval.catalogue import known_features, known_outcomes, known_scales, known_sources

PAGES = {"outcomes.md": "outcomes_page", "features.md": "features_page"}


@pytest.fixture(scope="module")
def made(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "scripts" / "make_catalogue.py"))


def page(root: Path, name: str) -> str:
    return (root / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "maker"), PAGES.items())
def test_the_page_is_current(made: dict[str, Any], root: Path, name: str, maker: str) -> None:
    assert page(root, name) == made[maker]()


def test_every_entry_stands_on_its_page_once_with_its_sources(root: Path) -> None:
    for name, entries in (
        ("outcomes.md", known_outcomes()),
        ("features.md", known_features()),
    ):
        rows = [line for line in page(root, name).splitlines() if line.startswith("| **")]
        assert len(rows) == len(entries)
        for row, entry in zip(sorted(rows), sorted(entries.values(), key=shown), strict=True):
            assert f"`{entry.name}`" in row
            cited = row.removesuffix(" |").rpartition(" | ")[2].split("; ")
            assert cited == [known_sources()[source].label for source in entry.sources]


def shown(entry: Any) -> str:
    return f"| **{entry.title}** `{entry.name}` |"


def test_every_scale_stands_on_the_page_with_how_sure_it_is(root: Path) -> None:
    sections = page(root, "outcomes.md").split("\n### ")[1:]
    titles = [section.partition("\n")[0] for section in sections]
    assert titles == [scale.title for scale in known_scales().values()]
    assert all("| how sure this key is | " in section for section in sections)


def test_every_group_and_source_is_used(made: dict[str, Any], root: Path) -> None:
    outcomes, features = known_outcomes().values(), known_features().values()
    assert {o.group for o in outcomes} == set(made["OUTCOME_GROUPS"])
    assert {f.group for f in features} == set(made["FEATURE_GROUPS"])
    cited = {s for e in (*outcomes, *features, *known_scales().values()) for s in e.sources}
    assert cited == set(known_sources())


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(made: dict[str, Any], root: Path, name: str) -> None:
    text = page(root, name)
    anchors = {made["anchor"](head) for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    links = set(re.findall(r"\]\(([^)]*(?:\([^)]*\))?[^)]*)\)", text))
    for link in links:
        file, _, part = link.partition("#")
        if not file:
            assert part in anchors, link
        elif not link.startswith("http"):
            assert (root / "docs" / file).is_file(), link


@pytest.mark.parametrize("name", PAGES)
def test_every_row_of_a_table_has_the_cells_of_its_head(root: Path, name: str) -> None:
    for block in re.findall(r"(?:^\|.*\|\n)+", page(root, name), flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block.splitlines()[0]
