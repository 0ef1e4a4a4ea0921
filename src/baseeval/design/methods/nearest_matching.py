"""Nearest-neighbour matching: on a score, on Mahalanobis distance, or on this within that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.design.calipers import nobody_fits, read_calipers
from baseeval.design.choices import check_choice
from baseeval.design.line_scores import score_to_match
from baseeval.design.own_school import own_school_note, preferred_school
from baseeval.design.pairing import choosing_order, pairs_to_weights, partners_wanted
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.greedy import Priority
from baseeval.numerics.mahalanobis import Whitened, match_mahalanobis, whiten
from baseeval.numerics.nearest import match_nearest
from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.same_school import Pairing, match_own_school_first
from baseeval.plan import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_PRIORITIES: Mapping[str, Priority] = {"closest": "closest", "farthest": "farthest"}


def match_nearest_neighbours(sample: DesignSample, settings: Settings) -> Made:
    """Match the focal arm with its nearest neighbours in the other.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made

    Raises
    ------
    UsageError
        The choices do not go together.
    EstimationError
        The covariates separate the arms, or nobody has a match.
    """
    by_columns = _is_mahalanobis(settings.distance)
    score, propensity = (None, None) if by_columns else score_to_match(sample, settings, "nearest")
    focal = sample.target(settings.estimand, settings.focal)
    first = bool(focal[sample.arm == 0].all())
    pairs = _pair(sample, settings, score, focal, first=first)
    size, arm = int(focal.sum()), sample.arms[0 if first else 1]
    if not len(pairs):
        within, remedy = nobody_fits(sample, settings)
        raise EstimationError(
            Problem(
                f"design `nearest`, {sample.where}",
                f"no pupil has a match{within}, of {size} of {arm}",
                remedy,
            )
        )
    alone = size - len(np.unique(pairs[:, 0]))
    return Made(
        weights=pairs_to_weights(pairs, focal),
        propensity=propensity,
        pairs=pairs if first else pairs[:, ::-1],
        notes=(
            *((f"{alone} of {size} pupils of {arm} found no partner.",) if alone else ()),
            *((own_school_note(sample, pairs),) if settings.prefer else ()),
        ),
    )


def _pair(
    sample: DesignSample,
    settings: Settings,
    score: Floats | None,
    focal: NDArray[np.bool_],
    *,
    first: bool,
) -> Ints:
    """Return pairs of focal row and comparison row, in the order of the choices."""
    limits = read_calipers(sample, settings, score)
    order = _order(settings, score, first=first)
    chooses = choosing_order(score, focal, order, settings.seed)
    ratio = partners_wanted(settings, score, chooses, int((~focal).sum()), first=first)
    replace = settings.replace or settings.reuse is not None
    priority = _PRIORITIES.get(order, "given")
    how: dict[str, Any] = {"replace": replace, "reuse": settings.reuse, "priority": priority}
    pair: Pairing
    if score is None or settings.mahalanobis:
        pair = partial(match_mahalanobis, _whitened(sample, settings), focal, **how)
    else:
        if limits and limits[0].values is score and limits[0].width >= 0:
            how["caliper"], limits = limits[0].width, limits[1:]
        pair = partial(match_nearest, score, focal, **how)
    restrictions = Restrictions(limits, sample.anti)
    if not settings.prefer:
        return pair(chooses, sample.strata, ratio=ratio, restrictions=restrictions)
    return match_own_school_first(
        pair,
        chooses,
        sample.strata,
        preferred_school(sample, settings),
        ratio=ratio,
        replace=replace,
        restrictions=restrictions,
    )


def _order(settings: Settings, score: Floats | None, *, first: bool) -> str:
    """Return who chooses first: by default the hardest to match, where a score says who."""
    if settings.order is None:
        return "data" if score is None else "largest" if first else "smallest"
    by_score = () if score is None else ("largest", "smallest")
    check_choice("order", settings.order, (*by_score, "closest", "farthest", "random", "data"))
    return settings.order


def _whitened(sample: DesignSample, settings: Settings) -> Whitened:
    """Return the covariates that the Mahalanobis distance is of, as points."""
    wanted = settings.mahalanobis
    held = [covariate for covariate, _ in sample.names]
    absent = [name for name in wanted if name not in held]
    if absent:
        raise UsageError(
            [
                Problem("mahalanobis", f"`{name}` is not a covariate", nearest(name, held))
                for name in absent
            ]
        )
    if wanted and _is_mahalanobis(settings.distance):
        raise UsageError(
            Problem(
                "mahalanobis",
                "it names what is matched on within a caliper on a score, and `distance` is none",
                'Name what to match on as `covariates`, or take another `distance`: "logit".',
            )
        )
    kept = [place for place, name in enumerate(held) if not wanted or name in wanted]
    whitened = whiten(sample.columns[:, kept], sample.treated)
    if not whitened.points.shape[1]:
        raise EstimationError(
            Problem(
                f"design `nearest`, {sample.where}",
                "no covariate of the Mahalanobis distance varies within the arms",
                "Name others.",
            )
        )
    return whitened


def _is_mahalanobis(distance: str | Floats) -> bool:
    return isinstance(distance, str) and distance == "mahalanobis"


SPEC = DesignSpec(
    name="nearest",
    kind="match",
    summary="Pairs each pupil of the target with the nearest of the other arm, on the propensity "
    "or on Mahalanobis distance",
    words="each pupil set beside the most similar pupil of the other group",
    estimands=("ATT", "ATC"),
    make=match_nearest_neighbours,
    source="Rosenbaum and Rubin (1985), doi:10.1080/00031305.1985.10479383; order and ties as "
    "MatchIt 4.7.2 gives them",
    keeps_apart=True,
    all_rows=True,
    settings=(
        "distance",
        "mahalanobis",
        "propensity",
        "ratio",
        "min_controls",
        "max_controls",
        "replace",
        "reuse",
        "caliper",
        "caliper_unit",
        "order",
        "prefer",
        "seed",
    ),
)
