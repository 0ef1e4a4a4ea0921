"""Covariates from many tables: the last value before time zero, each with its day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw

from baseeval.contracts.registry import TABLES
from baseeval.engine.days import YEAR_ENDS, day_in, day_number
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import PlanError, Problem
from baseeval.plan import Covariate, Plan, nearest
from baseeval.sources.cells import as_text
from baseeval.sources.values import WHY

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
_KEYS = ("pupil_id", "urn", "year", "term", "recorded", "day", "consent", "withdrawn")


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
            held = tables[table].collect_schema().names()
            if "sessions_attended" in held:
                held = [*held, "absence_share"]
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
    covariates = plan.covariates.every()
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
    anybody = engine.counts(table, {"all": ~nw.col("pupil_id").is_null()})["all"] > 0
    numeric = set()
    for covariate in covariates:
        dated = _dated(covariate, tables, starts, measures, plan, engine)
        taken, ever, before = _taken(dated, covariate, starts, engine)
        if anybody and not ever:
            problems.append(_nobody(where, covariate.column))
        elif ever and not (before or covariate.after_placement or dated.lasting):
            problems.append(_late(where, covariate.column))
        table = table.join(taken, on="pupil_id", how="left")
        numeric |= {covariate.column} if dated.numeric else set()
    if problems:
        raise PlanError(problems)
    return engine.keep(table), frozenset(numeric)


def _nobody(where: str, column: str) -> Problem:
    return Problem(
        where,
        f"no pupil of an arm has any value of `{column}`",
        "Leave it out, or check the column and its codes in the data.",
    )


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
    engine: Engine,
) -> Dated:
    name = covariate.column
    kind = "number"
    for table in ("pupils", "placements"):
        if table in tables and name in _own(table, tables[table]):
            frame = _values(tables[table], name, nw.col("day"))
            return _of_kind(frame, TABLES[table].column(name).kind, covariate, plan)
    yearly = [table for table, columns in _YEARLY.items() if table in tables and name in columns]
    if yearly:
        frame = _yearly(tables[yearly[0]], name)
    elif name in measures:
        rows = tables["attainment"].filter(nw.col("measure") == name)
        frame = _values(rows, "value", nw.col("day"))
    else:
        frame = _of_school(covariate, tables["schools"], starts, plan, engine)
        kind = TABLES["schools"].column(name).kind
    return _of_kind(frame, kind, covariate, plan)


def _of_kind(frame: Frame, kind: str, covariate: Covariate, plan: Plan) -> Dated:
    """Make of values a number or a category, as the plan says, else as the dictionary does."""
    name, numeric = covariate.column, kind in ("number", "integer", "flag")
    wrong = "is a day" if kind == "date" else "is no number in the data dictionary"
    if kind == "date" or (covariate.kind == "number" and not numeric):
        raise PlanError(
            Problem(
                f"{plan.path.name}, [covariates]",
                f"`{name}` {wrong}",
                "Leave it out, or take it as a category." if kind != "date" else "Leave it out.",
            )
        )
    if numeric and covariate.kind == "category":
        text = as_text("value", frame.collect_schema()["value"])
        return Dated(frame.with_columns(text), name in LASTING, False)
    return Dated(frame, name in LASTING, numeric)


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


def _of_school(
    covariate: Covariate, schools: Frame, starts: Frame, plan: Plan, engine: Engine
) -> Frame:
    """Give a pupil the figure of the school at time zero, on the day it was true.

    A row of the table of schools without a year is as old as the plan says it is.
    """
    name = covariate.column
    held = schools.collect_schema().names()
    joined = starts.select("pupil_id", "urn").join(
        schools.select(*(c for c in ("urn", "year", name, WHY + name) if c in held)),
        on="urn",
        how="inner",
    )
    undated = joined
    closes = nw.lit(covariate.date, nw.Date)
    if "year" in held:
        undated = joined.filter(nw.col("year").is_null())
        ends = day_in(nw.col("year"), YEAR_ENDS)
        closes = nw.coalesce(ends, closes)
    if covariate.date is None and engine.counts(undated, {"n": ~nw.col(name).is_null()})["n"]:
        raise PlanError(
            Problem(
                f"{plan.path.name}, [covariates]",
                f"the table of schools does not say of which year `{name}` is",
                f'Say its day: {{ column = "{name}", date = 2021-09-01 }}, with `placement_date`.',
            )
        )
    return _values(joined, name, closes)


def _taken(
    dated: Dated, covariate: Covariate, starts: Frame, engine: Engine
) -> tuple[Frame, int, int]:
    """Take the last value up to time zero; count the values, and those up to it."""
    name = covariate.column
    rows = engine.keep(
        dated.frame.join(starts.select("pupil_id", "zero"), on="pupil_id", how="inner")
    )
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
    # Values before those that are missing, the nearest to time zero first.
    ranked = chosen.with_columns(
        nw.when(there).then(0).otherwise(1).alias("missing"), nearness.alias("nearness")
    )
    order = ("missing", "nearness", "value", "why")
    number = nw.col("pupil_id").cum_count().over("pupil_id", order_by=order)
    first = ranked.with_columns(number.alias("number")).filter(nw.col("number") == 1)
    taken = first.select("pupil_id", nw.col("value").alias(name), nw.col("why").alias(WHY + name))
    return engine.keep(taken), counts["ever"], counts["before"]
