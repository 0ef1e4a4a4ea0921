"""Weights from the chances of the arms: each pupil by the inverse of that of their own arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.scores import Scores
from baseeval.design.scoring import usable_score
from baseeval.design.settings import Settings
from baseeval.design.shaping import shape_weights
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.tilts import tilt_weights, weight_slopes
from baseeval.design.trimming import check_rule, rows_kept
from baseeval.design.weight_levels import school_factors
from baseeval.errors import EstimationError, Problem
from baseeval.results import Estimation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_METHOD = "propensity"


def propensity_weights(sample: DesignSample, settings: Settings) -> Made:
    """Weight every arm to the target by the chances of the arms.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Rows that are trimmed have weight zero and no propensity.

    Raises
    ------
    EstimationError
        The covariates separate the arms, or nobody is left of one.
    """
    scores = usable_score(sample, settings, _METHOD)
    if settings.trim is None:
        return _weighted(sample, settings, scores)
    check_rule(settings.trim)
    kept = rows_kept(scores.chances, sample.arm, sample.base, settings.trim)
    _refuse_empty(sample, kept)
    inner = sample.select(kept)
    # Those who are left have chances of their own: Li, Thomas and Li (2019), section 4.
    made = _weighted(inner, settings, usable_score(inner, settings, _METHOD))
    return _spread(made, kept, _trimmed(sample, kept, settings.trim))


def _weighted(sample: DesignSample, settings: Settings, scores: Scores) -> Made:
    tilted = tilt_weights(scores.chances, sample.arm, settings.estimand, settings.focal)
    shaped = shape_weights(tilted, sample, settings)
    levels = school_factors(scores, sample, settings)
    notes = [*scores.notes, *map(_few, scores.rare), *shaped.notes]
    estimation = None
    if settings.estimating_functions and scores.moves is not None:
        slopes = weight_slopes(scores.chances, sample.arm, settings.estimand, settings.focal)
        found = scores.moves.estimation(slopes)
        estimation = replace(
            found, d_weights=shaped.carry(found.d_weights), d_school_factor=levels.slopes
        )
    elif settings.estimating_functions:
        notes.append(f"The propensity `{scores.model}` has no estimating functions here.")
    return Made(
        weights=shaped.weights,
        propensity=scores.first if len(sample.arms) == 2 else scores.chances,
        estimation=estimation,
        school_factor=levels.factor,
        flags=scores.flags,
        notes=tuple(notes),
    )


def _few(arm: str) -> str:
    return (
        f"{arm} has fewer than ten pupils for each column of the model of the arms: its chances "
        'are rough, and the propensity "firth" is less biased.'
    )


def _refuse_empty(sample: DesignSample, kept: Flags) -> None:
    empty = [
        arm for position, arm in enumerate(sample.arms) if not kept[sample.arm == position].any()
    ]
    if empty:
        raise EstimationError(
            Problem(
                f"design `{_METHOD}`, {sample.where}",
                f"trimming leaves nobody of {' and '.join(empty)}",
                "Trim less, or adjust for fewer covariates.",
            ),
            flag="no_common_support",
        )


def _trimmed(sample: DesignSample, kept: Flags, rule: str | float) -> str:
    """Say how many of each arm a rule left out."""
    left = [
        f"{int(np.sum(~kept & (sample.arm == position)))} of "
        f"{int(np.sum(sample.arm == position))} pupils of {arm}"
        for position, arm in enumerate(sample.arms)
    ]
    said = rule if isinstance(rule, str) else f"a chance of an arm under {rule:g}"
    return f"Trimmed ({said}): {', '.join(left)}; the scores of the others were fitted anew."


def _spread(made: Made, kept: Flags, note: str) -> Made:
    """Lay what was made of the rows kept out over all of them."""

    def over(values: Floats, empty: float) -> Floats:
        out = np.full((len(kept), *values.shape[1:]), empty)
        out[kept] = values
        return out

    estimation = made.estimation
    if estimation is not None:
        by_school = estimation.d_school_factor
        estimation = Estimation(
            scores=over(estimation.scores, 0.0),
            bread=estimation.bread,
            d_weights=over(estimation.d_weights, 0.0),
            d_school_factor=None if by_school is None else over(by_school, 0.0),
        )
    return replace(
        made,
        weights=over(made.weights, 0.0),
        propensity=None if made.propensity is None else over(made.propensity, np.nan),
        estimation=estimation,
        school_factor=None if made.school_factor is None else over(made.school_factor, 1.0),
        notes=(note, *made.notes),
    )


SPEC = DesignSpec(
    name=_METHOD,
    kind="weight",
    summary="Weights pupils by the inverse of their fitted chance of being in their arm",
    words="weights by how likely each pupil was to be in their group",
    estimands=("ATT", "ATC", "ATE", "ATO", "ATM", "ATEN"),
    estimands_of_several=("ATT", "ATE", "ATO", "ATM", "ATEN"),
    make=propensity_weights,
    source="Li and Li (2019), doi:10.1214/19-AOAS1282, for two arms as for several",
    settings=(
        "propensity",
        "ridge",
        "trim",
        "truncate",
        "stabilise",
        "normalise",
        "estimating_functions",
        "seed",
    ),
)
