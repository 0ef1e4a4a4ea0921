"""A multilevel model: pupils in schools, and arms that may differ from school to school."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.effects.spec import EffectSample, ModelFit, ModelSpec, identified
from baseeval.errors import EstimationError, Problem
from baseeval.measures.kinds import KINDS
from baseeval.numerics.cr2 import cr2, mixed_parts, t_interval
from baseeval.numerics.least_squares import fit_least_squares, independent_columns
from baseeval.numerics.mixed import diagonal_template, fit_mixed_model

Floats = NDArray[np.float64]


def fit_multilevel(sample: EffectSample) -> ModelFit:
    """Fit random school intercepts by REML, with CR2 by school for the arm.

    Parameters
    ----------
    sample : EffectSample
        Weights enter as precision weights.

    Returns
    -------
    ModelFit
        The fixed coefficient of the first arm. Where schools hold both arms a
        second random effect lets the difference between the arms vary from
        school to school: without it the interval would be too narrow whenever
        bases differ. The estimate then averages over schools. Where the
        average over pupils is more than a standard error away, effects differ
        with the size of the base and the row is flagged `school_average`.

    Raises
    ------
    EstimationError
        The optimiser did not reach a maximum.
    """
    arm = sample.first.astype(float)
    x = np.column_stack([np.ones_like(arm), arm, sample.covariates])
    x = identified(x[:, independent_columns(x)])
    ones = np.ones((len(arm), 1))
    both = np.column_stack([ones, arm, 1 - arm])
    z, owner = (both, [0, 1, 1]) if sample.shared_schools >= 2 else (ones, [0])
    fit = fit_mixed_model(
        x,
        z,
        sample.outcome,
        sample.school,
        diagonal_template(np.array(owner, dtype=np.intp)),
        weights=sample.weights,
    )
    if not fit.converged:
        raise EstimationError(
            Problem(
                "model `multilevel`",
                "the likelihood has no maximum that could be found",
                "Use `regression`, or adjust for fewer covariates.",
            )
        )
    root = np.sqrt(sample.weights)
    robust = cr2(
        mixed_parts(
            x * root[:, None],
            z * root[:, None],
            fit.residuals * root,
            fit.factor @ fit.factor.T,
            sample.school,
        )
    )
    interval = t_interval(
        float(fit.beta[1]),
        float(np.sqrt(robust.vcov[1, 1])),
        robust.df(np.eye(x.shape[1])[1]),
    )
    flags = ["singular_fit"] if fit.singular else []
    over_pupils = fit_least_squares(x, sample.outcome, sample.weights).beta[1]
    if abs(over_pupils - fit.beta[1]) > interval.std_error:
        flags.append("school_average")
    return ModelFit(float(fit.beta[1]), interval, x.shape[1], tuple(flags))


MULTILEVEL = ModelSpec(
    name="multilevel",
    summary="Pupils within schools by REML, covariates in the fixed part, the difference between "
    "arms free to vary by school where schools hold both",
    kinds=tuple(KINDS),
    carries_designs=True,
    uses_covariates=True,
    inference="cr2_satterthwaite",
    generalises_to="schools_like_these",
    fit=fit_multilevel,
    source="Bates et al. (2015), doi:10.18637/jss.v067.i01; Pustejovsky and Tipton (2018)",
)
