"""Coarsened exact matching: exact matching on covariates put into bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.stratified import design_of_strata
from baseeval.errors import Problem, UsageError
from baseeval.numerics.coarsening import RULES, coarsen
from baseeval.numerics.strata_weights import cross_codes
from baseeval.plan import nearest

Ints = NDArray[np.intp]


def match_coarsened(sample: DesignSample, settings: Settings) -> Made:
    """Put pupils who agree on every coarsened covariate in one stratum.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        Its `cutpoints` say how numbers are coarsened, the empty name standing
        for all that are not named; its `grouping` which categories count as one.

    Returns
    -------
    Made
        Rows of a stratum that lacks an arm have weight zero.

    Raises
    ------
    UsageError
        Cutpoints or groups name a column that is none of the covariates, or
        make no sense.
    EstimationError
        No stratum holds both arms.
    """
    places: dict[str, list[int]] = {}
    for place, (covariate, _) in enumerate(sample.names):
        places.setdefault(covariate, []).append(place)
    categories = {sample.names[own[0]][0] for own in places.values() if sample.names[own[0]][1]}
    _check_names(settings, [name for name in places if name not in categories], sorted(categories))
    codes, faults, notes = [sample.strata], list[Problem](), list[str]()
    for covariate, own in places.items():
        if covariate in categories:
            groups = settings.grouping.get(covariate, ())
            found, absent = _grouped(sample, own, groups)
            codes.append(found)
            if absent:
                notes.append(f"`grouping` of `{covariate}`: no pupil compared has {absent}.")
            continue
        how = settings.cutpoints.get(covariate, settings.cutpoints.get("", "sturges"))
        try:
            codes.append(coarsen(sample.columns[:, own[0]], how))
        except (TypeError, ValueError):
            faults.append(_bad_cutpoints(covariate, how))
    if faults:
        raise UsageError(faults)
    return design_of_strata(
        sample,
        cross_codes(codes),
        method="cem",
        estimand=settings.estimand,
        remedy="Cut numbers into fewer bins (`cutpoints`), or group categories (`grouping`).",
        notes=tuple(notes),
    )


def _grouped(
    sample: DesignSample, places: Sequence[int], groups: Sequence[Sequence[str]]
) -> tuple[Ints, str]:
    """Return the codes of a category with groups of levels as one, and levels nobody has."""
    levels = [sample.names[place][1] for place in places]
    number = np.arange(len(levels))
    for group in groups:
        members = [levels.index(str(level)) for level in group if str(level) in levels]
        number[members] = min(members, default=0)
    absent = [str(level) for group in groups for level in group if str(level) not in levels]
    held = np.argmax(sample.columns[:, list(places)], axis=1)
    return number[held], ", ".join(f"`{level}`" for level in absent)


def _check_names(settings: Settings, numbers: list[str], categories: list[str]) -> None:
    """Refuse cutpoints of what is no number, and groups that are none of categories."""
    asked: list[tuple[str, Mapping[str, Any], list[str], str]] = [
        ("cutpoints", settings.cutpoints, numbers, "covariates that are numbers"),
        ("grouping", settings.grouping, categories, "covariates that are categories"),
    ]
    faults = [
        Problem(
            f"{argument}, `{name}`",
            f"it is none of the {what}",
            nearest(name, known) if known else "Leave it out.",
        )
        for argument, given, known, what in asked
        for name in given
        if name and name not in known
    ]
    for name, groups in settings.grouping.items():
        levels = [str(level) for group in groups for level in group]
        twice = sorted({level for level in levels if levels.count(level) > 1})
        if twice:
            faults.append(
                Problem(
                    f"grouping, `{name}`",
                    f"{', '.join(f'`{level}`' for level in twice)} stands in more than one group",
                    "Put each category into one.",
                )
            )
    if faults:
        raise UsageError(faults)


def _bad_cutpoints(covariate: str, how: object) -> Problem:
    return Problem(
        f"cutpoints, `{covariate}` = {how!r}",
        "this says neither how many bins nor where they end",
        f'Give a number of bins, a rule ({", ".join(RULES)}), "q5" for five bins of equal size, '
        "or a list of cuts.",
    )


SPEC = DesignSpec(
    name="cem",
    kind="match",
    summary="Compares pupils who agree on every covariate once numbers are cut into bins",
    words="comparing only pupils who are the same, or nearly so, on every listed characteristic",
    estimands=("ATT", "ATC", "ATE"),
    make=match_coarsened,
    source="Iacus, King and Porro (2012), doi:10.1093/pan/mpr013; bins and weights as MatchIt "
    "4.7.2",
    settings=("cutpoints", "grouping"),
)
