"""Random streams keyed by the name of the stage that draws from them.

A stage added, removed or asked for more numbers leaves every other stage's numbers as they
were: two worlds that differ in one parameter differ only in what that parameter touches.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

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
    key = struct.unpack("<4I", digest)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class Streams:
    """The streams of one area of a world.

    Attributes
    ----------
    seed : int
        The world's only seed, 0 or more.
    area : int
        From 0. An area's numbers do not depend on how many areas there are, nor on the
        process that draws them.
    realm : str
        Empty for the world that is told; another word for draws that only the truth uses.
    """

    seed: int
    area: int = 0
    realm: str = ""

    def __call__(self, stage: str) -> np.random.Generator:
        """Make the generator of a stage in this area."""
        place = f"area/{self.area}/{stage}" if self.area else stage
        return stream(self.seed, f"{self.realm}:{place}" if self.realm else place)
