"""When a scale's means may be trusted: the limits, and the flags that follow from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Alpha below this in an arm is flagged: the usual lower limit for comparing groups (Nunnally
#: and Bernstein 1994, Psychometric theory, chapter 7).
LOW_ALPHA = 0.70

#: Intervals let schools vary where an arm has at least so many, as elsewhere in a study.
LEAST_SCHOOLS = 10

#: If those who did not answer differ by a third of an SD from those who did, a share of 0.70
#: moves an arm's mean by 0.1 SD; so does a difference of 0.15 between arms at two thirds.
LOW_COMPLETION, COMPLETION_DIFFERENCE = 0.70, 0.15


def invariance_flag(verdicts: Sequence[str]) -> str:
    """Return the flag of a contrast whose means a ladder does not allow to be compared.

    Parameters
    ----------
    verdicts : sequence of str
        Of the steps in order, ``holds``, ``fails`` or ``not assessable``; empty where
        there is no ladder.

    Returns
    -------
    str
        Empty where the last step holds. Not assessable is never invariant.

    Examples
    --------
    >>> invariance_flag(["holds", "holds", "fails"])
    'scale_not_invariant'
    >>> invariance_flag(["not assessable", "holds", "holds"])  # three items fit any data
    ''
    """
    if verdicts and verdicts[-1] == "holds":
        return ""
    return "scale_not_invariant" if "fails" in verdicts else "invariance_not_assessable"


def is_low_reliability(alphas: Sequence[float]) -> bool:
    """Tell whether alpha is low in some arm; one that could not be estimated is not low.

    Parameters
    ----------
    alphas : sequence of float

    Returns
    -------
    bool
    """
    return bool(np.any(np.asarray(alphas, dtype=np.float64) < LOW_ALPHA))


def is_low_completion(answered: Sequence[int], pupils: Sequence[int]) -> bool:
    """Tell whether few of an arm answered, or far fewer than of another.

    Parameters
    ----------
    answered, pupils : sequence of int
        Of each arm of a contrast; no arm is empty.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_low_completion([72, 95], [100, 100]), is_low_completion([80, 90], [100, 100])
    (True, False)
    """
    shares = np.asarray(answered) / np.asarray(pupils)
    apart = float(shares.max() - shares.min())
    return bool(shares.min() < LOW_COMPLETION or apart > COMPLETION_DIFFERENCE + 1e-12)
