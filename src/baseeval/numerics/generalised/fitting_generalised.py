"""Fitting a generalised linear mixed model to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.centring import centre_far_columns
from baseeval.numerics.generalised.beta_binomial import BetaTrials
from baseeval.numerics.generalised.binomials import (
    IdentityTrials,
    LogitTrials,
    LogTrials,
    Trials,
)
from baseeval.numerics.generalised.climbing import NO_START
from baseeval.numerics.generalised.counts import NegativeBinomialCounts, PoissonCounts
from baseeval.numerics.generalised.family_choice import make_outcome
from baseeval.numerics.generalised.finishing import finish
from baseeval.numerics.generalised.generalised_fit import GeneralisedFit
from baseeval.numerics.generalised.grouped_rows import GroupedRows
from baseeval.numerics.generalised.maximum import Maximum, maximise_surface
from baseeval.numerics.generalised.ordered import OrderedLogit
from baseeval.numerics.generalised.plain import fit_plain
from baseeval.numerics.generalised.separating import look_for_separation
from baseeval.numerics.generalised.slopes import Outcome
from baseeval.numerics.generalised.surface import Surface
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.mixed_models.templates import Layout, Template, full_template

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: A log dispersion so near its limit that its derivative tells whether the limit is a maximum.
_NEAR_LIMIT = 12.0
#: A model without a parameter is taken where its likelihood is lower by no more than this.
_SAME = 1e-8


def fit_generalised(
    x: Floats,
    y: Floats,
    groups: Sequence[Ints],
    *,
    family: str = "binomial",
    link: str | None = None,
    trials: Floats | None = None,
    z: Sequence[Floats] | None = None,
    templates: Sequence[Template] | None = None,
    quadrature: int = 1,
    weights: Floats | None = None,
    offset: Floats | None = None,
    labels: Sequence[str] | None = None,
) -> GeneralisedFit:
    """Fit a generalised linear mixed model by maximum likelihood.

    The linear predictor of row i is offset_i + x_i beta + sum_t z_it' b_t, where
    level g of term t has effects b_t ~ N(0, L_t L_t').

    Parameters
    ----------
    x : ndarray, shape (n, p)
        The intercept included, but for ordered categories, whose thresholds take its place.
    y : ndarray, shape (n,)
        Successes, counts, or categories 0 .. K - 1.
    groups : sequence of ndarray of int, shapes (n,)
        Level of each row in each of one or two factors, 0 .. G_t - 1, each
        level held by a row. Two may be nested or crossed.
    family : str
        `binomial`, `beta_binomial`, `poisson`, `negative_binomial`, `ordinal`.
    link : str, optional
        `logit`, `probit`, `log`, `identity` for the binomial; others have one link.
    trials : ndarray, shape (n,), optional
        For the (beta-)binomial; by default one each.
    z : sequence of ndarray, shapes (n, q_t), optional
        Columns of the random effects; by default an intercept each.
    templates : sequence of Template, optional
        By default all effects of a factor may be correlated.
    quadrature : int
        1 for Laplace's approximation; more points for adaptive Gauss-Hermite
        quadrature, of one factor with at most two effects.
    weights : ndarray, shape (n,), optional
        Positive; a weight of two is a row twice.
    offset : ndarray, shape (n,), optional
    labels : sequence of str, optional
        What messages call the factors; by default factor 1 and factor 2.

    Returns
    -------
    GeneralisedFit

    Raises
    ------
    ValueError
        Numbers the family cannot take; a factor of one level, or of which every
        group is all ones or all zeros; quadrature that does not fit; a log or
        identity link with chances at its bound.

    Examples
    --------
    >>> y, group = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0]), np.array([0, 0, 1, 1, 2, 2])
    >>> fit = fit_generalised(np.ones((6, 1)), y, [group], trials=np.full(6, 8.0))
    >>> round(float(fit.beta[0]), 3), fit.singular
    (-0.26, False)
    """
    named = [f"factor {k}" for k in range(1, len(groups) + 1)] if labels is None else labels
    rows, kept, turn = _arranged(
        x, y, groups, family, link, trials, z, templates, weights, offset, named
    )
    _check_quadrature(rows, quadrature)
    simple = _limit(rows)
    plain = fit_plain(simple)
    separation = look_for_separation(simple, plain)
    if separation is not None:
        surface = Surface(simple, quadrature)
        found = Maximum.without_effects(surface, plain)
        found = replace(found, covariance=np.full_like(found.covariance, np.nan))
        return finish(surface, found, kept, turn, separation)
    if not plain.converged and isinstance(rows.outcome, LogTrials | IdentityTrials):
        raise ValueError(NO_START)
    surface, found = fit_rows(rows, quadrature)
    return finish(surface, found, kept, turn, None, simple is not rows)


def fit_rows(rows: GroupedRows, quadrature: int, quick: bool = False) -> tuple[Surface, Maximum]:
    """Find the maximum, that of the family's limit without a dispersion where it is the highest.

    Parameters
    ----------
    rows : GroupedRows
    quadrature : int
    quick : bool
        Whether the maximum alone is wanted, no covariance.

    Returns
    -------
    surface : Surface
        Of the rows, or of the limit.
    found : Maximum
    """
    surface, simple = Surface(rows, quadrature, quick), _limit(rows)
    if simple is rows:
        return surface, maximise_surface(surface, fit_plain(rows))
    other = Surface(simple, quadrature, quick)
    limit = maximise_surface(other, fit_plain(simple))
    near = surface.evaluate(np.append(limit.at, _NEAR_LIMIT))
    if near is not None and near[1][-1] >= 0:
        return other, limit
    found = maximise_surface(surface, fit_plain(rows))
    lower = limit.value < found.value - _SAME * (1 + abs(found.value))
    return (surface, found) if lower else (other, limit)


def _limit(rows: GroupedRows) -> GroupedRows:
    """Return the rows with the family that a dispersion without bound leads to, if there is one."""
    outcome = rows.outcome
    if isinstance(outcome, BetaTrials):
        return rows.with_outcome(LogitTrials(outcome.y, outcome.trials))
    if isinstance(outcome, NegativeBinomialCounts):
        return rows.with_outcome(PoissonCounts(outcome.y))
    return rows


def _arranged(
    x: Floats,
    y: Floats,
    groups: Sequence[Ints],
    family: str,
    link: str | None,
    trials: Floats | None,
    z: Sequence[Floats] | None,
    templates: Sequence[Template] | None,
    weights: Floats | None,
    offset: Floats | None,
    labels: Sequence[str],
) -> tuple[GroupedRows, Ints, Floats]:
    """Check the arrays and bring them into the form of the search."""
    outcome = make_outcome(y, family, link, trials)
    n = len(x)
    columns = [np.ones((n, 1)) for _ in groups] if z is None else list(z)
    chosen = [full_template(one.shape[1]) for one in columns] if templates is None else templates
    codes = tuple(np.ascontiguousarray(code, dtype=np.intp) for code in groups)
    levels = tuple(int(code.max()) + 1 for code in codes)
    _check_groups(codes, levels, outcome, labels)
    if weights is not None and not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("weights must be positive: leave out rows of weight zero")
    kept = _independent(x, isinstance(outcome, OrderedLogit))
    moved, turn = centre_far_columns(x if len(kept) == x.shape[1] else x[:, kept])
    rows = GroupedRows(
        moved,
        outcome,
        tuple(np.ascontiguousarray(one.T, dtype=np.float64) for one in columns),
        codes,
        levels,
        Layout(tuple(chosen)),
        weights,
        offset,
    )
    return rows, kept, turn


def _independent(x: Floats, with_thresholds: bool) -> Ints:
    if not with_thresholds:
        return independent_columns(x)
    kept = independent_columns(np.column_stack([np.ones(len(x)), x]))
    return kept[kept > 0] - 1


def _check_groups(
    codes: tuple[Ints, ...], levels: tuple[int, ...], outcome: Outcome, labels: Sequence[str]
) -> None:
    if len(codes) not in (1, 2):
        raise ValueError(f"{len(codes)} grouping factors: generalised models take one or two")
    for label, code, size in zip(labels, codes, levels, strict=True):
        if size < 2:
            raise ValueError(f"{label} has one level: its variance cannot be estimated")
        if (np.bincount(code, minlength=size) == 0).any():
            raise ValueError(f"{label}: number the levels that have rows from 0 on")
        if isinstance(outcome, Trials):
            share = np.bincount(code, outcome.y) / np.bincount(code, outcome.trials)
            if np.all((share == 0) | (share == 1)):
                raise ValueError(
                    f"{label}: no group holds both ones and zeros, so that effects of "
                    "groups have no bound; use a coarser factor"
                )


def _check_quadrature(rows: GroupedRows, points: int) -> None:
    if points < 1:
        raise ValueError("quadrature must be 1 or more points")
    if points > 1 and (len(rows.groups) > 1 or len(rows.z[0]) > 2):
        raise ValueError(
            "adaptive quadrature is for one grouping factor with at most two effects: "
            "use quadrature=1"
        )
