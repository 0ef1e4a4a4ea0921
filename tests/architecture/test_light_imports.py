"""What a person waits for: help and check must not pay for libraries that they do not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("matplotlib", "statsmodels", "linearmodels", "gptables")
COMMANDS = {
    "help": ["--help"],
    "check": ["check", "analyses/src_replication/study.toml"],
}
SCRIPT = """
import runpy, sys
try:
    runpy.run_module("baseeval", run_name="__main__", alter_sys=True)
except SystemExit as leaving:
    code = leaving.code
heavy = [name for name in {heavy!r} if name in sys.modules]
sys.exit(f"exit {{code}}, imported {{heavy}}" if heavy or code else 0)
"""


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_imports_nothing_heavy(arguments: list[str], root: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(heavy=HEAVY), *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
