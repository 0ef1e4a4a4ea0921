"""Whether a design rests on one pupil, and what would spread the weight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec
from baseeval.errors import EstimationError, Problem

Floats = NDArray[np.float64]

#: A pupil who holds more than this share of an arm's weight is flagged, in an arm of so many.
HEAVY_SHARE, HEAVY_ARM = 0.25, 20

#: Setting -> what to do with it, in the order of the advice. A method is told of those it reads.
_WITH = {
    "trim": "trim (`trim`)",
    "truncate": "truncate (`truncate`)",
    "reuse": "bound how often a partner may serve (`reuse`)",
    "caliper": "set a narrower `caliper`",
    "ratio": "ask for more partners (`ratio`)",
    "max_controls": "bound the sets (`min_controls`, `max_controls`)",
    "subclasses": "ask for fewer `subclasses`",
    "cutpoints": "cut numbers into fewer bins (`cutpoints`)",
}


def heavy_flags(
    weights: Floats, sample: DesignSample, settings: Settings, spec: DesignSpec
) -> tuple[str, ...]:
    """Refuse, or flag, an arm of which one pupil holds much of the weight.

    Parameters
    ----------
    weights : ndarray, shape (n,)
    sample : DesignSample
    settings : Settings
        Beyond its `largest_share` the design is refused.
    spec : DesignSpec
        Of the method that made the weights: it says what advice fits.

    Returns
    -------
    tuple of str
        ``heavy_weight``, or nothing.

    Raises
    ------
    EstimationError
    """
    shares = {}
    for position, arm in enumerate(sample.arms):
        mine = weights[sample.arm == position]
        if mine.sum() > 0:
            shares[arm] = (float(mine.max() / mine.sum()), int(np.sum(mine > 0)))
    limit = settings.largest_share
    if limit is not None:
        over = [arm for arm, (share, _) in shares.items() if share > limit]
        if over:
            raise EstimationError(
                [
                    Problem(
                        f"design `{spec.name}`, {sample.where}",
                        f"one pupil of {arm} holds {_per_cent(shares[arm][0], limit)} of the "
                        f"weight of that arm, more than the {100 * limit:g}% allowed",
                        _advice(spec, settings),
                    )
                    for arm in over
                ],
                flag="heavy_weight",
            )
    heavy = any(share > HEAVY_SHARE and size >= HEAVY_ARM for share, size in shares.values())
    return ("heavy_weight",) if heavy else ()


def _per_cent(share: float, limit: float) -> str:
    """Write a share with as few decimals as show that it is beyond the limit."""
    for decimals in range(4):
        if round(100 * share, decimals) > 100 * limit:
            return f"{100 * share:.{decimals}f}%"
    return f"a little over {100 * limit:g}%"


def _advice(spec: DesignSpec, settings: Settings) -> str:
    """Say what may spread the weight, of what the method can do."""
    ways = [words for name, words in _WITH.items() if name in spec.settings]
    ways.append("adjust for fewer covariates" if spec.needs_covariates else "look at the weights")
    if spec.kind == "weight" and "ATO" in spec.estimands and settings.estimand != "ATO":
        ways.append("ask for the overlap (estimand ATO)")
    advice = ", or ".join(part for part in (", ".join(ways[:-1]), ways[-1]) if part)
    return f"{advice[:1].upper()}{advice[1:]}."
