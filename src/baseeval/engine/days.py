"""Days, reckoned alike on every engine: their school year, their number, and so many days on."""

from __future__ import annotations

import narwhals.stable.v2 as nw

_SEPTEMBER = 9

#: The first and the last day of a school year.
YEAR_BEGINS, YEAR_ENDS = "09-01", "08-31"


def school_year(day: nw.Expr) -> nw.Expr:
    """Give the school year of a day, by the summer in which it ends.

    Parameters
    ----------
    day : narwhals expression

    Returns
    -------
    narwhals expression
    """
    autumn = nw.when(day.dt.month() >= _SEPTEMBER).then(nw.lit(1)).otherwise(nw.lit(0))
    return (day.dt.year() + autumn).cast(nw.Int64)


def day_in(year: nw.Expr, of_year: str) -> nw.Expr:
    """Give a stated day of a calendar year.

    Parameters
    ----------
    year : narwhals expression
        Whole number.
    of_year : str
        Month and day, as ``08-31``.

    Returns
    -------
    narwhals expression
    """
    return nw.concat_str(year.cast(nw.String), nw.lit(of_year), separator="-").cast(nw.Date)


def plus_days(day: nw.Expr, days: int) -> nw.Expr:
    """Move a day.

    Parameters
    ----------
    day : narwhals expression
    days : int

    Returns
    -------
    narwhals expression
    """
    return day.dt.offset_by(f"{days}d").cast(nw.Date)


def day_number(day: nw.Expr) -> nw.Expr:
    """Turn a day into its Julian day number.

    Parameters
    ----------
    day : narwhals expression

    Returns
    -------
    narwhals expression

    Notes
    -----
    Engines differ in what one date less another is; whole numbers they agree on.
    """
    month = day.dt.month().cast(nw.Int64)
    back = (14 - month) // 12  # 1 in January and February: the year then begins in March
    y = day.dt.year().cast(nw.Int64) + 4800 - back
    m = month + 12 * back - 3
    of_year = day.dt.day().cast(nw.Int64) + (153 * m + 2) // 5
    number: nw.Expr = of_year + 365 * y + y // 4 - y // 100 + y // 400 - 32045
    return number
