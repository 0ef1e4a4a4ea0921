"""A register's rows made into sessions: what a mark counts as that day, one mark a half day."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, yes
from baseeval.errors import Fault
from baseeval.sources.register_codes import RegisterCodes
from baseeval.sources.rows import count_fault

_SESSION = ("pupil_id", "date", "session")


def with_ranks(rows: Frame, codes: RegisterCodes, engine: Engine) -> Frame:
    """Give every mark the rank of its code on its day.

    Parameters
    ----------
    rows : narwhals LazyFrame
        One a pupil and session, typed.
    codes : RegisterCodes
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, date, session`` (0 in the morning), ``urn`` where it is held,
        ``year``; ``rank``, the code's place in `RegisterCodes.ranked`, where a mark that
        is no code comes after all of them, and an empty one after that; ``outside``,
        1 where the code was not in use that day.
    """
    mark, day = nw.col("mark"), nw.col("date")
    coded = rows.with_columns(mark.str.to_uppercase().alias("code")).join(
        codes.lay(engine), on="code", how="left"
    )
    near = (day >= nw.col("reach_from")) & (day <= nw.col("reach_to"))
    outside = (day < nw.col("first")) | (day > nw.col("last"))
    beyond = yes(mark.is_null()) + len(codes.entries)
    return coded.filter(nw.coalesce(near, nw.lit(True))).select(
        "pupil_id",
        "date",
        yes(nw.col("session") == "PM").alias("session"),
        *(["urn"] if "urn" in rows.collect_schema().names() else []),
        school_year(day).alias("year"),
        nw.coalesce(nw.col("rank"), beyond).alias("rank"),
        yes(nw.coalesce(outside, nw.lit(False))).alias("outside"),
    )


def unreadable(marked: Frame, codes: RegisterCodes, engine: Engine, label: str) -> list[Fault]:
    """Count the marks that no code of the day explains.

    Parameters
    ----------
    marked : narwhals LazyFrame
        As `with_ranks` returns it.
    codes : RegisterCodes
    engine : Engine
    label : str
        Named in messages.

    Returns
    -------
    list of Fault
        None stops the study.
    """
    tallied = marked.group_by("rank", "outside").agg(COUNT.alias("rows"))
    held = engine.collect(tallied, ["rank", "outside"]).to_pylist()
    silent = {*codes.ranks("no_mark"), len(codes.entries) + 1}
    unknown = sum(row["rows"] for row in held if row["rank"] == len(codes.entries))
    unmarked = sum(row["rows"] for row in held if row["rank"] in silent)
    return [
        *count_fault(
            label,
            "mark",
            "unknown_mark",
            unknown,
            "a mark that is not in the table of codes",
            "They count neither as attended nor as possible: mend them, or read the register with "
            "a table of codes of your own.",
            verb="hold",
        ),
        *count_fault(
            label,
            "mark",
            "mark_out_of_date",
            sum(row["rows"] for row in held if row["outside"]),
            "a code that was not in use that day (K, C1, C2, J1, Q and Y1 to Y7 came in on "
            "19 August 2024, when H, J and Y went out)",
            "They are read as what the code meant when last or first in use: check the dates, and "
            "ask which code was meant.",
            verb="hold",
        ),
        *count_fault(
            label,
            "mark",
            "no_mark",
            unmarked,
            "no mark: nobody took the register",
            "They count neither as attended nor as possible: ask the school for them.",
        ),
    ]


def one_a_session(
    marked: Frame, codes: RegisterCodes, engine: Engine, label: str
) -> tuple[Frame, list[Fault]]:
    """Keep one mark of a pupil's half day, that of the lowest rank.

    Parameters
    ----------
    marked : narwhals LazyFrame
        As `with_ranks` returns it.
    codes : RegisterCodes
    engine : Engine
    label : str
        Named in messages.

    Returns
    -------
    sessions : narwhals LazyFrame
        ``pupil_id, year, rank``.
    faults : list of Fault
        Sessions with several marks. One that leaves the session to another school, or
        that says nothing, gives way to any other; only the others can differ.
    """
    key = list(_SESSION)
    rows = COUNT.alias("rows")
    several = engine.keep(marked.group_by(*key).agg(rows).filter(nw.col("rows") > 1).select(*key))
    names = ["pupil_id", "year", "rank"]
    if not engine.counts(several, {"all": ~nw.col("pupil_id").is_null()})["all"]:
        return marked.select(*names), []
    yielding = [*codes.ranks("elsewhere"), *codes.ranks("no_mark"), len(codes.entries) + 1]
    own = nw.when(~nw.col("rank").is_in(yielding)).then(nw.col("rank")).otherwise(None)
    contested = engine.keep(
        marked.join(several, on=key, how="inner")
        .with_columns(own.alias("own"))
        .group_by(*key, "year")
        .agg(
            nw.col("rank").min(),
            nw.col("own").min().alias("lowest"),
            nw.col("own").max().alias("highest"),
            nw.col("own").count().cast(nw.Int64).alias("marks"),
        )
    )
    alike = nw.col("lowest") == nw.col("highest")
    counts = engine.counts(contested, {"differ": ~alike, "again": alike & (nw.col("marks") > 1)})
    alone = marked.join(several, on=key, how="anti")
    faults = count_fault(
        label,
        "mark",
        "different_marks",
        counts["differ"],
        "marks that differ, of one pupil and half day",
        "One is read: present before educated elsewhere, before authorised and then unauthorised "
        "absence, before no possible session. Where that is wrong, keep the right one yourself.",
        unit="session",
    )
    faults += count_fault(
        label,
        "mark",
        "repeated_mark",
        counts["again"],
        "the same mark more than once",
        "It is read once: check that nothing was given twice.",
        unit="session",
    )
    return nw.concat([alone.select(*names), contested.select(*names)], how="vertical"), faults
