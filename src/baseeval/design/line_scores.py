"""The one number a pupil along which pupils are matched or divided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.design.sample import DesignSample
from baseeval.design.scoring import usable_score
from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError

Floats = NDArray[np.float64]

_DECIMALS = 12


def score_to_match(
    sample: DesignSample, settings: Settings, method: str
) -> tuple[Floats, Floats | None]:
    """Return the score to match on, and the propensity where it is one.

    Parameters
    ----------
    sample : DesignSample
        Of two arms.
    settings : Settings
        Its `distance` is logit (the propensity, by the model that `propensity`
        names), linear_logit (its log odds) or scores of one's own.
    method : str
        For messages.

    Returns
    -------
    score : ndarray, shape (n,)
        Rounded to 12 decimals where it is fitted, so that pupils alike in every
        covariate tie whatever the last bits of a sum.
    propensity : ndarray, shape (n,), or None

    Raises
    ------
    UsageError
        There is no such distance, or one's own is not one finite number a row.
    EstimationError
        The covariates separate the arms.
    """
    own = settings.distance
    if not isinstance(own, str):
        given = np.asarray(own, dtype=float)
        if given.shape != sample.arm.shape or not np.isfinite(given).all():
            raise UsageError(
                Problem(
                    "distance",
                    f"an array needs one finite number for each of {len(sample.arm)} rows",
                    "Pass one score a row.",
                )
            )
        return given, None
    check_choice("distance", own, ("logit", "linear_logit"))
    p = usable_score(sample, settings, method).first
    return np.round(np.log(p / (1 - p)) if own == "linear_logit" else p, _DECIMALS), p
