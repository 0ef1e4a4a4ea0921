"""Absence: one row a pupil and school year, in whole sessions."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from baseeval.contracts.attendance import CONTRACT, MOST_SESSIONS
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.tables import TableContract
from baseeval.contracts.vocabulary import PANDEMIC_ABSENCE
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import Fault
from baseeval.sources.contracted import Contracted, check_rules, read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.npd_rows import with_summer_year
from baseeval.sources.npd_terms import FIGURES, TERMS, with_year_figures
from baseeval.sources.rows import PUPIL_YEAR, count_fault, under_contract

_WHY_OVER = f"over {MOST_SESSIONS} sessions"
_WHY_BEYOND = "absence over possible"

_SESSIONS = (*FIGURES, "sessions_attended")

#: The extract, as it comes: the figures of each term.
_EXTRACT = TableContract(
    "absence",
    "A pupil's sessions at one school in one school year",
    PUPIL_YEAR,
    (
        *(CONTRACT.column(name) for name in (*PUPIL_YEAR, "urn")),
        ColumnContract("year_group", "key", "Curriculum year"),
        *(
            replace(
                CONTRACT.column(figure),
                name=f"{figure}_{term}",
                kind="integer",
                high=None,
                required=False,
            )
            for figure in FIGURES
            for term in TERMS
        ),
    ),
)


def read_absence(gathered: Gathered, pupils: Frame, engine: Engine) -> Contracted:
    """Read the absence extract.

    Parameters
    ----------
    gathered : Gathered
    pupils : narwhals LazyFrame
        The census, which says who was in Year 11.
    engine : Engine

    Returns
    -------
    Contracted
        Of the contract ``attendance``; `gathered`'s own faults are not repeated.
    """
    label = gathered.label
    read = read_contract(with_summer_year(gathered.frame), _EXTRACT, engine, label)
    years = _year_totals(with_year_figures(_with_year_eleven(read.frame, pupils)))
    years, faults = _questioned(engine.keep(years), engine, label)
    return replace(
        read, frame=engine.keep(under_contract(years, CONTRACT)), faults=(*read.faults, *faults)
    )


def _with_year_eleven(frame: Frame, pupils: Frame) -> Frame:
    """Add ``eleven``: 1 in Year 11, 0 in another, null where nobody says; the census first."""
    if "year_group" in pupils.collect_schema().names():
        said = (
            pupils.filter(~nw.col("year_group").is_null())
            .group_by(*PUPIL_YEAR)
            .agg(yes(nw.col("year_group") == "11").max().alias("census_eleven"))
        )
        frame = frame.join(said, on=list(PUPIL_YEAR), how="left")
    else:
        frame = frame.with_columns(nw.lit(None, dtype=nw.Int64).alias("census_eleven"))
    own: nw.Expr = nw.lit(None, dtype=nw.Int64)
    if "year_group" in frame.collect_schema().names():
        group = nw.col("year_group")
        own = nw.when(~group.is_null()).then(yes(group == "11"))
    return frame.with_columns(nw.coalesce(nw.col("census_eleven"), own).alias("eleven"))


def _year_totals(frame: Frame) -> Frame:
    """Add up what several schools recorded of a pupil in one year.

    A figure that one of them has not is no figure of the year.
    """
    held = frame.collect_schema().names()
    figures = [figure for figure in FIGURES if figure in held]
    urn = [nw.col("urn").min().alias("urn"), nw.col("urn").max().alias("other_urn")]
    totals = frame.group_by(*PUPIL_YEAR).agg(
        *(nw.col(figure).sum().alias(figure) for figure in figures),
        *(nw.col(f"unknown:{figure}").max().alias(f"unknown:{figure}") for figure in figures),
        *(urn if "urn" in held else []),
        nw.col("recorded").max(),
        nw.col("by_year").max(),
        nw.col("eleven").max(),
    )
    columns = [
        nw.when((nw.col(f"unknown:{figure}") == 0) & (nw.col("recorded") == 1))
        .then(nw.col(figure))
        .otherwise(None)
        .alias(figure)
        for figure in figures
    ]
    if "urn" in held:
        columns.append(nw.when(nw.col("urn") == nw.col("other_urn")).then(nw.col("urn")))
    pandemic = yes(nw.col("year").is_in(list(PANDEMIC_ABSENCE))).alias("pandemic")
    return totals.with_columns(*columns, pandemic)


def _questioned(frame: Frame, engine: Engine, label: str) -> tuple[Frame, list[Fault]]:
    """Take the sessions of years that cannot be, and count what else is doubtful."""
    over = nw.coalesce(nw.col("sessions_possible") > MOST_SESSIONS, nw.lit(False))
    counts = engine.counts(
        frame,
        {
            "over": over,
            "whole": (nw.col("eleven") == 1) & (nw.col("by_year") == 1),
            "unknown": nw.col("eleven").is_null(),
        },
    )
    faults = count_fault(
        label,
        "sessions_possible",
        "over_420_sessions",
        counts["over"],
        f"more than {MOST_SESSIONS} sessions possible in the year, over all schools",
        "A school year has some 380: the year's sessions are missing.",
        unit="pupil-year",
    )
    faults += count_fault(
        label,
        "sessions_possible",
        "summer_not_dropped",
        counts["whole"],
        "figures for the whole year alone, in Year 11, so that its summer cannot be left out",
        "They are read as they stand: ask for the termly columns.",
        unit="pupil-year",
    )
    faults += count_fault(
        label,
        "year_group",
        "year_group_unknown",
        counts["unknown"],
        "no year group, in the census of the year or here, so that Year 11 is not told apart",
        "The summer is counted: add NCyearActual, or the year's census.",
        unit="pupil-year",
    )
    frame = _without(frame, over, _WHY_OVER)
    faults += check_rules(frame, CONTRACT, engine, label)
    beyond = nw.coalesce(nw.col("overall") > nw.col("sessions_possible"), nw.lit(False))
    frame = _without(frame, beyond, _WHY_BEYOND)
    attended = (nw.col("sessions_possible") - nw.col("overall")).alias("sessions_attended")
    frame = frame.with_columns(attended)
    figures = [name for name in _SESSIONS if name in frame.collect_schema().names()]
    why = nw.coalesce(nw.col("why"), nw.lit("blank"))
    return frame.with_columns(
        *(nw.col(name).cast(nw.Float64) for name in figures),
        *(why.alias(f"why:{name}") for name in figures),
    ), faults


def _without(frame: Frame, condition: nw.Expr, why: str) -> Frame:
    """Take a year's sessions away where a condition holds, and say why."""
    held = frame.collect_schema().names()
    before = nw.col("why") if "why" in held else nw.lit(None, dtype=nw.String)
    return frame.with_columns(
        *(
            nw.when(~condition).then(nw.col(figure)).otherwise(None).alias(figure)
            for figure in FIGURES
            if figure in held
        ),
        nw.when(condition).then(nw.lit(why)).otherwise(before).alias("why"),
    )
