"""Likelihood ratio tests between mixed models, on the boundary too.

A variance of zero lies on the boundary of what is allowed, where twice the log ratio is a
mixture of chi-squares: Self and Liang (1987, doi:10.1080/01621459.1987.10478472), Stram and Lee
(1994, doi:10.2307/2533455). See `docs/methods/likelihood-ratio.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from baseeval.errors import Problem, UsageError
from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.templates import Layout, Template

#: A smaller model cannot have the higher likelihood by more than the search leaves open.
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class RatioTest:
    """A likelihood ratio test.

    Parameters
    ----------
    statistic : float
        Twice the difference of the log-likelihoods, at least zero.
    df : tuple of int
        Degrees of freedom of the chi-squares in the reference mixture.
    weights : tuple of float
        Their weights.
    p_value : float
    """

    statistic: float
    df: tuple[int, ...]
    weights: tuple[float, ...]
    p_value: float


def fixed_effects_ratio(small: MixedFit, large: MixedFit) -> RatioTest:
    """Test coefficients by the likelihood ratio of two ML fits with the same random terms.

    Parameters
    ----------
    small, large : MixedFit
        To the same rows; the columns of the first among those of the second.

    Returns
    -------
    RatioTest
        Against one chi-square, which rejects too often with few groups:
        prefer Kenward and Roger's F there, or a parametric bootstrap.

    Raises
    ------
    UsageError
        The models cannot be compared.
    """
    problems = _common_problems(small, large)
    if small.reml or large.reml:
        problems.append(
            Problem(
                "likelihood ratio of fixed effects",
                "a model was fitted by REML, whose likelihood depends on its columns",
                "Fit both by maximum likelihood (reml = false).",
            )
        )
    extra = len(large.beta) - len(small.beta)
    if extra <= 0:
        problems.append(
            Problem(
                "likelihood ratio of fixed effects",
                f"{len(large.beta)} coefficients against {len(small.beta)}",
                "Name the smaller model first; the larger must add columns.",
            )
        )
    if problems:
        raise UsageError(problems)
    return ratio_test(2 * (large.loglik - small.loglik), (extra,), (1.0,))


def variance_ratio(small: MixedFit, large: MixedFit) -> RatioTest:
    """Test a variance, or one more correlated effect, of two fits with the same columns.

    Parameters
    ----------
    small, large : MixedFit
        Both by REML or both by ML. The larger has one term of one effect more,
        or one of its terms has one effect more.

    Returns
    -------
    RatioTest
        Half and half: chi-squares with q and q + 1 degrees of freedom where a term
        of q correlated effects gains one; with 0 and 1 where one variance alone is added.

    Raises
    ------
    UsageError
        The models cannot be compared, or differ by more than one effect:
        the weights of the mixture then depend on the design, and a parametric
        bootstrap takes its place.
    """
    problems = _common_problems(small, large)
    if small.reml != large.reml or len(small.beta) != len(large.beta):
        problems.append(
            Problem(
                "likelihood ratio of a variance",
                "the models differ in their columns or in their method",
                "Fit both by REML, or both by ML, with the same fixed part.",
            )
        )
    gained = _gained(small.likelihood.layout, large.likelihood.layout)
    if gained is None:
        problems.append(
            Problem(
                "likelihood ratio of a variance",
                "the models do not differ by one effect of one term",
                "Compare in steps of one effect, or take the parametric bootstrap.",
            )
        )
    if problems or gained is None:
        raise UsageError(problems)
    return ratio_test(2 * (large.loglik - small.loglik), (gained, gained + 1), (0.5, 0.5))


def ratio_test(statistic: float, df: tuple[int, ...], weights: tuple[float, ...]) -> RatioTest:
    """Compare a statistic with a mixture of chi-squares.

    Parameters
    ----------
    statistic : float
    df : tuple of int
        Zero is a chi-square that is always zero.
    weights : tuple of float

    Returns
    -------
    RatioTest

    Examples
    --------
    >>> round(ratio_test(2.706, (0, 1), (0.5, 0.5)).p_value, 3)
    0.05
    """
    held = max(statistic, 0.0)
    # A chi-square of no degrees of freedom is zero, and so at least held only where held is zero.
    tails = [float(held == 0) if own == 0 else float(chi2.sf(held, own)) for own in df]
    return RatioTest(held, df, weights, float(np.dot(weights, tails)))


def _common_problems(small: MixedFit, large: MixedFit) -> list[Problem]:
    problems = []
    if small.likelihood.n != large.likelihood.n:
        problems.append(
            Problem(
                "likelihood ratio",
                f"the models were fitted to {small.likelihood.n} and {large.likelihood.n} rows",
                "Leave out of both the rows that lack a value in either.",
            )
        )
    elif large.loglik < small.loglik - _SLACK * abs(small.loglik):
        problems.append(
            Problem(
                "likelihood ratio",
                "the larger model has the lower likelihood",
                "The first must be the second with something left out.",
            )
        )
    return problems


def _gained(small: Layout, large: Layout) -> int | None:
    """Return how many correlated effects the term that gained one had; None if not one gained."""
    before, after = list(small.templates), list(large.templates)
    for template in small.templates:
        same = [own for own in after if _alike(own, template)]
        if same:
            after.remove(same[0])
            before.remove(template)
    if len(after) != 1:
        return None
    grown = after[0]
    if not before:
        return 0 if grown.count == 1 else None
    if len(before) > 1:
        return None
    old = before[0]
    if not grown.correlated and grown.count == old.count + 1 and not old.correlated:
        return 0
    whole = (own.count == own.size * (own.size + 1) // 2 for own in (old, grown))
    return old.size if all(whole) and grown.size == old.size + 1 else None


def _alike(one: Template, other: Template) -> bool:
    return one.size == other.size and np.array_equal(one.parameter, other.parameter)
