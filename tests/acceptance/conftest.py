"""One run of the replication study, shared by the tests that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

import baseeval as be


@pytest.fixture(scope="session")
def replication(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the study of the README's main job and give its output folder."""
    out = tmp_path_factory.mktemp("replication") / "output"
    return be.run(root / "analyses" / "src_replication" / "study.toml", out)
