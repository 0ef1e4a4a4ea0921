"""The columns that a model of the arms is fitted to, with their names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.contrast import SCHOOLS_PER_COVARIATE
from baseeval.design.sample import DesignSample
from baseeval.design.scores import Name
from baseeval.numerics.centring import bring_to_size, centre_far_columns
from baseeval.numerics.least_squares import independent_columns

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_INTERCEPT: Name = ("", "")

#: A range below this share of a column's size is rounding.
_CONSTANT = 1e-12


def named_columns(
    sample: DesignSample,
    taken: Flags | None = None,
    further: tuple[Floats, tuple[Name, ...]] | None = None,
) -> tuple[Floats, tuple[Name, ...]]:
    """Return an intercept and columns of the sample that do not follow from one another.

    Parameters
    ----------
    sample : DesignSample
    taken : ndarray of bool, shape (p,), optional
        Which of the sample's columns; all by default.
    further : (ndarray, shape (n, m), tuple of names), optional
        Columns to come after them.

    Returns
    -------
    x : ndarray, shape (n, q)
        A category's first level is left to the intercept; columns far from zero for
        their range are moved to it, and extreme sizes scaled: neither changes a chance,
        and no digits are lost.
    names : tuple of (covariate, level)
        The intercept's is empty.
    """
    kept = regressor_positions(sample)
    if taken is not None:
        kept = kept[taken[kept]]
    more, more_names = further or (np.empty((len(sample.arm), 0)), ())
    x = np.column_stack([np.ones(len(sample.arm)), sample.columns[:, kept], more])
    names = (_INTERCEPT, *(sample.names[position] for position in kept), *more_names)
    low, high = x.min(axis=0), x.max(axis=0)
    varies = high - low > _CONSTANT * np.maximum(high, -low)
    varies[0] = True
    own = np.flatnonzero(varies)
    x = centre_far_columns(bring_to_size(x if varies.all() else x[:, own]))[0]
    names, own = tuple(names[position] for position in own), independent_columns(x)
    if len(own) < x.shape[1]:
        x = x[:, own]
    return x, tuple(names[position] for position in own)


def regressor_positions(sample: DesignSample) -> NDArray[np.intp]:
    """Return the positions of the sample's columns, less each category's first level.

    Parameters
    ----------
    sample : DesignSample

    Returns
    -------
    ndarray of int
    """
    firsts: set[str] = set()
    kept = []
    for position, (covariate, level) in enumerate(sample.names):
        if level == "" or covariate in firsts:
            kept.append(position)
        firsts.add(covariate)
    return np.array(kept, dtype=np.intp)


def school_means(sample: DesignSample) -> tuple[Floats, tuple[Name, ...], int]:
    """Average pupils' covariates over each school, as far as schools allow.

    A mean is over all pupils of a school that the cohort holds, whichever arms are compared: the
    mean of those placed in its base alone would tell of their placement. It is the same for all
    pupils of a school, so where some schools host and others do not, one covariate for every ten
    schools of the smaller group is allowed, less those of the school level that the sample has.

    Parameters
    ----------
    sample : DesignSample
        Its schools are named.

    Returns
    -------
    means : ndarray, shape (n, m)
    names : tuple of (covariate, level)
    left_out : int
        Covariates for whose means there are too few schools.
    """
    positions = regressor_positions(sample)
    positions = positions[~np.isin(positions, sample.school_level)]
    covariates = list(dict.fromkeys(sample.names[position][0] for position in positions))
    allowed = means_allowed(sample)
    taken = covariates if allowed is None else covariates[:allowed]
    names = [sample.names[p] for p in positions if sample.names[p][0] in taken]
    whole = sample if sample.whole is None else sample.whole()
    schools, school = np.unique(whole.school, return_inverse=True)
    places = np.searchsorted(schools, sample.school)
    total = np.bincount(school, weights=whole.base)
    means = np.empty((len(sample.arm), len(names)))
    for place, name in enumerate(names):
        column = whole.columns[:, whole.names.index(name)]
        means[:, place] = (np.bincount(school, weights=whole.base * column) / total)[places]
    labels = tuple((f"school mean of {covariate}", level) for covariate, level in names)
    return means, labels, len(covariates) - len(taken)


def means_allowed(sample: DesignSample) -> int | None:
    """Return how many more school-level covariates the schools allow; None where any number.

    Parameters
    ----------
    sample : DesignSample

    Returns
    -------
    int or None
    """
    if sample.hosts is None or sample.hosts.all() or not sample.hosts.any():
        return None
    smaller = min(len(np.unique(sample.school[group])) for group in (sample.hosts, ~sample.hosts))
    held = len({sample.names[position][0] for position in sample.school_level})
    return max(0, smaller // SCHOOLS_PER_COVARIATE - held)
