"""Chances of the arms from logistic regressions on the pupils compared."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from baseeval.design.sample import DesignSample
from baseeval.design.score_columns import named_columns, school_means
from baseeval.design.scores import Moves, Name, Scores
from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError
from baseeval.numerics.firth import fit_firth
from baseeval.numerics.multinomial import Multinomial, fit_multinomial
from baseeval.numerics.row_scores import RowScores, pull_back, score_firth, score_likelihood

Floats = NDArray[np.float64]


def logit_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit a logit of two arms, or a multinomial logit of several, by maximum likelihood.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Scores
    """
    x, names = named_columns(sample)
    return _maximum(sample, settings, x, names, "logit")


def within_between_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit a logit to pupils' covariates and their means over each school.

    Mundlak (1978, doi:10.2307/1913646): the means stand for what schools have in common with their
    pupils, and a school's pull towards an arm that follows its intake is adjusted for.

    Parameters
    ----------
    sample : DesignSample
        Its schools are named.
    settings : Settings

    Returns
    -------
    Scores
        With the flag `school_confounding_unadjustable` where there are too few
        schools for some of the means.

    Raises
    ------
    UsageError
        No schools are named.
    """
    if (sample.school == "").all():
        raise UsageError(
            Problem(
                f'propensity = "within_between", {sample.where}',
                "no schools are named",
                "Name their column: school = ...",
            )
        )
    means, further, left_out = school_means(sample)
    x, names = named_columns(sample, further=(means, further))
    found = _maximum(sample, settings, x, names, "within_between")
    if not left_out:
        return found
    note = f"School means of {left_out} covariates are left out: there are too few schools."
    return replace(found, flags=("school_confounding_unadjustable",), notes=(note,))


def firth_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit a logit with Firth's bias reduction, which is finite whatever separates the arms.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Scores
    """
    x, names = named_columns(sample)
    base = _mean_one(sample)
    fit = fit_firth(x, sample.arm, base, arms=len(sample.arms))
    found = _scores(sample, fit, names, "firth")
    if not settings.estimating_functions:
        return found
    rows = score_firth(fit, x, sample.arm, base)
    return replace(found, moves=_moves(rows, x, fit.probability))


def ridge_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit a logit whose coefficients, of columns in standard deviations, are drawn towards zero.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        Its `ridge` is the penalty: le Cessie and van Houwelingen (1992, doi:10.2307/2347628).

    Returns
    -------
    Scores
    """
    x, names = named_columns(sample)
    return _maximum(sample, settings, x, names, "ridge", settings.ridge)


def one_vs_rest_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit a logit of each arm against the rest, and scale the chances to add up to one.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Scores
        Of two arms, the plain logit's.
    """
    k = len(sample.arms)
    if k == 2:
        return logit_scores(sample, settings)
    x, names = named_columns(sample)
    own = [(sample.arm == position).astype(np.intp) for position in range(k)]
    fits = [fit_multinomial(x, mine, sample.base, arms=2) for mine in own]
    alone = np.column_stack([fit.probability[:, 1] for fit in fits])
    total = alone.sum(axis=1, keepdims=True)
    chances = alone / total
    parts = [fit.separation for fit in fits if fit.separation is not None]
    moves = None
    if settings.estimating_functions:

        def carry(by_chances: Floats) -> Floats:
            mean = np.sum(by_chances * chances, axis=1, keepdims=True)
            by_alone = (by_chances - mean) / total
            nothing = np.zeros(len(x))
            pulled = [
                pull_back(x, fit.probability, np.column_stack([nothing, by_alone[:, position]]))
                for position, fit in enumerate(fits)
            ]
            return np.hstack(pulled)

        rows = [
            score_likelihood(fit, x, mine, sample.base) for fit, mine in zip(fits, own, strict=True)
        ]
        moves = Moves(
            scores=np.hstack([row.scores for row in rows]),
            bread=block_diag(*(row.bread for row in rows)),
            carry=carry,
        )
    return Scores(
        chances=chances,
        model="one_vs_rest",
        separated=any(fit.separated for fit in fits),
        separating=tuple(dict.fromkeys(names[c] for part in parts for c in part.columns)),
        certain=max((part.rows for part in parts), default=0),
        rare=tuple(arm for arm, fit in zip(sample.arms, fits, strict=True) if 1 in fit.rare),
        moves=moves,
    )


def _maximum(
    sample: DesignSample,
    settings: Settings,
    x: Floats,
    names: tuple[Name, ...],
    model: str,
    penalty: float = 0.0,
) -> Scores:
    base = _mean_one(sample) if penalty else sample.base
    fit = fit_multinomial(x, sample.arm, base, arms=len(sample.arms), penalty=penalty)
    found = _scores(sample, fit, names, model)
    if not settings.estimating_functions:
        return found
    rows = score_likelihood(fit, x, sample.arm, base)
    return replace(found, moves=_moves(rows, x, fit.probability))


def _mean_one(sample: DesignSample) -> Floats:
    """Return base weights of mean one: a penalty weighs as much whatever their scale."""
    base: Floats = sample.base / sample.base.mean()
    return base


def _moves(rows: RowScores, x: Floats, chances: Floats) -> Moves:
    return Moves(scores=rows.scores, bread=rows.bread, carry=partial(pull_back, x, chances))


def _scores(sample: DesignSample, fit: Multinomial, names: tuple[Name, ...], model: str) -> Scores:
    apart = fit.separation
    return Scores(
        chances=fit.probability,
        model=model,
        separated=fit.separated,
        separating=() if apart is None else tuple(names[column] for column in apart.columns),
        certain=0 if apart is None else apart.rows,
        rare=tuple(sample.arms[position] for position in fit.rare),
    )
