"""A mixed model of one grouping factor from arrays at hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.nested import NestedLikelihood, nested_likelihood
from baseeval.numerics.mixed_models.templates import Layout, Template

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def two_level_likelihood(
    x: Floats,
    z: Floats,
    y: Floats,
    groups: Ints,
    template: Template,
    weights: Floats | None = None,
    intercept: int | None = 0,
) -> NestedLikelihood:
    """Form the likelihood of one random term from rows in any order.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    z : ndarray, shape (n, q)
    y : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Group of each row, 0 to G - 1, every group present.
    template : Template
        Of the effects of the columns of z.
    weights : ndarray, shape (n,), optional
        Positive precision weights.
    intercept : int or None
        Position of a column of ones in x.

    Returns
    -------
    NestedLikelihood
    """
    whole = Block(x, y, (z,), (groups,), weights)
    order = np.argsort(groups, kind="stable")
    return nested_likelihood(cut_blocks(whole, order), Layout((template,)), (0,), intercept)


def fit_two_level(
    x: Floats,
    z: Floats,
    y: Floats,
    groups: Ints,
    template: Template,
    weights: Floats | None = None,
    reml: bool = True,
) -> MixedFit:
    """Fit a linear mixed model with one grouping factor.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        The first column all ones.
    z : ndarray, shape (n, q)
    y : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Group of each row, 0 to G - 1, every group present.
    template : Template
    weights : ndarray, shape (n,), optional
        Positive precision weights.
    reml : bool

    Returns
    -------
    MixedFit
    """
    return fit_likelihood(two_level_likelihood(x, z, y, groups, template, weights), reml)
