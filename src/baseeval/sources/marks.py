"""A register's marks, added up: one row a pupil and school year, in whole sessions."""

from __future__ import annotations

from datetime import date

import narwhals.stable.v2 as nw

from baseeval.contracts.attendance import CONTRACT, MOST_SESSIONS
from baseeval.contracts.vocabulary import PANDEMIC_ABSENCE
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, yes
from baseeval.errors import Fault
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.mark_forms import ROWS, lay_marks
from baseeval.sources.mark_sessions import one_a_session, unreadable, with_ranks
from baseeval.sources.register_codes import TALLIES, RegisterCodes, load_register_codes
from baseeval.sources.rows import PUPIL_YEAR, count_fault, under_contract

_SEPTEMBER = 9

_ATTENDED = ("present", "off_site")
_POSSIBLE = (*_ATTENDED, "authorised", "unauthorised")
_FIGURES = (
    "sessions_possible",
    "sessions_attended",
    "authorised",
    "unauthorised",
    "overall",
    *TALLIES,
    "not_counted",
)

_WHY_OVER = f"over {MOST_SESSIONS} sessions"
_WHY_NO_CODE = "no such code that year"


def read_marks(
    gathered: Gathered, engine: Engine, codes: RegisterCodes | None = None
) -> Contracted:
    """Read a register.

    Parameters
    ----------
    gathered : Gathered
        Under the names of the contract ``marks``, in any of its forms.
    engine : Engine
    codes : RegisterCodes, optional
        What each code counts as, and when; those that ship with baseeval by default.

    Returns
    -------
    Contracted
        Of the contract ``attendance``; `gathered`'s own faults are not repeated.
    """
    codes = load_register_codes() if codes is None else codes
    label = gathered.label
    laid = lay_marks(gathered, engine)
    read = read_contract(laid.frame, ROWS, engine, label)
    marked = engine.keep(with_ranks(read.frame, codes, engine))
    faults = [*laid.faults, *read.faults, *unreadable(marked, codes, engine, label)]
    sessions, found = one_a_session(marked, codes, engine, label)
    years = engine.keep(_year_totals(sessions, codes))
    if "urn" in marked.collect_schema().names():
        years = years.join(_schools(marked), on=list(PUPIL_YEAR), how="left")
    faults += [*found, *_over(years, engine, label)]
    return Contracted(
        engine.keep(under_contract(_figures(years, codes), CONTRACT)), tuple(faults), {}
    )


def _schools(marked: Frame) -> Frame:
    """Name the school of a pupil's year, where it is but one."""
    only = nw.when(nw.col("urn") == nw.col("other")).then(nw.col("urn")).otherwise(None)
    return (
        marked.group_by(*PUPIL_YEAR)
        .agg(nw.col("urn").min().alias("urn"), nw.col("urn").max().alias("other"))
        .select(*PUPIL_YEAR, only.alias("urn"))
    )


def _year_totals(sessions: Frame, codes: RegisterCodes) -> Frame:
    """Add sessions up by pupil and school year."""
    tallied = {
        name: [rank for rank, entry in enumerate(codes.ranked()) if entry.tally == name]
        for name in TALLIES
    }
    counted = {kind: codes.ranks(kind) for kind in _POSSIBLE} | tallied
    by_rank = sessions.group_by(*PUPIL_YEAR, "rank").agg(COUNT.alias("sessions"))
    return (
        by_rank.with_columns(
            *(
                (nw.col("sessions") * yes(nw.col("rank").is_in(ranks or [-1]))).alias(name)
                for name, ranks in counted.items()
            )
        )
        .group_by(*PUPIL_YEAR)
        .agg(*(nw.col(name).sum().cast(nw.Int64) for name in ("sessions", *counted)))
        .with_columns(
            _sum(_POSSIBLE).alias("sessions_possible"),
            _sum(_ATTENDED).alias("sessions_attended"),
            _sum(("authorised", "unauthorised")).alias("overall"),
            yes(nw.col("year").is_in(list(PANDEMIC_ABSENCE))).alias("pandemic"),
        )
        .with_columns((nw.col("sessions") - nw.col("sessions_possible")).alias("not_counted"))
    )


def _sum(names: tuple[str, ...]) -> nw.Expr:
    total = nw.col(names[0])
    for name in names[1:]:
        total = total + nw.col(name)
    return total


def _over(years: Frame, engine: Engine, label: str) -> list[Fault]:
    over = nw.col("sessions_possible") > MOST_SESSIONS
    return count_fault(
        label,
        "sessions_possible",
        "over_420_sessions",
        engine.counts(years, {"over": over})["over"],
        f"more than {MOST_SESSIONS} sessions possible in the year",
        "A school year has some 380: the year's sessions are missing.",
        unit="pupil-year",
    )


def _figures(years: Frame, codes: RegisterCodes) -> Frame:
    """Take away what cannot be, or could not be recorded that year, and say why."""
    over = nw.col("sessions_possible") > MOST_SESSIONS
    whys: list[nw.Expr] = []
    for name in _FIGURES:
        first = codes.first_day(name) if name in TALLIES else None
        why: nw.Expr = nw.lit(None, dtype=nw.String)
        if first is not None:
            why = nw.when(nw.col("year") < _first_year(first)).then(nw.lit(_WHY_NO_CODE))
            why = why.otherwise(nw.lit(None, dtype=nw.String))
        whys.append(nw.when(over).then(nw.lit(_WHY_OVER)).otherwise(why).alias(f"why:{name}"))
    return years.with_columns(*whys).with_columns(
        *(
            nw.when(nw.col(f"why:{name}").is_null())
            .then(nw.col(name).cast(nw.Float64))
            .otherwise(None)
            .alias(name)
            for name in _FIGURES
        )
    )


def _first_year(first: date) -> int:
    """Return the first school year that a code was in use throughout."""
    opens = date(first.year, _SEPTEMBER, 1)
    return first.year + (1 if first <= opens else 2)
