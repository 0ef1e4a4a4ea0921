"""Mixed models by formula: `fit_mixed`, one door to linear, generalised and weighted ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import Problem, UsageError
from baseeval.models.generalised_model import GeneralisedModel, fit_generalised_mixed
from baseeval.models.mixed_model import MixedModel, fit_linear_mixed
from baseeval.models.weighted_model import WeightedModel, fit_weighted_linear
from baseeval.numerics.generalised.family_choice import LINKS
from baseeval.numerics.one_thread import one_thread

Column = str | NDArray[Any]

FAMILIES = ("gaussian", *LINKS)


@one_thread()
def fit_mixed(
    formula: str,
    data: IntoDataFrame,
    *,
    reml: bool | None = None,
    df: str | None = "default",
    family: str = "gaussian",
    link: str | None = None,
    weights: Column | None = None,
    trials: Column | None = None,
    offset: Column | None = None,
    quadrature: int = 1,
    penalty: bool = False,
    sampling_weights: Column | None = None,
    school_weights: Column | None = None,
    scaling: str = "size",
) -> MixedModel | GeneralisedModel | WeightedModel:
    """Fit a mixed model in lme4's formula language.

    Parameters
    ----------
    formula : str
        A fixed part and random terms, such as ``"maths ~ arm * wave + (1 + wave | pupil) +
        (1 | school)"``; ``||`` leaves effects uncorrelated, ``a/b`` nests.
        Rows with a missing value are left out.
    data : dataframe
        Any that narwhals reads.
    reml : bool
        Restricted (the default for the gaussian family) or full maximum likelihood.
    df : str, optional
        Of the gaussian family: satterthwaite (the default; missing where the fit is
        singular), kenward_roger (REML only; adjusted errors), cr2_satterthwaite
        (cluster-robust errors with their own df), or None for no df, p-value or
        interval. With sampling weights: cr2_satterthwaite (the default of one
        factor), sandwich (the default of two) or jackknife.
    family : str
        gaussian, binomial, beta_binomial, poisson, negative_binomial, or ordinal (numbers,
        or categories whose order is declared).
    link : str, optional
        Of the binomial: logit, probit, log or identity.
    weights : str or ndarray, optional
        Precision weights, as lme4's; rows of weight zero are left out. Of other families a
        weight of two is a row twice.
    trials : str or ndarray, optional
        Of the binomial and beta-binomial: what the outcome is out of.
    offset : str or ndarray, optional
        Added to the linear predictor.
    quadrature : int
        Points for each random effect of other families; 1 is Laplace's approximation.
    penalty : bool
        Of the gaussian family: keep variances off zero by the penalty of Chung et al.
        (2013, doi:10.1007/s11336-013-9328-2), for a handful of groups, four at least. The
        df are then Kenward and Roger's, for Satterthwaite's need the likelihood's maximum.
    sampling_weights, school_weights : str or ndarray, optional
        Of pupils within their school and of schools: survey or inverse-probability
        weights. The model is then fitted by pseudo-likelihood, errors are a
        sandwich by the outermost factor.
    scaling : str
        Of the pupils' weights within a school: size, effective or none.

    Returns
    -------
    MixedModel, GeneralisedModel or WeightedModel

    Raises
    ------
    UsageError, DataError
        The formula or the data cannot be used, or choices do not go together.
    EstimationError
        The likelihood has no maximum that could be found.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> school = np.repeat(np.arange(20), 10)
    >>> frame = pd.DataFrame({"school": school, "x": rng.normal(size=200)})
    >>> frame["y"] = 2 * frame.x + rng.normal(size=20)[school] + rng.normal(size=200)
    >>> fit = fit_mixed("y ~ x + (1 | school)", frame)
    >>> fit.fixed["term"].tolist(), bool(abs(fit.fixed["estimate"][1] - 2) < 0.3)
    (['Intercept', 'x'], True)
    """
    check_choice("family", family, FAMILIES)
    chosen = {
        "reml": reml is not None,
        "df": df != "default",
        "link": link is not None,
        "weights": weights is not None,
        "trials": trials is not None,
        "quadrature": quadrature != 1,
        "penalty": penalty,
        "school_weights": school_weights is not None,
        "scaling": scaling != "size",
    }
    if sampling_weights is not None:
        _refuse(chosen, ("df", "reml", "school_weights", "scaling"), "sampling_weights")
        if family != "gaussian":
            raise UsageError(
                Problem(
                    f"family `{family}` with sampling_weights",
                    "weighted multilevel models are made for the gaussian family",
                    "Use estimating equations with a sandwich by school.",
                )
            )
        return fit_weighted_linear(
            formula, data, sampling_weights, school_weights, scaling, df, bool(reml), offset
        )
    if family == "gaussian":
        _refuse(chosen, ("reml", "df", "weights", "penalty"), "the gaussian family")
        return fit_linear_mixed(
            formula,
            data,
            reml=reml is not False,
            df="satterthwaite" if df == "default" else df,
            weights=weights,
            offset=offset,
            penalty=penalty,
        )
    _refuse(chosen, ("link", "weights", "trials", "quadrature"), f"family `{family}`")
    return fit_generalised_mixed(
        formula,
        data,
        family,
        link=link,
        weights=weights,
        trials=trials,
        offset=offset,
        quadrature=quadrature,
    )


def _refuse(chosen: Mapping[str, bool], heeded: tuple[str, ...], where: str) -> None:
    """Refuse every choice that would not be heeded."""
    problems = [
        Problem(f"`{name}`", f"it has no meaning for {where}", "Leave it out.")
        for name, given in chosen.items()
        if given and name not in heeded
    ]
    if problems:
        raise UsageError(problems)
