"""The preference for partners of the same school: what it needs, and what became of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError

Ints = NDArray[np.intp]


def preferred_school(sample: DesignSample, settings: Settings) -> Ints:
    """Return the code of each row's school, refusing a preference that cannot be followed.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    ndarray of int, shape (n,)

    Raises
    ------
    UsageError
        There is no column of schools, no caliper, or a bound on reuse.
    """
    check_choice("prefer", settings.prefer, ("school",))
    problems = []
    if not (sample.school != "").all():
        problems.append(
            Problem("school", "there is no column that says who is in which school", "Name it.")
        )
    if settings.caliper is None:
        problems.append(
            Problem(
                'prefer = "school"',
                "without a caliper any pupil of the same school goes before a like one elsewhere",
                "Say with `caliper` how unlike a partner of the same school may be, as 0.2.",
            )
        )
    if settings.reuse is not None:
        problems.append(
            Problem("reuse", 'it does not go together with `prefer = "school"`', "Leave one out.")
        )
    if problems:
        raise UsageError(problems)
    return np.unique(sample.school, return_inverse=True)[1].astype(np.intp)


def own_school_note(sample: DesignSample, pairs: Ints) -> str:
    """Say how many pairs lie inside a school.

    Parameters
    ----------
    sample : DesignSample
    pairs : ndarray of int, shape (m, 2)

    Returns
    -------
    str
    """
    inside = int(np.sum(sample.school[pairs[:, 0]] == sample.school[pairs[:, 1]]))
    return f"{inside} of {len(pairs)} pairs are of one school."
