"""How a number that may leave is made coarser before it does."""

from __future__ import annotations

import math

from baseeval.disclosure.profiles import Profile

DIGITS = 3  # significant, of means and spreads
DECIMALS = 3  # of differences and ratios between arms


def round_count(count: float, base: int) -> int:
    """Round a count to the nearest multiple of `base`, halves up.

    Examples
    --------
    >>> round_count(12, 5), round_count(13, 5)
    (10, 15)
    """
    return base * math.floor((2 * count + base) / (2 * base))


def rounding_interval(rounded: int, base: int) -> tuple[int, int]:
    """Give the smallest and largest whole number that `round_count` takes to `rounded`.

    Examples
    --------
    >>> rounding_interval(15, 5)
    (13, 17)
    """
    return rounded - base // 2, rounded + (base - 1) // 2


def released_share(share: float, of: int, base: int) -> float:
    """Recompute a share of `of` pupils from rounded counts, at most 1.

    A weighted share is treated as the count that it would be if it were one.
    """
    whole = round_count(of, base)
    return min(round_count(share * of, base) / whole, 1.0) if whole else math.nan


def significant(value: float) -> float:
    """Keep three significant digits, so that no denominator can be read off a mean."""
    return float(f"{value:.{DIGITS}g}")


def released_effective(size: float, profile: Profile) -> float:
    """Coarsen an effective number of pupils.

    With equal weights it is the count of pupils itself, so it is rounded as
    one. Below the threshold it cannot be the count of a row that leaves, and
    two significant digits are kept.
    """
    if not math.isfinite(size):
        return math.nan
    if size < profile.threshold:
        return float(f"{size:.2g}")
    return float(round_count(size, profile.base))


def released_df(df: float, schools: int, profile: Profile) -> float:
    """Coarsen degrees of freedom: with all their digits they give the size of every school.

    Two significant digits are kept, below 1 one decimal. Those above the number of schools count
    pupils, and are rounded as counts are first.

    Parameters
    ----------
    df : float
    schools : int
        Schools behind the row, both arms; 0 where they are not known.
    profile : Profile

    Examples
    --------
    >>> from baseeval.disclosure.profiles import get_profile
    >>> [released_df(df, 7, get_profile("srs")) for df in (0.3219, 5.4321, 76.0, 117.0)]
    [0.3, 5.4, 75.0, 120.0]
    """
    if not math.isfinite(df):
        return df
    if df > schools:
        df = float(max(round_count(df, profile.base), profile.base))
    return round(df, 1) if df < 1 else float(f"{df:.2g}")


def count_behind(share: float, of: int) -> int | None:
    """Give the count that a mean between 0 and 1 stands for, if it is a share of `of` pupils."""
    if not 0 <= share <= 1 or of <= 0:
        return None
    count = round(share * of)
    return count if math.isclose(share * of, count, abs_tol=1e-6) else None
