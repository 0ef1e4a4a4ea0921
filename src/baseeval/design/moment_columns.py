"""What balancing weights balance: the covariates, their squares and their products."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.column_words import column_words
from baseeval.design.sample import DesignSample
from baseeval.numerics.centring import bring_to_size

Floats = NDArray[np.float64]


def moment_columns(
    sample: DesignSample, moments: int, interactions: bool
) -> tuple[Floats, tuple[str, ...]]:
    """Lay out the columns whose means are to be balanced, and name them.

    Parameters
    ----------
    sample : DesignSample
    moments : int
        1 for means; 2 for the squares of numbers too.
    interactions : bool
        Whether to add the products of each two covariates.

    Returns
    -------
    columns : ndarray, shape (n, q)
        The sample's own come first and as they are, but that sizes whose squares
        a computer cannot hold are brought to one. Numbers are squared and
        multiplied in standard deviations from their mean, which balances the
        same and loses no digits.
    words : tuple of str
        What a message calls each.
    """
    words = list(column_words(sample, sample.names))
    columns = bring_to_size(sample.columns)
    if moments == 1 and not interactions:
        return columns, tuple(words)
    reduced = _without_first_levels(sample)
    weight = sample.base / sample.base.sum()
    centred = columns - weight @ columns
    spread = np.sqrt(weight @ centred**2)
    centred /= np.where(spread > 0, spread, 1.0)
    added: list[Floats] = []
    if moments == 2:
        for place, (_, level) in enumerate(sample.names):
            if level == "":
                added.append(centred[:, place] ** 2)
                words.append(f"{words[place]} squared")
    if interactions:
        for one, two in combinations(reduced, 2):
            if sample.names[one][0] != sample.names[two][0]:
                added.append(centred[:, one] * centred[:, two])
                words.append(f"{words[one]} times {words[two]}")
    return np.column_stack([columns, *added]), tuple(words)


def _without_first_levels(sample: DesignSample) -> list[int]:
    """Return the columns less each category's first level, which the others imply."""
    seen: set[str] = set()
    kept = []
    for place, (covariate, level) in enumerate(sample.names):
        if level == "" or covariate in seen:
            kept.append(place)
        seen.add(covariate)
    return kept
