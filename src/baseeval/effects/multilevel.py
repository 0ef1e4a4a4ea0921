"""A multilevel model: pupils in schools, with the inference that so many schools allow."""

from __future__ import annotations

import numpy as np

from baseeval.effects.spec import EffectSample, ModelFit, ModelSpec, identified
from baseeval.measures.kinds import KINDS
from baseeval.numerics.few_schools.rungs import ladder
from baseeval.numerics.least_squares import fit_least_squares, independent_columns

#: Flags of the ladder that a row has from its schools already.
_OF_THE_ROW = ("few_schools", "one_school")


def fit_multilevel(sample: EffectSample) -> ModelFit:
    """Compare the arms by the ladder: school means, permutation, or REML with CR2 by school.

    Parameters
    ----------
    sample : EffectSample
        Weights count as pupils do: as totals of schools' means, or as precisions.

    Returns
    -------
    ModelFit
        The step is that of :func:`~baseeval.numerics.few_schools.rungs.ladder`, by the layout of
        the schools alone. In every step a base's effect may differ from school to school, and
        the estimate averages over schools. Where the average over pupils is more than a standard
        error away, effects differ with the size of the base and the row is flagged
        `school_average`.

    Raises
    ------
    EstimationError
        There are more coefficients than pupils, or the optimiser did not reach a maximum.
    """
    arm = sample.first.astype(float)
    x = np.column_stack([np.ones_like(arm), arm, sample.covariates])
    x = identified(x[:, independent_columns(x)])
    answer = ladder(sample)
    flags = [flag for flag in answer.flags if flag not in _OF_THE_ROW]
    over_pupils = fit_least_squares(x, sample.outcome, sample.weights).beta[1]
    if abs(over_pupils - answer.estimate) > answer.interval.std_error:
        flags.append("school_average")
    return ModelFit(answer.estimate, answer.interval, answer.parameters, tuple(flags), answer.step)


MULTILEVEL = ModelSpec(
    name="multilevel",
    summary="Pupils within schools, covariates adjusted for, the difference between arms free to "
    "vary by school: with few schools by their means, with more by REML",
    kinds=tuple(KINDS),
    carries_designs=True,
    uses_covariates=True,
    inference="ladder",
    generalises_to="schools_like_these",
    fit=fit_multilevel,
    source="Bates et al. (2015), doi:10.18637/jss.v067.i01; Pustejovsky and Tipton (2018); "
    "docs/methods/few-schools.md",
)
