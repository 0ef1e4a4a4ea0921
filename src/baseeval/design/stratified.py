"""Strata that hold both arms, as a design: what exact matching of any kind has in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.spec import Made
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.strata_weights import drop_one_armed, weigh_strata

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def design_of_strata(
    sample: DesignSample,
    strata: Ints,
    *,
    method: str,
    estimand: str,
    remedy: str,
    propensity: Floats | None = None,
    notes: tuple[str, ...] = (),
) -> Made:
    """Weight the strata that hold both arms, and leave out the others.

    Parameters
    ----------
    sample : DesignSample
        Of two arms.
    strata : ndarray of int, shape (n,)
    method, estimand : str
    remedy : str
        What to do where no stratum holds both arms.
    propensity : ndarray, shape (n,), optional
    notes : tuple of str

    Returns
    -------
    Made

    Raises
    ------
    EstimationError
        No stratum holds both arms.
    """
    treated = sample.treated
    held = int(np.unique(strata[strata >= 0]).size)
    kept = drop_one_armed(strata, treated)
    out = (kept < 0) & (strata >= 0)
    if (kept < 0).all():
        raise EstimationError(
            Problem(
                f"design `{method}`, {sample.where}",
                f"none of its {held:,} strata holds pupils of both arms",
                remedy,
            )
        )
    used = int(kept.max()) + 1
    counted = ", ".join(
        f"{int(np.sum(out & (sample.arm == place)))} of {arm}"
        for place, arm in enumerate(sample.arms)
    )
    left = f"Left out, because their stratum lacks the other arm: {counted}."
    return Made(
        weights=weigh_strata(kept, treated, estimand),
        propensity=propensity,
        subclass=kept,
        notes=(
            f"{used:,} of {held:,} strata hold both arms.",
            *([left] if out.any() else []),
            *notes,
        ),
    )
