"""Whom the rules of eligibility leave out, and why: judged as at time zero."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.cohort.eligible import exclusion
from baseeval.engine.frames import Frame, with_only
from baseeval.plan import EligibilitySection
from baseeval.sources.values import WHY

#: Why a cell says nothing though something stands in it: what it says against is believed.
_NO_CONSENT, _NO_DAY = "not yes or no", "not a date"


def with_needs(zero: Frame, census: Frame) -> Frame:
    """Add the needs first recorded, by the end of the first school year.

    The primary need is the first one recorded; the secondary need is that of the first
    record of any need, so that one added later is none.

    Parameters
    ----------
    zero : narwhals LazyFrame
        ``pupil_id, year``: the school year of time zero.
    census : narwhals LazyFrame
        The table ``pupils`` with the ``day`` of each census.

    Returns
    -------
    narwhals LazyFrame
        With ``primary_need, secondary_need``.
    """
    columns = {"pupil_id": nw.String, "day": nw.Date, "year": nw.Int64}
    needs = ("primary_need", "secondary_need")
    rows = with_only(census, {**columns, **dict.fromkeys(needs, nw.String)}).rename(
        {"year": "of_year"}
    )
    held = rows.join(zero.select("pupil_id", "year"), on="pupil_id", how="inner")
    early = held.filter(nw.col("of_year") <= nw.col("year"))
    primary, secondary = (~nw.col(name).is_null() for name in needs)
    number = nw.col("pupil_id").cum_count().over("pupil_id", order_by="day")
    for name, recorded in zip(needs, (primary, primary | secondary), strict=True):
        first = early.filter(recorded).with_columns(number.alias("number"))
        first = first.filter(nw.col("number") == 1).select("pupil_id", name)
        zero = zero.join(first, on="pupil_id", how="left")
    return zero


def reasons_of(zero: Frame, rules: EligibilitySection, census: Frame) -> Frame:
    """Say of each pupil why the rules leave them out, null where they do not.

    Parameters
    ----------
    zero : narwhals LazyFrame
        From `with_needs`, with what `exclusion` reads.
    rules : EligibilitySection
    census : narwhals LazyFrame
        The table ``pupils``, every row: one refusal on any of them is enough.

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, reason, but_need``: a key of `baseeval.cohort.eligible.REASONS`, and
        the reason that there would be whatever the need.
    """
    held = census.collect_schema().names()
    present = {"year_group", "phase", "primary_need", "secondary_need", "sen_provision"}
    consent, withdrawn = nw.col("consent"), nw.col("withdrawn")
    no = (consent == 0) | (nw.col(WHY + "consent") == _NO_CONSENT)
    left = ~withdrawn.is_null() | (nw.col(WHY + "withdrawn") == _NO_DAY)
    said = {"consent": nw.when(no).then(0), "withdrawn": nw.when(left).then(1)}
    ever = [name for name in said if name in held]
    if ever:
        # One refusal, or one withdrawal, is enough, legible or not.
        told = census.select("pupil_id", *(said[name].alias(name) for name in ever))
        lowest = told.group_by("pupil_id").agg(*(nw.col(name).min() for name in ever))
        zero = zero.join(lowest, on="pupil_id", how="left")
        present |= set(ever)
    whatever = rules.model_copy(update={"needs": []})
    return zero.select(
        "pupil_id",
        _settled(rules, exclusion(rules, present)).alias("reason"),
        _settled(rules, exclusion(whatever, present)).alias("but_need"),
    )


def _settled(rules: EligibilitySection, reason: nw.Expr) -> nw.Expr:
    """Add the reasons that lie in the time zero."""
    if rules.time_zero != "school_entry":
        # Without a time zero nothing can be said of the pupil as at time zero.
        first = nw.coalesce(reason.is_in(["consent", "withdrawn"]), nw.lit(False))
        reason = nw.when(nw.col("zero").is_null() & ~first).then(nw.col("why")).otherwise(reason)
    outside = nw.lit(False)
    if rules.first_year is not None:
        outside = outside | (nw.col("year") < rules.first_year)
    if rules.last_year is not None:
        outside = outside | (nw.col("year") > rules.last_year)
    return nw.when(reason.is_null() & outside).then(nw.lit("cohort")).otherwise(reason)
