"""Calipers: how far apart partners may be, on the distance and on columns, in whichever unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError
from baseeval.numerics.restrictions import Limit

Floats = NDArray[np.float64]


def read_calipers(
    sample: DesignSample, settings: Settings, score: Floats | None
) -> tuple[Limit, ...]:
    """Turn the calipers of a request into limits in the units of what they limit.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        Its `caliper` is a width on the distance, or widths by the names of columns,
        where the empty name is the distance. Its `caliper_unit` is sd or raw, for
        all or by name. A standard deviation is that over all rows, n - 1 below. A
        negative width keeps partners apart by more than its size.
    score : ndarray, shape (n,), optional
        The distance, where it is one number a row.

    Returns
    -------
    tuple of Limit
        That on the distance first, if there is one.

    Raises
    ------
    UsageError
        Every problem at once.

    Examples
    --------
    >>> from baseeval.design.table_samples import table_sample
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"base": [1, 0, 0], "age": [9.0, 10.0, 11.0]})
    >>> sample = table_sample(frame, "base", ["age"], variables=["age"])
    >>> [limit.width for limit in read_calipers(sample, Settings(caliper={"age": 0.5}), None)]
    [0.5]
    """
    given = settings.caliper
    if given is None:
        return ()
    widths = dict(given) if isinstance(given, Mapping) else {"": given}
    units = settings.caliper_unit
    named = dict(units) if isinstance(units, Mapping) else dict.fromkeys(widths, units)
    problems = _problems(widths, named, score)
    if problems:
        raise UsageError(problems)
    limits = []
    for name in sorted(widths, key=bool):
        values = sample.variables[name] if name or score is None else score
        unit = float(np.std(values, ddof=1)) if named.get(name, "sd") == "sd" else 1.0
        limits.append(Limit(values, float(widths[name]) * unit))
    return tuple(limits)


def nobody_fits(sample: DesignSample, settings: Settings) -> tuple[str, str]:
    """Say what keeps partners from one another, and what would let them meet.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    within : str
        What a match must lie within, to follow "has a match"; empty where nothing restricts it.
    remedy : str
        What to do, a sentence.
    """
    restrictions = [
        (settings.caliper is not None, "the calipers", "widen the calipers"),
        (bool(sample.strata.any()), "the exact strata", "match exactly on less"),
        (bool(sample.anti), "what partners must not share", "name less in `anti_exact`"),
    ]
    here = [(bound, remedy) for holds, bound, remedy in restrictions if holds]
    if not here:
        return "", "Adjust for fewer covariates, or for others."
    remedies = ", or ".join(remedy for _, remedy in here)
    within = " and ".join(bound for bound, _ in here)
    return f" within {within}", f"{remedies[:1].upper()}{remedies[1:]}."


def _problems(
    widths: Mapping[str, float], units: Mapping[str, str], score: Floats | None
) -> list[Problem]:
    problems = [
        Problem(f"caliper_unit of `{name}`", "there is no such caliper", "Leave it out.")
        for name in units
        if name not in widths
    ]
    if "" in widths and score is None:
        problems.append(
            Problem(
                "caliper",
                "the Mahalanobis distance itself takes no caliper",
                "Name columns, or ask for a caliper on the propensity: `mahalanobis=[...]` with "
                "another `distance`.",
            )
        )
    return problems
