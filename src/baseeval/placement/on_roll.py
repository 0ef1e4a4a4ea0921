"""From when to when a school year's censuses know a pupil to be on roll."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import YEAR_BEGINS, YEAR_ENDS, day_in
from baseeval.engine.frames import Frame, yes


def days_on_roll(seen: Frame) -> Frame:
    """Bound the days of each school year on which a pupil was on roll and observed.

    Parameters
    ----------
    seen : narwhals LazyFrame
        From `see_pupils`.

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, year, since, until``, one row a pupil and school year in which a census
        saw the pupil on roll. It is not worked out before it is asked for.

    Notes
    -----
    A year begins on 1 September, or with the entry to the school if that came later and the first
    census of the year shows it. It ends on 31 August; where a later census of the same year did
    not see the pupil on roll, with the last census that did.
    """
    first = nw.col("day").min().over("pupil_id", "year")
    there = seen.filter(yes(nw.col("on_roll") == 0) == 0).with_columns(first.alias("first"))
    entry = nw.when(nw.col("day") == nw.col("first")).then(nw.col("entry_date"))
    of_pupil = (
        there.with_columns(entry.alias("entry"))
        .group_by("pupil_id", "year")
        .agg(
            nw.col("day").min().alias("first"),
            nw.col("day").max().alias("last"),
            nw.col("entry").min(),
        )
    )
    of_year = seen.group_by("year").agg(nw.col("day").max().alias("last_census"))
    opens, closes = day_in(nw.col("year") - 1, YEAR_BEGINS), day_in(nw.col("year"), YEAR_ENDS)
    entered = (nw.col("entry") > opens) & (nw.col("entry") <= nw.col("first"))
    gone = nw.col("last") < nw.col("last_census")
    return of_pupil.join(of_year, on="year", how="inner").select(
        "pupil_id",
        "year",
        nw.when(entered).then(nw.col("entry")).otherwise(opens).alias("since"),
        nw.when(gone).then(nw.col("last")).otherwise(closes).alias("until"),
    )
