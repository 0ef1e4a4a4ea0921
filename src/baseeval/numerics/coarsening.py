"""Numbers coarsened into bins, for exact matching on what is left of them.

The rules are those of MatchIt's `cem` (version 4.7.2), from its manual; those for the number
of bins are R's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.subclassification import quantile_cuts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: The rules for a number of bins, as `cutpoints` names them.
RULES: tuple[str, ...] = ("sturges", "scott", "fd")

#: More bins than these are not made: a value far from all others asks for ever more.
MOST_BINS = 1_000_000

_FD_DIGITS = 5
_SMALLEST_TAIL = 1 / 512


def coarsen(values: Floats, how: int | str | Sequence[float] = "sturges") -> Ints:
    """Put numbers into bins.

    Parameters
    ----------
    values : ndarray, shape (n,)
    how : int, str or sequence of float
        A number of bins of equal width between the smallest and the largest
        value (0: no bins, every value by itself; 1: one bin, so that the
        column has no part); sturges, scott or fd (Freedman and Diaconis) for a
        number of bins; "q5" for five bins of equal size; or the cuts
        themselves. A value on a cut belongs to the bin above.

    Returns
    -------
    ndarray of int, shape (n,)
        From 0, by size; numbers of empty bins are left out of use.

    Raises
    ------
    ValueError
        `how` is none of these.

    Examples
    --------
    >>> coarsen(np.array([0.0, 2.0, 3.9, 6.0]), 3).tolist()
    [0, 1, 1, 2]
    >>> coarsen(np.array([8.0, 9.0, 12.0]), [9, 11.5]).tolist()
    [0, 1, 2]
    """
    if not isinstance(how, int | str):
        cuts = np.sort(np.asarray(how, dtype=float))
    elif isinstance(how, str) and how not in RULES:
        cuts = quantile_cuts(values, _parts(how))
    else:
        bins = count_bins(values, how) if isinstance(how, str) else how
        if bins < 0:
            raise ValueError(f"{how} is not a number of bins")
        if bins == 0:
            return np.unique(values, return_inverse=True)[1].astype(np.intp)
        cuts = np.linspace(values.min(), values.max(), min(bins, MOST_BINS) + 1)[1:-1]
    return np.searchsorted(cuts, values, side="right").astype(np.intp)


def count_bins(values: Floats, rule: str) -> int:
    """Return the number of bins that a rule gives.

    Parameters
    ----------
    values : ndarray, shape (n,)
    rule : str
        sturges: ceil(log2 n + 1) (Sturges 1926, doi:10.1080/01621459.1926.10502161);
        scott: widths of 3.5 SD n^(-1/3) (Scott 1979, doi:10.1093/biomet/66.3.605);
        fd: widths of twice the interquartile range over n^(1/3) (Freedman and
        Diaconis 1981, doi:10.1007/BF01025868), of values to five digits. Where
        that range is zero, ever wider ranges between opposite quantiles stand
        for it, each over the share of rows that it spans; where all are, Scott's.

    Returns
    -------
    int
        From 1 to `MOST_BINS`.

    Examples
    --------
    >>> count_bins(np.arange(100.0), "sturges")
    8
    """
    if rule == "sturges":
        return math.ceil(math.log2(len(values)) + 1)
    width = _fd_width(values) if rule == "fd" else 0.0
    if width <= 0 and len(values) > 1:
        width = 3.5 * float(np.std(values, ddof=1))
    if width <= 0:
        return 1
    bins = float(np.ptp(values)) / width * float(len(values) ** (1 / 3))
    return max(1, math.ceil(min(bins, MOST_BINS)))


def _fd_width(values: Floats) -> float:
    """Return the range between opposite quantiles over the share of rows between them.

    Of the quartiles that is twice the interquartile range.
    """
    rounded = _significant(values, _FD_DIGITS)
    tail = 0.25
    while True:
        low, high = np.quantile(rounded, [tail, 1 - tail])
        if high > low or tail / 2 < _SMALLEST_TAIL:
            return float(high - low) / (1 - 2 * tail)
        tail /= 2


def _significant(values: Floats, digits: int) -> Floats:
    """Round to so many significant digits."""
    sizes = np.abs(values)
    powers = np.floor(np.log10(np.where(sizes > 0, sizes, 1.0)))
    scale = 10.0 ** (digits - 1 - powers)
    return np.asarray(np.round(values * scale) / scale, dtype=float)


def _parts(how: str) -> int:
    """Read "q5" as five."""
    if not (how[:1] == "q" and how[1:].isdigit() and int(how[1:]) > 0):
        raise ValueError(f"{how!r} is no rule for bins")
    return int(how[1:])
