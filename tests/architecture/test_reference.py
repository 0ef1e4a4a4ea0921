"""The reference page and the glossary say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

from baseeval.results import FLAGS, VERDICTS


def test_the_reference_page_is_current(root: Path) -> None:
    made = runpy.run_path(str(root / "scripts" / "make_reference.py"))["reference"]()
    assert (root / "docs" / "reference.md").read_text(encoding="utf-8") == made


def test_the_glossary_knows_every_flag_and_verdict(root: Path) -> None:
    glossary = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [code for code in (*FLAGS, *VERDICTS) if f"`{code}`" not in glossary] == []
