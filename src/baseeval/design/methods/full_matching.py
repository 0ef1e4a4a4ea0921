"""Optimal full matching: everybody in a set of one to many, at the least total distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from baseeval.design.calipers import nobody_fits
from baseeval.design.pair_distances import costs_by_stratum, read_distances
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.full_matching import match_fully
from baseeval.numerics.strata_weights import weigh_strata


def match_full_sets(sample: DesignSample, settings: Settings) -> Made:
    """Put every pupil into a set of one of an arm and one or more of the other.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Weights follow from each set's share of the first arm, by the estimand. A
        row whom the calipers leave without a partner has weight zero and is
        counted in the notes, which also say whether the optimum was proven.

    Raises
    ------
    UsageError
        The choices do not go together.
    EstimationError
        Nobody could be matched, the bounds on sets leave no room for somebody, or
        there is no score.
    """
    least, most = _bounds(settings)
    distances = read_distances(sample, settings, "full")
    subclass = np.full(len(sample.arm), -1, dtype=np.intp)
    found, sets, gap, proven = [np.empty((0, 2), dtype=np.intp)], 0, 0.0, True
    short: list[tuple[int, int]] = []
    strata = 0
    for _, costs in costs_by_stratum(sample, distances, sample.treated, "full"):
        made = match_fully(costs, least, most)
        strata += 1
        if any(made.short):
            short.append(made.short)
        for rows, own in ((costs.first, made.set_first), (costs.second, made.set_second)):
            subclass[rows] = np.where(own >= 0, own + sets, -1)
        sets += int(made.set_first.max()) + 1
        found.append(np.column_stack([costs.first[made.first], costs.second[made.second]]))
        gap, proven = gap + made.gap, proven and made.certified
    if short:
        raise _no_room(sample, settings, short, strata)
    out = subclass < 0
    left = ", ".join(
        f"{int(np.sum(out & (sample.arm == place))):,} of {arm}"
        for place, arm in enumerate(sample.arms)
    )
    within, remedy = nobody_fits(sample, settings)
    if out.all():
        raise EstimationError(
            Problem(
                f"design `full`, {sample.where}", f"no pupil has a match{within} ({left})", remedy
            )
        )
    proof = (
        "Proven by its prices: no other sets have a smaller total distance."
        if proven
        else f"Not proven optimal: the total distance may be up to {gap:.2g} above the least."
    )
    pairs = np.concatenate(found)
    return Made(
        weights=weigh_strata(subclass, sample.treated, settings.estimand),
        propensity=distances.propensity,
        pairs=pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))],
        subclass=subclass,
        notes=(
            proof,
            f"{sets:,} sets.",
            *([f"Left out, with nobody{within}: {left}."] if out.any() else []),
        ),
    )


def _bounds(settings: Settings) -> tuple[float | None, int | None]:
    """Read the bounds on how many of the second arm stand with one of the first."""
    least, most = settings.min_controls, settings.max_controls
    problems = []
    if least == 0:
        least = None
    if least is not None and not (
        least > 0 and (least == int(least) or (least < 1 and abs(1 / least % 1) < _NEARLY))
    ):
        problems.append(
            Problem(
                "min_controls",
                "it is not a whole number, nor one over a whole number",
                "Give 2, say, for two or more of the second arm in every set, or 0.5 for no more "
                "than two of the first with one of the second.",
            )
        )
    if most is not None and (most < 1 or most != int(most)):
        problems.append(Problem("max_controls", "it is not a whole number from one", "Give one."))
    if least is not None and most is not None and least > most:
        problems.append(Problem("min_controls", "it is above `max_controls`", "Widen the bounds."))
    if problems:
        raise UsageError(problems)
    return least, None if most is None else int(most)


_NEARLY = 1e-9


def _no_room(
    sample: DesignSample, settings: Settings, short: Sequence[tuple[int, int]], strata: int
) -> EstimationError:
    counted = ", ".join(
        f"{sum(each[place] for each in short):,} of {arm}" for place, arm in enumerate(sample.arms)
    )
    return EstimationError(
        Problem(
            f"design `full`, {sample.where}",
            f"in {len(short):,} of {strata:,} exact strata the bounds on the sets leave no room "
            f"for some pupils ({counted})",
            f"Lower `min_controls`, or raise `max_controls`. {nobody_fits(sample, settings)[1]}",
        )
    )


SPEC = DesignSpec(
    name="full",
    kind="match",
    summary="Puts every pupil into a set of one to many of the other arm so that the total "
    "distance is the least possible",
    words="all pupils in small sets of similar pupils of both groups, counted by their set",
    estimands=("ATT", "ATC", "ATE"),
    make=match_full_sets,
    source="Hansen and Klopfer (2006), doi:10.1198/106186006X137047; weights as MatchIt 4.7.2",
    settings=(
        "distance",
        "mahalanobis",
        "propensity",
        "min_controls",
        "max_controls",
        "caliper",
        "caliper_unit",
    ),
    keeps_apart=True,
    all_rows=True,
)
