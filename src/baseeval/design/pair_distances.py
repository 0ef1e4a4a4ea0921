"""The distance that optimal matching makes small: of a score, or Mahalanobis's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.design.calipers import read_calipers
from baseeval.design.line_scores import score_to_match
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.mahalanobis import whiten
from baseeval.numerics.pair_costs import PairCosts
from baseeval.numerics.restrictions import Restrictions
from baseeval.plan import nearest

Floats = NDArray[np.float64]

#: Pairs in one stratum that are looked at in minutes rather than hours.
_MOST_PAIRS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Distances:
    """Rows as points, and who may not be partners.

    Parameters
    ----------
    points : ndarray, shape (n, q)
    restrictions : Restrictions
    propensity : ndarray, shape (n,), optional
        Where it was fitted.
    """

    points: Floats
    restrictions: Restrictions
    propensity: Floats | None


def read_distances(sample: DesignSample, settings: Settings, method: str) -> Distances:
    """Read what a request says of distance and calipers.

    Parameters
    ----------
    sample : DesignSample
        Of two arms.
    settings : Settings
        Its `distance`, `mahalanobis`, `propensity`, `caliper` and `caliper_unit`.
    method : str
        For messages.

    Returns
    -------
    Distances

    Raises
    ------
    UsageError
        The choices do not go together.
    EstimationError
        There is no such score, or no covariate varies.
    """
    own = settings.distance
    by_columns = isinstance(own, str) and own == "mahalanobis"
    held = [covariate for covariate, _ in sample.names]
    problems = [
        Problem("mahalanobis", f"`{name}` is not a covariate", nearest(name, held))
        for name in settings.mahalanobis
        if name not in held
    ]
    if by_columns and settings.mahalanobis:
        problems.append(
            Problem(
                "mahalanobis",
                "it names what is matched on within a caliper on a score, and `distance` is none",
                'Name what to match on as `covariates`, or take another `distance`: "logit".',
            )
        )
    if problems:
        raise UsageError(problems)
    score, propensity = (None, None) if by_columns else score_to_match(sample, settings, method)
    limits = read_calipers(sample, settings, score)
    if score is not None and not settings.mahalanobis:
        points = score[:, None]
    else:
        wanted = settings.mahalanobis or held
        kept = [place for place, name in enumerate(held) if name in wanted]
        points = whiten(sample.columns[:, kept], sample.treated).points
    if not points.shape[1]:
        raise EstimationError(
            Problem(
                f"design `{method}`, {sample.where}",
                "no covariate of the Mahalanobis distance varies within the arms",
                "Name others.",
            )
        )
    return Distances(points, Restrictions(limits, sample.anti), propensity)


def costs_by_stratum(
    sample: DesignSample, distances: Distances, focal: NDArray[np.bool_], method: str
) -> Iterator[tuple[int, PairCosts]]:
    """Yield the problem of each exact stratum that holds both arms.

    Parameters
    ----------
    sample : DesignSample
    distances : Distances
    focal : ndarray of bool, shape (n,)
        The rows of the first side.
    method : str
        For messages.

    Yields
    ------
    stratum : int
    costs : PairCosts

    Raises
    ------
    EstimationError
        There are too many pairs to look at.
    """
    order = np.argsort(sample.strata, kind="stable")
    codes, starts = np.unique(sample.strata[order], return_index=True)
    for code, rows in zip(codes, np.split(order, starts[1:]), strict=True):
        mine, theirs = rows[focal[rows]], rows[~focal[rows]]
        if not (len(mine) and len(theirs)):
            continue
        costs = PairCosts(distances.points, mine, theirs, distances.restrictions)
        if not costs.on_a_line and len(mine) * len(theirs) > _MOST_PAIRS:
            raise EstimationError(
                Problem(
                    f"design `{method}`, {sample.where}",
                    f"{len(mine):,} pupils and {len(theirs):,} of the other arm in one stratum are "
                    "too many to find the best of all pairs in reasonable time",
                    "Match exactly on more (each stratum is solved by itself), match on a score "
                    "without calipers, or use `nearest`.",
                )
            )
        yield int(code), costs
