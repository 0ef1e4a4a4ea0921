"""Weighted estimating equations of a mean: linear, logit and log, pupils alone or correlated.

Liang and Zeger (1986, doi:10.1093/biomet/73.1.13), with a design's weights:

    sum_j w_j D'A^(-1/2) V^-1 A^(-1/2) (y - mu) = 0,   V = W^-1 + lambda 1 1'

D = d mu / d beta, A the variances, W = diag(w_i|j); lambda = rho / (1 - rho), zero under working
independence. Weights stand with the pupils' own part of V and not with the school's, so that a
pupil of weight two counts as two pupils of one school (`docs/methods/weighted-models.md`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.cr2 import ClusterParts
from baseeval.numerics.weighted_models.level_rows import GivenWeights, LevelRows, lay_rows
from baseeval.numerics.weighted_models.mean_links import LINKS, Link
from baseeval.numerics.weighted_models.school_sandwich import SchoolScores
from baseeval.numerics.weighted_models.weighted_precision import apply_precision, design_parts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ROUNDS = 100
#: Largest step, in standardised rows' units, that still counts as none.
_SETTLED = 1e-11
#: A correlation is held below this, where its school would count as one pupil.
_MOST = 0.99


@dataclass(frozen=True, slots=True)
class EquationsFit:
    """Coefficients of a mean by weighted estimating equations.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    vcov : ndarray, shape (p, p)
        Sandwich by school, times G / (G - 1).
    correlation : float
        Of two pupils of a school, in the working covariance.
    dispersion : float
        Weighted mean of squared residuals over their variances.
    scores : SchoolScores
    converged : bool
        False where coefficients run away: the covariates tell the outcomes apart.
    link : str
    rows : LevelRows
        Sorted, y and x as given; one effect of a school, constant.
    trials : ndarray, shape (n,)
        In the order of the rows.
    given : GivenWeights
    """

    beta: Floats
    vcov: Floats
    correlation: float
    dispersion: float
    scores: SchoolScores
    converged: bool
    link: str
    rows: LevelRows
    trials: Floats
    given: GivenWeights

    def robust_parts(self) -> ClusterParts:
        """Return what `baseeval.numerics.cr2.cr2` makes a covariance and its df of.

        In rows divided by their standard deviations under the link's variance.
        """
        x, e = _standardise(self.rows, self.trials, LINKS[self.link], self.beta)
        return design_parts(
            x,
            self.rows.z,
            e,
            _covariance(self.correlation),
            self.rows.pupil_weights,
            self.rows.school_weights,
            self.rows.school,
        )

    def scores_under(self, pupil_weights: Floats, school_weights: Floats) -> Floats:
        """Return the schools' scores at this estimate under other weights, shape (G, p).

        Parameters
        ----------
        pupil_weights, school_weights : ndarray, shape (n,)
            In the order of the rows given, before scaling.

        Returns
        -------
        ndarray, shape (G, p)
        """
        rows = self.given.reweighted(self.rows, pupil_weights, school_weights)
        x, e = _standardise(rows, self.trials, LINKS[self.link], self.beta)
        return _scores(rows, x, e, self.correlation)


def fit_weighted_equations(
    x: Floats,
    y: Floats,
    group: Ints,
    pupil_weights: Floats,
    school_weights: Floats,
    scaling: str = "none",
    link: str = "identity",
    correlation: float | str = 0.0,
    trials: Floats | None = None,
) -> EquationsFit:
    """Fit a mean to weighted pupils of weighted schools.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank.
    y : ndarray, shape (n,)
        For the logit a proportion.
    group : ndarray of int, shape (n,)
        School of each row.
    pupil_weights, school_weights : ndarray, shape (n,)
        Positive; a school's is the same on all its rows.
    scaling : str
        Of the pupils' weights within schools.
    link : str
        identity, logit or log.
    correlation : float or str
        Of two pupils of a school in the working covariance: a number from zero (independence) to
        below one, or exchangeable, which estimates it (held at zero where it comes out lower).
    trials : ndarray, shape (n,), optional
        Of how many each y is a proportion: sessions possible. Ones by default.

    Returns
    -------
    EquationsFit

    Examples
    --------
    >>> school, one = np.repeat(np.arange(4), 2), np.ones((8, 1))
    >>> y, w = np.array([0.0, 1, 0, 1, 1, 1, 0, 1]), np.array([1.0, 1, 1, 1, 2, 2, 1, 1])
    >>> fit = fit_weighted_equations(one, y, school, w, one[:, 0], link="logit")
    >>> round(float(fit.beta[0]), 4) == round(float(np.log(7 / 3)), 4)
    True
    """
    rows, given = lay_rows(
        x, y, np.ones((len(y), 1)), group, pupil_weights, school_weights, scaling, None
    )
    trials = np.ones(len(y)) if trials is None else trials[given.first_rows]
    form = LINKS[link]
    held = 0.0 if correlation == "exchangeable" else float(correlation)
    beta = np.asarray(np.linalg.lstsq(rows.x, form.start(rows.y), rcond=None)[0], dtype=float)
    settled = False
    for _ in range(_ROUNDS):
        wide, e = _standardise(rows, trials, form, beta)
        if correlation == "exchangeable":
            held = _estimate_correlation(rows, e)
        step = np.linalg.solve(
            _curvatures(rows, wide, held).sum(axis=0), _scores(rows, wide, e, held).sum(axis=0)
        )
        if not np.all(np.isfinite(step)):
            break
        beta = beta + step
        settled = bool(np.abs(wide @ step).max() < _SETTLED * (1 + np.abs(e).max()))
        if settled:
            break
    wide, e = _standardise(rows, trials, form, beta)
    scores = SchoolScores(_scores(rows, wide, e, held), _curvatures(rows, wide, held), len(beta))
    size = rows.pupil_weights * rows.school_weights[rows.school]
    return EquationsFit(
        beta=beta,
        vcov=scores.sandwich("CR1"),
        correlation=held,
        dispersion=float(size @ e**2 / size.sum()),
        scores=scores,
        converged=settled,
        link=link,
        rows=rows,
        trials=trials,
        given=given,
    )


def _standardise(
    rows: LevelRows, trials: Floats, form: Link, beta: Floats
) -> tuple[Floats, Floats]:
    """Return A^(-1/2) D and A^(-1/2) (y - mu)."""
    eta = rows.x @ beta
    mean = form.mean(eta)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.sqrt(trials / form.variance(mean))
        return rows.x * (root * form.slope(eta))[:, None], root * (rows.y - mean)


def _covariance(correlation: float) -> Floats:
    return np.array([[correlation / (1 - correlation)]])


def _scores(rows: LevelRows, x: Floats, e: Floats, correlation: float) -> Floats:
    precise = apply_precision(
        e[:, None], rows.z, _covariance(correlation), rows.pupil_weights, rows.school
    )
    found = np.add.reduceat(x * precise, rows.school_starts, axis=0)
    return np.asarray(rows.school_weights[:, None] * found)


def _curvatures(rows: LevelRows, x: Floats, correlation: float) -> Floats:
    precise = apply_precision(x, rows.z, _covariance(correlation), rows.pupil_weights, rows.school)
    edges = np.append(rows.school_starts, len(x))
    found = [x[a:b].T @ precise[a:b] for a, b in itertools.pairwise(edges)]
    return np.asarray(rows.school_weights[:, None, None] * np.array(found))


def _estimate_correlation(rows: LevelRows, e: Floats) -> float:
    """Return the mean weighted product of two pupils of a school over the mean square."""
    weights, starts = rows.pupil_weights, rows.school_starts
    total = rows.school_weights @ np.add.reduceat(weights, starts)
    square = rows.school_weights @ np.add.reduceat(weights * e**2, starts) / total

    def over_pairs(values: Floats) -> float:
        one = np.add.reduceat(weights * values, starts) ** 2
        own = np.add.reduceat((weights * values) ** 2, starts)
        return float(rows.school_weights @ (one - own))

    pairs = over_pairs(np.ones_like(e))
    if pairs <= 0 or not square > 0:
        return 0.0
    return float(np.clip(over_pairs(e) / pairs / square, 0.0, _MOST))
