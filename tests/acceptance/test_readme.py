"""The README's code and main job do what it says; its set-up and test command are not run here."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def marked_block(marker: str) -> str:
    """Give the first fenced block after an HTML comment."""
    found = re.search(rf"<!-- {marker} -->.*?^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md holds no block marked {marker}"
    return found.group(1).strip()


def run(arguments: list[str], root: Path) -> str:
    outcome = subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


@pytest.mark.parametrize("code", PYTHON_BLOCKS)
def test_python_runs(code: str, root: Path) -> None:
    assert run(["-c", code], root).strip()


def test_main_job_ends_in_a_report(root: Path, tmp_path: Path) -> None:
    job = shlex.split(marked_block("main-job").split("&&")[-1])
    assert Path(job[0]).name == "baseeval"
    out = tmp_path / "output"
    begun = time.monotonic()
    run(["-m", "baseeval", *job[1:], "--out", str(out)], root)
    assert time.monotonic() - begun < 120
    table = README.partition("## What comes out")[2].partition("\n## ")[0]
    promised = re.findall(r"`([\w.]+\.\w+)`", table)
    assert "report.html" in promised
    assert [name for name in promised if not (out / name).is_file()] == []


@pytest.mark.parametrize("marker", ["main-job", "test-command"])
def test_commands_are_one_line(marker: str) -> None:
    assert len(marked_block(marker).splitlines()) == 1


def test_links_lead_somewhere(root: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", README)
    assert [link for link in links if not (root / link).exists()] == []
