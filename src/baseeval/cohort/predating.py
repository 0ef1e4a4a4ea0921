"""Covariates from many tables: the last value before time zero, each with its day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import PlanError, Problem
from baseeval.placement.dates import day_number
from baseeval.plan import Covariate, Plan, nearest
from baseeval.sources.values import WHY

Frame = nw.LazyFrame[Any]

#: What of a pupil does not change: any record may say it.
LASTING = ("sex", "birth_year", "birth_month", "ethnicity", "language")

#: Of a placement, what the request says of the pupil; the rest the place itself made.
_OF_A_REQUEST = ("route", "ehcp_section", "first_choice", "journey_minutes", "support_hours_before")

#: Of a year's sessions and exclusions: known when the school year is over.
_YEARLY = {
    "attendance": (
        "sessions_possible",
        "sessions_attended",
        "authorised",
        "unauthorised",
        "overall",
        "absence_share",
    ),
    "exclusions": ("suspensions", "suspension_sessions", "permanent_exclusions"),
}

#: Columns that no covariate may be.
_KEYS = ("pupil_id", "urn", "year", "term", "day", "consent", "withdrawn")


@dataclass(frozen=True, slots=True)
class Dated:
    """A column of some table, as pupils' values with the day on which each was known.

    Parameters
    ----------
    frame : narwhals LazyFrame
        ``pupil_id, day, value, why``.
    lasting : bool
        Whether any day will do.
    numeric : bool
    """

    frame: Frame
    lasting: bool
    numeric: bool


def known_columns(tables: Mapping[str, Frame], measures: Sequence[str]) -> list[str]:
    """Return the names that a covariate may have.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        Contract's name -> table.
    measures : sequence of str
        Of the table ``attainment``.

    Returns
    -------
    list of str
    """
    names: list[str] = []
    for table in ("pupils", "placements", "schools"):
        if table in tables:
            held = tables[table].collect_schema().names()
            names += [n for n in TABLES[table].names() if n in held and n in _allowed(table)]
    for table, columns in _YEARLY.items():
        if table in tables:
            held = [*tables[table].collect_schema().names(), "absence_share"]
            names += [name for name in columns if name in held]
    return list(dict.fromkeys([*names, *measures]))


def predate(
    tables: Mapping[str, Frame],
    starts: Frame,
    plan: Plan,
    measures: Sequence[str],
    engine: Engine,
) -> tuple[Frame, frozenset[str]]:
    """Take each covariate of a plan as it was last known before time zero.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        Contract's name -> table, each row of a pupil with its ``day``.
    starts : narwhals LazyFrame
        ``pupil_id, zero, urn, year``.
    plan : Plan
    measures : sequence of str
        Of the table ``attainment``.
    engine : Engine

    Returns
    -------
    frame : narwhals LazyFrame
        ``pupil_id`` and, of each covariate, its value and ``why:name``.
    numeric : frozenset of str

    Raises
    ------
    PlanError
        A covariate that no table has, or that nobody has before time zero.
    """
    covariates = (*plan.covariates.adjust, *plan.covariates.exact)
    known = known_columns(tables, measures)
    where = f"{plan.path.name}, [covariates]"
    problems = [
        Problem(where, f"no table has the covariate `{c.column}`", nearest(c.column, known))
        for c in covariates
        if c.column not in known
    ]
    if problems:
        raise PlanError(problems)
    table = starts.select("pupil_id")
    numeric = set()
    for covariate in covariates:
        dated = _dated(covariate, tables, starts, measures, plan)
        taken, late = _taken(dated, covariate, starts, engine)
        if late:
            problems.append(_late(where, covariate.column))
            continue
        table = table.join(taken, on="pupil_id", how="left")
        numeric |= {covariate.column} if dated.numeric else set()
    if problems:
        raise PlanError(problems)
    return engine.keep(table), frozenset(numeric)


def _late(where: str, column: str) -> Problem:
    return Problem(
        where,
        f"`{column}` is recorded only after time zero, when placement may already have changed it",
        'Leave it out, or say that you mean it: { column = "'
        + column
        + '", after_placement = true }; every row will then say so.',
    )


def _dated(
    covariate: Covariate,
    tables: Mapping[str, Frame],
    starts: Frame,
    measures: Sequence[str],
    plan: Plan,
) -> Dated:
    name = covariate.column
    for table in ("pupils", "placements"):
        if table in tables and name in _own(table, tables[table]):
            numeric = TABLES[table].column(name).kind in ("number", "integer", "flag")
            day = nw.col("day")
            return Dated(_values(tables[table], name, day), name in LASTING, numeric)
    for table, columns in _YEARLY.items():
        if table in tables and name in columns:
            return Dated(_yearly(tables[table], name), False, True)
    if name in measures:
        rows = tables["attainment"].filter(nw.col("measure") == name)
        return Dated(_values(rows, "value", nw.col("day")), False, True)
    numeric = TABLES["schools"].column(name).kind in ("number", "integer", "flag")
    return Dated(_of_school(covariate, tables["schools"], starts, plan), False, numeric)


def _own(table: str, frame: Frame) -> set[str]:
    return set(frame.collect_schema().names()) & _allowed(table)


def _allowed(table: str) -> set[str]:
    if table == "placements":
        return set(_OF_A_REQUEST)
    return set(TABLES[table].names()) - set(_KEYS)


def _values(rows: Frame, column: str, day: nw.Expr) -> Frame:
    held = rows.collect_schema().names()
    why = nw.col(WHY + column) if WHY + column in held else nw.lit(None, nw.String)
    return rows.select(
        "pupil_id", day.alias("day"), nw.col(column).alias("value"), why.alias("why")
    )


def _yearly(rows: Frame, column: str) -> Frame:
    if column == "absence_share":
        missed = nw.col("sessions_possible") - nw.col("sessions_attended")
        share = nw.when(nw.col("sessions_possible") > 0).then(missed / nw.col("sessions_possible"))
        rows = rows.with_columns(share.otherwise(None).alias("absence_share"))
    return _values(rows, column, nw.col("day"))


def _of_school(covariate: Covariate, schools: Frame, starts: Frame, plan: Plan) -> Frame:
    """Give a pupil the figure of the school at time zero, on the day it was true.

    A table of schools without years is as old as the plan says it is.
    """
    name = covariate.column
    held = schools.collect_schema().names()
    joined = starts.select("pupil_id", "urn").join(
        schools.select(*(c for c in ("urn", "year", name, WHY + name) if c in held)),
        on="urn",
        how="inner",
    )
    if "year" in held:
        closes = nw.concat_str(nw.col("year").cast(nw.String), nw.lit("-08-31")).cast(nw.Date)
        return _values(joined, name, closes)
    if covariate.date is None:
        raise PlanError(
            Problem(
                f"{plan.path.name}, [covariates]",
                f"the table of schools does not say of which year `{name}` is",
                f'Say its day: {{ column = "{name}", date = 2021-09-01 }}, with `placement_date`.',
            )
        )
    return _values(joined, name, nw.lit(covariate.date).cast(nw.Date))


def _taken(dated: Dated, covariate: Covariate, starts: Frame, engine: Engine) -> tuple[Frame, bool]:
    """Take the last value up to time zero, and whether there are values but only after it."""
    name = covariate.column
    rows = dated.frame.join(starts.select("pupil_id", "zero"), on="pupil_id", how="inner")
    there = ~nw.col("value").is_null()
    after = nw.coalesce(nw.col("day") > nw.col("zero"), nw.lit(True))
    nearness = day_number(nw.col("day"))
    if covariate.after_placement:
        chosen = rows.filter(after)
    elif dated.lasting:
        chosen = rows
    else:
        chosen, nearness = rows.filter(~after), -nearness
    counts = engine.counts(rows, {"ever": there, "before": there & ~after})
    late = not (covariate.after_placement or dated.lasting)
    late = late and counts["ever"] > 0 and counts["before"] == 0
    # Values before those that are missing, the nearest to time zero first.
    ranked = chosen.with_columns(
        nw.when(there).then(0).otherwise(1).alias("missing"), nearness.alias("nearness")
    )
    order = ("missing", "nearness", "value")
    number = nw.col("pupil_id").cum_count().over("pupil_id", order_by=order)
    first = ranked.with_columns(number.alias("number")).filter(nw.col("number") == 1)
    return first.select(
        "pupil_id", nw.col("value").alias(name), nw.col("why").alias(WHY + name)
    ), late
