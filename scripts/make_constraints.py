"""Remake constraints.txt: one pin a package for every platform and Python that baseeval supports.

Needs `uv` on the path. The file holds names, versions and environment markers, nothing else.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = "3.11", "3.14"
HEADER = f"""\
# Pins of baseeval's core and [dev] requirements: Python {OLDEST} to {NEWEST}, any platform.
# Use: python -m pip install -c constraints.txt .
# Remake: just constraints   (or: python scripts/make_constraints.py; needs uv)
"""


def compile_pins(*options: str) -> str:
    """Resolve the core and [dev] requirements; only the pins come back."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", *options]
    command += ["--extra", "dev", "pyproject.toml"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Write the pins, then prove that the oldest and the newest Python resolve under them."""
    target = ROOT / "constraints.txt"
    pins = compile_pins("--universal", "--upgrade", "--python-version", OLDEST)
    strange = [line for line in pins.splitlines() if "==" not in line or "/" in line]
    if strange:
        raise SystemExit(f"constraints.txt would hold more than pins: {strange}")
    target.write_text(HEADER + pins, encoding="utf-8", newline="\n")
    for version in (OLDEST, NEWEST):
        compile_pins("--python-version", version, "--constraint", target.name)


if __name__ == "__main__":
    main()
