"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import scipy.linalg  # noqa: F401  (loads the library whose threads are limited)
from hypothesis import settings
from threadpoolctl import threadpool_limits

# Tests share the cores: a library that takes them all makes each slower, and commands they start.
threadpool_limits(1, user_api="blas")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The same draws every time, so that a failure is a fault of the change and not of the day.
# HYPOTHESIS_PROFILE=search draws anew: run it now and then, and keep what it finds as a test.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder that holds `data/`: real data and reference values that are not ours to ship.

    It is BASEEVAL_SHARED, else `../shared`. Where it is absent the test is skipped.
    """
    folder = Path(os.environ.get("BASEEVAL_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("BASEEVAL_SHARED data absent")
    return folder.resolve()
