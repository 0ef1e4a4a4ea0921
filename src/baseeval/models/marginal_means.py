"""Means of the outcome by level of a factor, as the model sees them, and their differences."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.models.new_rows import read_new_rows
from baseeval.numerics.mixed_models.mixed_contrasts import grid_weights, marginal_contrasts
from baseeval.plan import nearest

if TYPE_CHECKING:
    from baseeval.models.mixed_model import MixedModel

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def marginal_lines(
    model: MixedModel, factor: str, proportional: bool = False
) -> tuple[list[str], Floats]:
    """Return the combination of coefficients that is the mean of each level of a factor.

    Parameters
    ----------
    model : MixedModel
    factor : str
        A column of categories of the fixed part.
    proportional : bool
        Weigh other factors' levels as common as they are, in place of equally.

    Returns
    -------
    levels : list of str
    lines : ndarray, shape (A, p)
        Of every term. Numeric columns stand at their means over the rows.

    Raises
    ------
    UsageError
        The fixed part has no such factor.
    """
    columns, sides = model.rows.design.columns, model.rows.design.sides
    used = [name for name in columns.categories if name in sides.used["fixed"]]
    if factor not in used:
        raise UsageError(
            Problem(
                f"factor `{factor}`",
                "the fixed part has no such column of categories",
                nearest(factor, used),
            )
        )
    held = columns.frame()
    others = [name for name in used if name != factor]
    levels = {name: list(columns.categories[name].levels) for name in used}
    points = list(product(*(range(len(levels[name])) for name in [factor, *others])))
    codes = np.array(points, dtype=np.intp)
    grid = pd.DataFrame(
        {
            name: _column(levels[name], codes[:, place], name in columns.numbers)
            for place, name in enumerate([factor, *others])
        }
    )
    for name in columns.numbers:
        if name not in used:
            grid[name] = float(held[name].astype(float).mean())
    weights = None
    if proportional:
        sizes = [len(levels[name]) for name in [factor, *others]]
        seen = [pd.Categorical(held[name], levels[name]).codes for name in [factor, *others]]
        counts = np.bincount(np.ravel_multi_index(seen, sizes), minlength=len(codes))
        rest = len(codes) // sizes[0]
        weights = grid_weights(counts.astype(float), np.arange(len(codes)) % rest)
    x = read_new_rows(model.rows, grid, random=False).x
    return [str(level) for level in levels[factor]], marginal_contrasts(x, codes[:, 0], weights)


def _column(levels: list[Any], codes: Ints, number: bool) -> Any:
    """Return a column of levels: numbers stay numbers, though the formula makes categories."""
    values = [levels[code] for code in codes]
    return values if number else pd.Categorical(values, levels)
