"""The check on skips reads what pytest writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
def test_passes(): pass
@pytest.mark.xfail(reason="known")
def test_fails(): assert False
@pytest.mark.skipif(True, reason="{reason}")
def test_skips(): pass
"""


@pytest.mark.parametrize(
    ("reason", "code"), [("BASEEVAL_SHARED data absent", 0), ("too hard today", 1)]
)
@pytest.mark.parametrize("whole_file", [False, True])
def test_skip_reasons(root: Path, tmp_path: Path, reason: str, code: int, whole_file: bool) -> None:
    body = TESTS.format(reason=reason)
    if whole_file:
        body = f"import pytest\npytest.skip({reason!r}, allow_module_level=True)\n"
    (tmp_path / "test_sample.py").write_text(body, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    report = tmp_path / "junit.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        capture_output=True,
        check=False,
    )
    outcome = subprocess.run(
        [sys.executable, str(root / ".ci" / "check_skips.py"), str(report)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == code
    assert outcome.stdout.startswith(f"skipped 1: {reason} (")
