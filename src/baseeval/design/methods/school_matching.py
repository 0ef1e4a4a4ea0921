"""Schools first, then pupils: schools of the two arms are paired, and pupils inside the pairs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from baseeval.design.calipers import nobody_fits
from baseeval.design.choices import check_choice
from baseeval.design.pairing import pairs_to_weights
from baseeval.design.sample import DesignSample
from baseeval.design.school_sides import SchoolSides, pupil_space, random_distance
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.school_distance import nearest_schools, place_schools, summarise_schools
from baseeval.numerics.school_matching import PupilSpace, pair_pupils, pair_schools, pupil_cost

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Of more schools than these, only the nearest by their summaries are looked at as partners.
CANDIDATES = 100

_COSTS = ("both", "pupils", "mahalanobis", "rank_mahalanobis")


def match_schools_then_pupils(sample: DesignSample, settings: Settings) -> Made:
    """Pair the schools of the target's arm with like schools, and their pupils with like pupils.

    Parameters
    ----------
    sample : DesignSample
        Of two arms without a school in common.
    settings : Settings

    Returns
    -------
    Made
        Its `subclass` numbers the target's schools that have a partner, in their
        order: a row belongs to the set of schools in which it was matched.

    Raises
    ------
    UsageError
        The choices do not go together, or there is no column of schools.
    EstimationError
        A school has pupils of both arms, or no pupil can be matched.
    """
    _check(sample, settings)
    focal = sample.target(settings.estimand, settings.focal)
    sides = SchoolSides.of(sample, focal)
    space, left_out, propensity = pupil_space(sample, settings)
    chosen = _pair_up(sample, settings, sides, space, left_out)
    pairs, subclass = _match_inside(sides, space, chosen, settings.ratio)
    if not len(pairs):
        within, remedy = nobody_fits(sample, settings)
        raise EstimationError(
            Problem(
                f"design `schools`, {sample.where}",
                f"no pupil of the {len(sides.first)} schools has a match in a school of the other "
                f"arm{within}",
                remedy,
            )
        )
    is_first = bool(focal[sample.arm == 0].all())
    return Made(
        weights=pairs_to_weights(pairs, focal),
        propensity=propensity,
        pairs=pairs if is_first else pairs[:, ::-1],
        subclass=subclass,
        notes=_notes(sides, chosen, pairs, focal, sample.arms[0 if is_first else 1]),
    )


def _pair_up(
    sample: DesignSample, settings: Settings, sides: SchoolSides, space: PupilSpace, left_out: float
) -> Ints:
    """Return pairs of schools, target's first."""
    kind, ratio = settings.school_cost, settings.ratio
    by_pupils = kind in ("both", "pupils")
    # Where pupils count themselves, numbers are no summary: too few of them cost enough.
    summaries = summarise_schools(sample.columns, sides.code, numbers=not by_pupils)
    is_first = np.isin(np.arange(len(summaries)), sides.first)
    places = place_schools(summaries, is_first, ranked=kind == "rank_mahalanobis")
    first, second, cost = nearest_schools(places, sides.first, sides.second, CANDIDATES)
    leaving = None
    if by_pupils:
        dear = left_out * ratio * np.array([len(rows) for rows in sides.rows])
        alike = dear[first] * cost / (random_distance(places) or 1.0)
        for place, (one, other) in enumerate(zip(first, second, strict=True)):
            apart = space.between(sides.rows[one], sides.rows[other])
            somebody = np.isfinite(apart).any()
            cost[place] = pupil_cost(apart, left_out, ratio) if somebody else np.inf
        leaving = dear
        if kind == "both":
            cost, leaving = cost + alike, 2 * dear
    possible = np.isfinite(cost)
    wanted = len(sides.first) * settings.schools_each
    keep = settings.keep_schools
    if keep is not None:
        keep = int(keep) if keep >= 1 else math.ceil(keep * wanted)
    return pair_schools(
        first[possible],
        second[possible],
        cost[possible],
        each=settings.schools_each,
        keep=keep,
        leaving=leaving,
    )


def _match_inside(
    sides: SchoolSides, space: PupilSpace, chosen: Ints, ratio: int
) -> tuple[Ints, Ints]:
    """Return the pairs of pupils, and the set of schools in which each row was matched."""
    subclass = np.full(len(sides.code), -1, dtype=np.intp)
    found = [np.empty((0, 2), dtype=np.intp)]
    sets = {one: place for place, one in enumerate(np.unique(chosen[:, 0]))}
    for one, other in chosen:
        rows, others = sides.rows[one], sides.rows[other]
        places = pair_pupils(space.between(rows, others), ratio)
        pairs = np.column_stack([rows[places[:, 0]], others[places[:, 1]]])
        subclass[pairs.ravel()] = sets[one]
        found.append(pairs)
    return np.concatenate(found), subclass


def _check(sample: DesignSample, settings: Settings) -> None:
    check_choice("school_cost", settings.school_cost, _COSTS)
    problems = []
    if not (sample.school != "").all():
        problems.append(
            Problem("school", "there is no column that says who is in which school", "Name it.")
        )
    if settings.ratio != int(settings.ratio):
        problems.append(Problem("ratio", "it is not a whole number from one", "Give one."))
    if problems:
        raise UsageError(problems)


def _notes(
    sides: SchoolSides, chosen: Ints, pairs: Ints, focal: NDArray[np.bool_], arm: str
) -> tuple[str, ...]:
    paired = len(np.unique(chosen[:, 0]))
    alone = int(focal.sum()) - len(np.unique(pairs[:, 0]))
    notes = [
        f"{paired} of {len(sides.first)} schools of {arm} are paired with {len(chosen)} of "
        f"{len(sides.second)} schools of the other arm."
    ]
    if len(sides.second) > CANDIDATES:
        notes.append(
            f"Each school was held against the {CANDIDATES} schools most like it on average."
        )
    if alone:
        notes.append(f"{alone} of {int(focal.sum())} of {arm} found no partner.")
    return tuple(notes)


SPEC = DesignSpec(
    name="schools",
    kind="match",
    summary="Pairs schools of the two arms, then their pupils inside the pairs",
    words="each school set beside a similar school, and inside the two each pupil beside the most "
    "similar pupil",
    estimands=("ATT", "ATC"),
    make=match_schools_then_pupils,
    keeps_apart=True,
    all_rows=True,
    source="Pimentel, Page, Lenard and Keele (2018), doi:10.1214/17-AOAS1118",
    settings=(
        "distance",
        "propensity",
        "ratio",
        "caliper",
        "caliper_unit",
        "school_cost",
        "schools_each",
        "keep_schools",
    ),
)
