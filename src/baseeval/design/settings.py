"""Every choice that a request for a design can make, with its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settings:
    """The choices of a request; each method reads those that its SPEC names.

    Parameters
    ----------
    estimand : str
        ATT, ATC, ATE, ATO, ATM or ATEN.
    focal : int, optional
        Position of the arm that an ATT of three arms is about; the first by default.
    distance : str or ndarray, shape (n,)
        logit (fitted probability), linear_logit (its log odds), mahalanobis, or
        scores of one's own.
    mahalanobis : tuple of str
        Covariates whose Mahalanobis distance ranks partners within a caliper on
        the propensity.
    ratio : int
        Partners a pupil may have.
    replace : bool
        Whether a pupil may be the partner of several.
    reuse : int, optional
        Of how many at most; asking for it asks for replacement.
    caliper : float or mapping of str to float, optional
        Largest difference allowed: of the distance, or by the names of columns
        (the empty name is the distance).
    caliper_unit : str or mapping of str to str
        sd or raw.
    order : str, optional
        Who chooses first: largest, smallest, closest, farthest, random or data.
    prefer : str
        "school" to look for partners in the same school first.
    school_cost : str
        What makes schools unlike when schools are paired: both, pupils,
        mahalanobis or rank_mahalanobis.
    schools_each : int
        Schools of the other side that each school is paired with.
    keep_schools : float, optional
        Pairs of schools to keep, or below one the share of them.
    subclasses : int
    min_per_arm : int
        Pupils of each arm that every subclass gets.
    cutpoints : mapping
        How numbers are coarsened, by column.
    grouping : mapping
        Categories that count as one when coarsened: by column, lists of levels.
    min_controls, max_controls : float, optional
        Bounds on the size of full matching's sets.
    tolerance : float
        Largest mean difference allowed, in standard deviations, where a method
        allows any.
    profile : bool
        Of cardinality matching: balance against fixed means, in no ratio.
    time_limit : float
        Seconds for each exact stratum of cardinality matching.
    moments : int
        1 balances means, 2 also variances.
    interactions : bool
        Whether products of covariates are balanced too.
    propensity : str
        How the chance of being in an arm is modelled.
    ridge : float
        Penalty of a ridge propensity.
    trim : str or float, optional
        Who is left out before weights are made: crump, common_support, or the
        smallest propensity allowed.
    truncate : float, optional
        Quantile of an arm's weights beyond which they are drawn down to it.
    stabilise : bool
        Whether weights are multiplied by the share of their arm.
    normalise : bool
        Whether weights are scaled to a mean of one in each arm.
    largest_share : float, optional
        The largest share of an arm's weight that one pupil may hold.
    estimating_functions : bool
        Whether scores, bread and derivatives of the weights are wanted.
    seed : int
    """

    estimand: str = "ATT"
    focal: int | None = None
    distance: str | Floats = "logit"
    mahalanobis: tuple[str, ...] = ()
    ratio: int = 1
    replace: bool = False
    reuse: int | None = None
    caliper: float | Mapping[str, float] | None = None
    caliper_unit: str | Mapping[str, str] = "sd"
    order: str | None = None
    prefer: str = ""
    school_cost: str = "both"
    schools_each: int = 1
    keep_schools: float | None = None
    subclasses: int = 6
    min_per_arm: int = 1
    cutpoints: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    grouping: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    min_controls: float | None = None
    max_controls: float | None = None
    tolerance: float = 0.05
    profile: bool = False
    time_limit: float = 60.0
    moments: int = 1
    interactions: bool = False
    propensity: str = "auto"
    ridge: float = 1.0
    trim: str | float | None = None
    truncate: float | None = None
    stabilise: bool = False
    normalise: bool = False
    largest_share: float | None = None
    estimating_functions: bool = False
    seed: int = 0

    def changed(self) -> tuple[str, ...]:
        """Return the names of the settings that differ from their defaults.

        Returns
        -------
        tuple of str
        """
        plain = Settings()
        found = []
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(plain, each.name)
            if isinstance(mine, np.ndarray) or mine != theirs:
                found.append(each.name)
        return tuple(found)
