"""Small worlds of pupils in schools, drawn with numpy alone: arms, few schools, a known effect.

Outcomes are in pupil SDs. Neither the generator of whole studies nor a cohort has a part in
them, so thousands can be drawn in a minute.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.effects.spec import EffectSample
from baseeval.results import ARMS, CONTRASTS
from baseeval.stress.recovery import Question

Floats = NDArray[np.float64]

#: Sets of school sizes that a world draws from: what is worked out from sizes alone is used again.
_LAYOUTS = 40


@dataclass(frozen=True, slots=True)
class SchoolWorld:
    """A layout of schools over the arms, and what makes outcomes vary.

    Parameters
    ----------
    schools : tuple of int
        Of (base, host_mainstream, non_host), each school in one arm; or of (hosts, others):
        base and host_mainstream pupils inside the same host schools.
    pupils : float
        Pupils in a school, about which sizes vary with a log SD of `spread`.
    icc : float
        Share of the variance that lies between schools.
    slope : float
        SD of a school's own base effect, mean zero.
    effect : float
        Of a base, against both other arms.
    prior : float
        Correlation of the outcome with a covariate that is lower in bases by half an SD.
    confounding : float
        By how much the schools that hold bases are better than others for reasons of their own.
    spread : float
    """

    schools: tuple[int, ...]
    pupils: float = 40.0
    icc: float = 0.05
    slope: float = 0.0
    effect: float = 0.0
    prior: float = 0.0
    confounding: float = 0.0
    spread: float = 0.35

    @property
    def inside(self) -> bool:
        """Return whether bases and their hosts' mainstream share schools."""
        return len(self.schools) == 2

    @property
    def name(self) -> str:
        """Return the layout and what varies in it."""
        if self.inside:
            layout = f"{self.schools[0]} hosts + {self.schools[1]} others"
        else:
            layout = f"{'/'.join(map(str, self.schools))} apart"
        told = [layout, f"{self.pupils:g} pupils", f"ICC {self.icc:g}"]
        more = ("slope", "effect", "prior", "confounding")
        return ", ".join([*told, *(f"{n} {getattr(self, n):g}" for n in more if getattr(self, n))])

    def draw(self, rng: np.random.Generator) -> dict[str, Question]:
        """Draw pupils; a question is a contrast."""
        school, arm = self._pupils(np.random.default_rng([self._code, int(rng.integers(_LAYOUTS))]))
        y = self._outcomes(rng, school, arm)
        covariates = np.empty((len(y), 0))
        if self.prior:
            prior = rng.standard_normal(len(y)) - 0.5 * (arm == 0)
            y = math.sqrt(1 - self.prior**2) * y + self.prior * prior
            covariates = prior[:, None]
        # The effect stands outside the rest, so that it is what it is called.
        y = y + self.effect * (arm == 0)
        found = {}
        for contrast, pair in CONTRASTS.items():
            first, second = (ARMS.index(name) for name in pair)
            kept = (arm == first) | (arm == second)
            sample = EffectSample(
                outcome=y[kept],
                first=arm[kept] == first,
                weights=np.ones(int(kept.sum())),
                covariates=covariates[kept],
                school=np.unique(school[kept], return_inverse=True)[1].astype(np.intp),
            )
            found[contrast] = Question(sample, self.effect if first == 0 else 0.0)
        return found

    @property
    def _code(self) -> int:
        return zlib.crc32(repr((self.schools, self.pupils, self.spread)).encode())

    def _pupils(self, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return each pupil's school and arm."""
        count = sum(self.schools)
        sizes = self.pupils * np.exp(self.spread * rng.standard_normal(count))
        school = np.repeat(np.arange(count), np.maximum(4, np.round(sizes)).astype(int))
        if not self.inside:
            return school, np.repeat(np.arange(3), self.schools)[school]
        share = rng.beta(8, 8, count)
        in_base = rng.random(len(school)) < share[school]
        return school, np.where(school >= self.schools[0], 2, np.where(in_base, 0, 1))

    def _outcomes(
        self, rng: np.random.Generator, school: NDArray[np.intp], arm: NDArray[np.intp]
    ) -> Floats:
        own = rng.standard_normal((2, sum(self.schools)))[:, school]
        y = math.sqrt(self.icc) * own[0] + math.sqrt(1 - self.icc) * rng.standard_normal(len(arm))
        y += (arm == 0) * self.slope * own[1]
        hosts = (arm < 2) if self.inside else (arm == 0)
        return np.asarray(y + self.confounding * hosts, dtype=np.float64)
