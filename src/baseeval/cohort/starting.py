"""Time zero: the same event for every pupil, whatever becomes of them afterwards."""

from __future__ import annotations

from types import MappingProxyType

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa

from baseeval.engine.days import YEAR_BEGINS, day_in, day_number, school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, with_only
from baseeval.plan import EligibilitySection

#: Of the census, what eligibility and time zero read.
RECORD = {
    "pupil_id": nw.String,
    "urn": nw.String,
    "year": nw.Int64,
    "term": nw.String,
    "day": nw.Date,
    "year_group": nw.String,
    "phase": nw.String,
    "sen_provision": nw.String,
    "entry_date": nw.Date,
    "ehcp_date": nw.Date,
}

#: Year groups without a number, as if they were counted back from Year 1.
_BEFORE_YEAR_1 = MappingProxyType({"R": "0", "N2": "-1", "N1": "-2", "E2": "-3", "E1": "-4"})


def starts(
    census: Frame, spells: Frame, rules: EligibilitySection, seed: int, engine: Engine
) -> Frame:
    """Give every pupil a time zero, and the record that describes them then.

    Parameters
    ----------
    census : narwhals LazyFrame
        The table ``pupils`` with the ``day`` of each census, one row a pupil and day.
    spells : narwhals LazyFrame
        ``pupil_id, start`` of the spells in a base that counts: read for the rule
        ``matched_date`` alone.
    rules : EligibilitySection
    seed : int
        For the draw of matched dates.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        One row a pupil: ``pupil_id, zero`` (date, null where there is none), ``why``
        (a key of `baseeval.cohort.eligible.REASONS`), ``year`` (the school year of
        time zero), and ``urn, year_group, phase, sen_provision`` of the record.
    """
    records = engine.keep(with_only(census, RECORD))
    if rules.time_zero == "school_entry":
        return engine.keep(_entry(records, rules))
    if rules.time_zero == "fixed_date":
        dates = records.select("pupil_id").unique()
        dates = dates.with_columns(
            nw.lit(rules.date, nw.Date).alias("zero"), nw.lit("time zero").alias("why")
        )
    elif rules.time_zero == "ehcp_issue":
        dates = records.group_by("pupil_id").agg(nw.col("ehcp_date").min().alias("zero"))
        dates = dates.with_columns(nw.lit("time zero").alias("why"))
    else:
        dates = _matched(records, spells, seed, engine)
    return engine.keep(_described(records, dates))


def _entry(records: Frame, rules: EligibilitySection) -> Frame:
    """Take the first record in an eligible year group and phase.

    Time zero is the entry to that school, or the beginning of that school year
    where the pupil was there before.
    """
    fits = nw.lit(1)
    if rules.years:
        fits = nw.when(nw.col("year_group").is_in(rules.years)).then(fits).otherwise(0)
    if rules.phases:
        phases = [phase.lower() for phase in rules.phases]
        there = nw.col("phase").str.to_lowercase().is_in(phases)
        fits = nw.when(there).then(fits).otherwise(0)
    ranked = records.with_columns((1 - fits).alias("unfit")).with_columns(
        nw.col("unfit").cum_count().over("pupil_id", order_by=("unfit", "day")).alias("number")
    )
    first = ranked.filter(nw.col("number") == 1)
    opens = _opens(nw.col("year"))
    entered = (nw.col("entry_date") > opens) & (nw.col("entry_date") <= nw.col("day"))
    zero = nw.when(entered).then(nw.col("entry_date")).otherwise(opens)
    zero = nw.when(nw.col("unfit") == 0).then(zero).otherwise(None)
    return first.select(
        "pupil_id",
        zero.alias("zero"),
        nw.lit("time zero").alias("why"),
        "year",
        "urn",
        "year_group",
        "phase",
        "sen_provision",
    )


def _described(records: Frame, dates: Frame) -> Frame:
    """Find the record that describes each pupil at time zero, in its school year.

    It is the last one up to the day; where there is none, the first after it. A record of
    the year before may be of another school: most pupils change school in September.
    """
    held = dates.join(records, on="pupil_id", how="inner")
    held = held.filter(nw.col("year") == school_year(nw.col("zero")))
    after = nw.when(nw.col("day") <= nw.col("zero")).then(0).otherwise(1)
    number = day_number(nw.col("day"))
    nearness = nw.when(nw.col("day") <= nw.col("zero")).then(-number).otherwise(number)
    held = held.with_columns(after.alias("after"), nearness.alias("nearness"))
    place = nw.col("after").cum_count().over("pupil_id", order_by=("after", "nearness"))
    found = held.with_columns(place.alias("place")).filter(nw.col("place") == 1)
    found = found.select(
        "pupil_id", "urn", "year_group", "phase", "sen_provision", nw.lit(1).alias("seen")
    )
    known = dates.join(found, on="pupil_id", how="left")
    seen = nw.col("seen") == 1
    unseen = ~nw.col("zero").is_null() & nw.col("seen").is_null()
    return known.select(
        "pupil_id",
        nw.when(seen).then(nw.col("zero")).otherwise(None).alias("zero"),
        nw.when(unseen).then(nw.lit("not seen")).otherwise(nw.col("why")).alias("why"),
        school_year(nw.col("zero")).alias("year"),
        "urn",
        "year_group",
        "phase",
        "sen_provision",
    )


def _matched(records: Frame, spells: Frame, seed: int, engine: Engine) -> Frame:
    """Give pupils placed their first day in a base, and the others a day drawn from those.

    A pupil who was never placed draws from the first days of pupils of the same
    age who were, so that waiting to be placed is nobody's privilege.
    """
    group = nw.col("year_group")
    age: nw.Expr = nw.when(group.str.contains(r"^\d+$")).then(group)
    for early, number in _BEFORE_YEAR_1.items():
        age = nw.when(group == early).then(nw.lit(number)).otherwise(age)
    born = records.with_columns((nw.col("year") - age.cast(nw.Int64)).alias("age_cohort"))
    pupils = born.group_by("pupil_id").agg(nw.col("age_cohort").min())
    placed = spells.group_by("pupil_id").agg(nw.col("start").min())
    joined = engine.collect(pupils.join(placed, on="pupil_id", how="left"), ["pupil_id"])
    frame = joined.to_pandas(date_as_object=False)
    zero = frame["start"].to_numpy(dtype="datetime64[D]").copy()
    generator = np.random.default_rng([seed, 0])
    draws = generator.random(len(frame))
    for _, group in frame.groupby("age_cohort", sort=True):
        positions = group.index.to_numpy()
        starts_here = np.sort(zero[positions][~np.isnat(zero[positions])])
        waiting = positions[np.isnat(zero[positions])]
        if starts_here.size:
            zero[waiting] = starts_here[(draws[waiting] * starts_here.size).astype(int)]
    table = pa.table(
        {
            "pupil_id": joined.column("pupil_id"),
            "zero": pa.array(zero, pa.date32()),
            "why": pa.array(["no match" if np.isnat(day) else "time zero" for day in zero]),
        }
    )
    return engine.table(table)


def _opens(year: nw.Expr) -> nw.Expr:
    """Return the first day of a school year."""
    return day_in(year - 1, YEAR_BEGINS)
