"""The two chances that make up a placement: of a school that hosts, and of a place in its base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.design.sample import DesignSample
from baseeval.design.score_columns import named_columns
from baseeval.design.scores import Moves, Name
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.multinomial import RARE, fit_multinomial
from baseeval.numerics.random_logit import RandomLogit, fit_random_logit
from baseeval.numerics.row_scores import score_likelihood, score_random
from baseeval.numerics.separation import Separation
from baseeval.results import ARMS

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Points of Gauss-Hermite quadrature over schools that are not among those fitted.
_POINTS = 15

_BASE, _HOST, _NON_HOST = ARMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A fitted chance of one of two things, for every row.

    Parameters
    ----------
    chance : ndarray, shape (n,)
    names : tuple of (covariate, level)
        Of the columns that it follows.
    separated : bool
        Whether no finite estimate exists.
    separation : Separation or None
        Which columns say so.
    rare : tuple of str
        Arms of few pupils for so many columns.
    moves : Moves, optional
        Where they are wanted: carrying derivatives by the chance, shape (n,).
    notes : tuple of str
    """

    chance: Floats
    names: tuple[Name, ...]
    separated: bool
    separation: Separation | None
    rare: tuple[str, ...] = ()
    moves: Moves | None = None
    notes: tuple[str, ...] = ()

    @property
    def separating(self) -> tuple[Name, ...]:
        """Return the names of the columns that settle what happened."""
        if self.separation is None:
            return ()
        return tuple(self.names[column] for column in self.separation.columns)


def fit_hosting(sample: DesignSample, hosted: Flags, wanted: bool) -> Factor:
    """Fit the chance of being in a school that hosts a base, each pupil a row.

    Parameters
    ----------
    sample : DesignSample
    hosted : ndarray of bool, shape (n,)
    wanted : bool
        Whether moves are.

    Returns
    -------
    Factor
    """
    x, names = named_columns(sample)
    everyone = np.ones(len(hosted), dtype=bool)
    return _plain(sample, x, names, everyone, hosted, (_HOST, _NON_HOST), wanted)


def fit_placing(sample: DesignSample, hosted: Flags, placed: Flags, wanted: bool) -> Factor:
    """Fit the chance of a place in the base of a school that hosts one, and give it to everyone.

    Parameters
    ----------
    sample : DesignSample
        Of its columns, those of pupils have a part; schools have each their own
        pull, normal about zero, where they are named and some hold both arms.
    hosted : ndarray of bool, shape (n,)
        Whose school hosts: the rows that it is fitted to.
    placed : ndarray of bool, shape (n,)
    wanted : bool
        Whether moves are.

    Returns
    -------
    Factor
        In a school that hosts with the school's own pull, elsewhere on average
        over schools.
    """
    pupil_level = np.ones(len(sample.names), dtype=bool)
    pupil_level[sample.school_level] = False
    x, names = named_columns(sample, pupil_level)
    own = independent_columns(x[hosted])
    x, names = x[:, own], tuple(names[position] for position in own)
    _, school = np.unique(sample.school[hosted], return_inverse=True)
    both = np.bincount(school, placed[hosted]) * np.bincount(school, ~placed[hosted])
    if len(both) > 1 and both.any():
        return _with_schools(sample, x, names, hosted, placed, school, wanted)
    return _plain(sample, x, names, hosted, placed, (_BASE, _HOST), wanted)


def chance_elsewhere(x: Floats, beta: Floats, sd: float) -> tuple[Floats, Floats, Floats]:
    """Return the chance in a school that is not among those fitted: its mean over schools.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    beta : ndarray, shape (p,)
    sd : float
        Of the schools' log odds.

    Returns
    -------
    chance, by_odds, by_sd : ndarray, shape (n,)
        The chance, and its derivatives by the log odds of the middle school and by `sd`.

    Examples
    --------
    >>> chance_elsewhere(np.ones((1, 1)), np.zeros(1), 2.0)[0].round(6).tolist()
    [0.5]
    """
    points, shares = np.polynomial.hermite_e.hermegauss(_POINTS)
    linear = x @ beta
    found = np.zeros((3, len(x)))
    for point, share in zip(points, shares / shares.sum(), strict=True):
        chance = expit(linear + sd * point)
        slope = share * chance * (1 - chance)
        found += np.array([share * chance, slope, point * slope])
    return found[0], found[1], found[2]


def pull_note(fit: RandomLogit) -> str:
    """Say how far schools differ in whom they place.

    Parameters
    ----------
    fit : RandomLogit

    Returns
    -------
    str
    """
    if fit.singular:
        return "Schools differ in whom they place no more than chance makes them differ."
    return f"Schools differ in whom they place by {fit.sd:.2g} log odds (standard deviation)."


def _plain(
    sample: DesignSample,
    x: Floats,
    names: tuple[Name, ...],
    rows: Flags,
    happened: Flags,
    arms: tuple[str, str],
    wanted: bool,
) -> Factor:
    inner, own, base = x[rows], happened[rows].astype(np.intp), sample.base[rows]
    fit = fit_multinomial(inner, own, base, arms=2)
    chance = np.asarray(expit(x @ fit.beta[0]))
    moves = None
    if wanted:
        scored = score_likelihood(fit, inner, own, base)
        slopes = (chance * (1 - chance))[:, None] * x
        moves = _moves(scored.scores, scored.bread, rows, slopes)
    return Factor(
        chance=chance,
        names=names,
        separated=fit.separated,
        separation=fit.separation,
        rare=_rare(happened[rows], x, arms),
        moves=moves,
    )


def _with_schools(
    sample: DesignSample,
    x: Floats,
    names: tuple[Name, ...],
    rows: Flags,
    happened: Flags,
    school: Ints,
    wanted: bool,
) -> Factor:
    inner, own, base = x[rows], happened[rows], sample.base[rows]
    fit = fit_random_logit(inner, own, school, base)
    chance, by_odds, by_sd = chance_elsewhere(x, fit.beta, fit.sd)
    chance[rows] = fit.probability
    moves = None
    if wanted and fit.separation is None:
        scored = score_random(fit, inner, own, school, base)
        slopes = np.column_stack([by_odds[:, None] * x, by_sd])[:, : len(scored.bread)]
        spread = fit.probability * (1 - fit.probability)
        slopes[rows] = spread[:, None] * scored.by_parameters
        moves = _moves(scored.scores, scored.bread, rows, slopes)
    return Factor(
        chance=chance,
        names=names,
        separated=fit.separation is not None or not fit.converged,
        separation=fit.separation,
        rare=_rare(own, x, (_BASE, _HOST)),
        moves=moves,
        notes=(pull_note(fit),),
    )


def _moves(scores: Floats, bread: Floats, rows: Flags, slopes: Floats) -> Moves:
    """Lay scores of some rows out over all, whose chances have these slopes."""
    laid = np.zeros_like(slopes)
    laid[rows] = scores
    return Moves(scores=laid, bread=bread, carry=lambda by_chance: by_chance[:, None] * slopes)


def _rare(happened: Flags, x: Floats, arms: tuple[str, str]) -> tuple[str, ...]:
    """Return the arms with fewer than ten pupils for each column beside the intercept."""
    counts = (int(happened.sum()), int((~happened).sum()))
    least = RARE * max(1, x.shape[1] - 1)
    return tuple(arm for arm, count in zip(arms, counts, strict=True) if count < least)
