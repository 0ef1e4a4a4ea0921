"""Optimal pair matching: the least total distance that any pairs can have, and the proof."""

from __future__ import annotations

import numpy as np

from baseeval.design.calipers import nobody_fits
from baseeval.design.pair_distances import costs_by_stratum, read_distances
from baseeval.design.pairing import pairs_to_weights
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.optimal_pairs import pair_optimally


def match_optimal_pairs(sample: DesignSample, settings: Settings) -> Made:
    """Pair the focal arm with the other at the least total distance.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Its subclass is the set of a focal row and its partners. A focal row
        without a partner, for calipers or for want of others, has weight zero and
        is counted in the notes, which also say whether the optimum was proven.

    Raises
    ------
    UsageError
        The choices do not go together.
    EstimationError
        Nobody could be matched, or there is no score.
    """
    ratio = settings.ratio
    if ratio != int(ratio):
        raise UsageError(Problem("ratio", "it is not a whole number from one", "Give one."))
    focal, first = sample.target(settings.estimand), settings.estimand != "ATC"
    distances = read_distances(sample, settings, "optimal")
    found, gap, scarce, strata = [np.empty((0, 2), dtype=np.intp)], 0.0, 0, 0
    proven = True
    for _, costs in costs_by_stratum(sample, distances, focal, "optimal"):
        made = pair_optimally(costs, int(ratio))
        found.append(np.column_stack([costs.first[made.first], costs.second[made.second]]))
        proven, gap, strata = proven and made.certified, gap + made.gap, strata + 1
        scarce += costs.shape[1] < costs.shape[0] * ratio
    pairs = np.concatenate(found)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    who = f"of {focal.sum():,} of {sample.arms[0 if first else 1]}"
    if not len(pairs):
        within, remedy = nobody_fits(sample, settings)
        raise EstimationError(
            Problem(
                f"design `optimal`, {sample.where}", f"no pupil has a match{within}, {who}", remedy
            )
        )
    partners = np.bincount(pairs[:, 0], minlength=len(focal))[focal]
    alone, fewer = int(np.sum(partners == 0)), int(np.sum((partners > 0) & (partners < ratio)))
    notes = [_proof(proven, gap, int(ratio))]
    if alone:
        notes.append(f"{alone:,}, {who}, found no partner.")
    if fewer:
        notes.append(f"{fewer:,}, {who}, found fewer than {ratio} partners.")
    if scarce:
        where = f", in {scarce:,} of {strata:,} exact strata" if strata > 1 else ""
        notes.append(
            f"The other arm has fewer than {ratio} for each{where}: as many were matched there as "
            "can be."
        )
    subclass = np.full(len(focal), -1, dtype=np.intp)
    _, number = np.unique(pairs[:, 0], return_inverse=True)
    subclass[pairs[:, 0]] = subclass[pairs[:, 1]] = number
    return Made(
        weights=pairs_to_weights(pairs, focal),
        propensity=distances.propensity,
        pairs=pairs if first else pairs[:, ::-1],
        subclass=subclass,
        notes=tuple(notes),
    )


def _proof(proven: bool, gap: float, ratio: int) -> str:
    if proven:
        spread = ", spread over as many pupils," if ratio > 1 else ""
        return (
            f"Proven by its prices: no other pairs, as many{spread or ','} have a smaller total "
            "distance."
        )
    return f"Not proven optimal: the total distance may be up to {gap:.2g} above the least."


SPEC = DesignSpec(
    name="optimal",
    kind="match",
    summary="Pairs the pupils of the target with others so that the total distance is the least "
    "possible",
    words="pupils of the two groups set side by side so that all are as similar as can be",
    estimands=("ATT", "ATC"),
    make=match_optimal_pairs,
    source="Rosenbaum (1989), doi:10.1080/01621459.1989.10478868; pairs as MatchIt 4.7.2 where "
    "the optimum is unique",
    settings=("distance", "mahalanobis", "propensity", "ratio", "caliper", "caliper_unit"),
    keeps_apart=True,
    all_rows=True,
)
