"""A trust's own files: likely headings and words, days of birth, and numbers that join nothing."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, yes
from baseeval.errors import Fault, fault
from baseeval.sources.cells import trimmed
from baseeval.sources.crosswalk import Crosswalk, contract_crosswalk, load_crosswalk
from baseeval.sources.npd_rows import with_summer_year
from baseeval.sources.reading import read_column
from baseeval.sources.rows import count_fault

#: Tables of which likely headings are known; of the others the contract's own are.
_GUESSED = ("pupils", "marks", "placements", "attendance", "attainment", "exclusions", "surveys")

#: Read for the year and month that it gives, and never kept.
BORN = ColumnContract("date_of_birth", "date", "Day of birth", stops=False)


def mis_crosswalk(table: str) -> Crosswalk:
    """Return the headings and words of a trust's file that are plainly what they say.

    Parameters
    ----------
    table : str
        Name of a contract.

    Returns
    -------
    Crosswalk
        The contract's own headings come first, so that a file which has them is
        read by them.

    Examples
    --------
    >>> mis_crosswalk("pupils").place("Year Group")[0]
    'year_group'
    """
    own = contract_crosswalk(TABLES[table])
    if table not in _GUESSED:
        return own
    guessed = load_crosswalk(f"mis_{table}")
    columns = {
        name: (
            name,
            *(option for option in guessed.columns.get(name, ()) if option.lower() != name),
        )
        for name in own.columns
    }
    extra = {name: known for name, known in guessed.columns.items() if name not in columns}
    named = {column.name: _names(column) for column in TABLES[table].columns if column.codes}
    values = {name: {**named.get(name, {}), **guessed.values.get(name, {})} for name in named}
    return replace(own, columns={**columns, **extra}, values=values, kinds=guessed.kinds)


def _names(column: ColumnContract) -> dict[str, str]:
    """Return what a code is called: by its name, or by code and name, as systems print it."""
    named = {meaning.upper(): code for code, meaning in column.codes.items()}
    return named | {f"{code} - {meaning}".upper(): code for code, meaning in column.codes.items()}


def plain_pupils(frame: Frame, engine: Engine, file: str) -> tuple[Frame, list[Fault]]:
    """Take year and month of birth from its day, which is not kept.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the names of the contract ``pupils``, not yet typed.
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    frame : narwhals LazyFrame
        A file that gives the year or the month itself keeps its own.
    faults : list of Fault
        Days that are none; they do not stop the study.
    """
    schema = frame.collect_schema()
    if BORN.name not in schema.names():
        return frame, []
    clean = frame.with_columns(trimmed(BORN, schema[BORN.name]))
    reading = read_column(BORN, clean.collect_schema()[BORN.name])
    parsed = clean.with_columns(reading.parsed).with_columns(reading.value.alias("born"))
    parsed = engine.keep(parsed.with_columns(*(yes(c.fault).alias(c.rule) for c in reading.checks)))
    counts = engine.counts(parsed, {c.rule: nw.col(c.rule) == 1 for c in reading.checks})
    parts = {"birth_year": nw.col("born").dt.year(), "birth_month": nw.col("born").dt.month()}
    made = parsed.with_columns(
        *(
            part.cast(nw.Int64).alias(name)
            for name, part in parts.items()
            if name not in schema.names()
        )
    )
    names = [name for name in (*schema.names(), *parts) if name != BORN.name]
    return made.select(*dict.fromkeys(names)), [
        fault(file, BORN.name, c.rule, counts[c.rule], c.what, c.remedy, verb="hold")
        for c in reading.checks
        if counts[c.rule]
    ]


def plain_years(frame: Frame) -> Frame:
    """Name school years by their summer, where a column says them otherwise: 2025/26.

    Parameters
    ----------
    frame : narwhals LazyFrame

    Returns
    -------
    narwhals LazyFrame
    """
    return with_summer_year(frame) if "year" in frame.collect_schema().names() else frame


def strangers(frame: Frame, pupils: Frame, engine: Engine, file: str) -> list[Fault]:
    """Count the pupils of a table whom the pupils' file does not know.

    Parameters
    ----------
    frame, pupils : narwhals LazyFrame
        With ``pupil_id``.
    engine : Engine
    file : str

    Returns
    -------
    list of Fault
        It stops the study where no pupil at all is known: the two files then have
        numbers of two kinds.
    """
    known = pupils.select("pupil_id").unique().with_columns(nw.lit(1).alias("known"))
    own = frame.filter(~nw.col("pupil_id").is_null()).select("pupil_id").unique()
    marked = own.join(known, on="pupil_id", how="left")
    counted = engine.collect(
        marked.select(
            COUNT.alias("all"), yes(nw.col("known").is_null()).sum().cast(nw.Int64).alias("lost")
        ),
        [],
    ).to_pylist()[0]
    lost, everybody = int(counted["lost"] or 0), int(counted["all"] or 0)
    none_known = bool(everybody) and lost == everybody
    remedy = "Their rows are kept, and join to no pupil: check the numbers."
    if none_known:
        remedy = (
            "None is known there: name in [data.columns] a column with the same kind of number "
            "(UPN or admission number) in both files."
        )
    return count_fault(
        file,
        "pupil_id",
        "not_in_pupils",
        lost,
        "no row in the pupils' file",
        remedy,
        unit="pupil",
        stops=none_known,
    )
