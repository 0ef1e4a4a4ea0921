"""Random streams keyed by the name of the stage that draws from them.

A stage added, removed or asked for more numbers leaves every other stage's numbers as they
were: two worlds that differ in one parameter differ only in what that parameter touches.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, stage: str) -> np.random.Generator:
    """Make a generator that depends on the seed and the stage's name, and on nothing else.

    Parameters
    ----------
    seed : int
        The world's only seed, 0 or more.
    stage : str
        A name such as ``"outcome/attainment/pupil"``.

    Returns
    -------
    numpy.random.Generator
        Independent, for practical purposes, of every other stage's.
    """
    digest = hashlib.sha256(stage.encode("utf-8")).digest()[:16]
    # Fixed byte order: the same stage must give the same key on every platform.
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
