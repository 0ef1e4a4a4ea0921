"""Chances of two arms that share schools, with each school's own pull towards the first."""

from __future__ import annotations

import numpy as np

from baseeval.design.placement_factors import pull_note
from baseeval.design.sample import DesignSample
from baseeval.design.score_columns import named_columns
from baseeval.design.scores import Moves, Scores
from baseeval.design.settings import Settings
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.random_logit import fit_random_logit
from baseeval.numerics.row_scores import score_random


def random_intercept_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit a logit with a normal intercept for each school, at its most likely value.

    Li, Zaslavsky and Landrum (2013, doi:10.1002/sim.5786): where schools pull pupils into an arm
    and move outcomes too, a score that knows the school takes that out.

    Parameters
    ----------
    sample : DesignSample
        Of two arms, its schools named.
    settings : Settings

    Returns
    -------
    Scores

    Raises
    ------
    UsageError
        There are more than two arms, or no schools are named.
    EstimationError
        No school holds pupils of both arms.
    """
    where = f'propensity = "random_intercept", {sample.where}'
    if len(sample.arms) > 2:
        raise UsageError(
            Problem(
                where,
                f"it serves two arms, and there are {len(sample.arms)}",
                'Take "nested", whose second factor has such intercepts, or "logit".',
            )
        )
    if (sample.school == "").all():
        raise UsageError(Problem(where, "no schools are named", "Name their column: school = ..."))
    x, names = named_columns(sample)
    _, school = np.unique(sample.school, return_inverse=True)
    first = sample.arm == 0
    shared = np.bincount(school, first) * np.bincount(school, ~first) > 0
    if not shared.any():
        raise EstimationError(
            Problem(
                where,
                "no school holds pupils of both arms, so a school's pull cannot be told from them",
                'Take "within_between" or "logit"; with all three arms, "nested".',
            )
        )
    fit = fit_random_logit(x, first, school, sample.base)
    chance, apart, moves = fit.probability, fit.separation, None
    if settings.estimating_functions and apart is None:
        rows = score_random(fit, x, first, school, sample.base)
        spread = (chance * (1 - chance))[:, None]
        moves = Moves(
            scores=rows.scores,
            bread=rows.bread,
            carry=lambda by: (by[:, :1] - by[:, 1:]) * spread * rows.by_parameters,
        )
    return Scores(
        chances=np.column_stack([chance, 1 - chance]),
        model="random_intercept",
        separated=apart is not None or not fit.converged,
        separating=() if apart is None else tuple(names[column] for column in apart.columns),
        certain=0 if apart is None else apart.rows,
        moves=moves,
        notes=(pull_note(fit),),
    )
