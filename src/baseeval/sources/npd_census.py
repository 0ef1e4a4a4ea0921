"""The school census: one row a pupil and census."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from baseeval.contracts.pupils import CONTRACT
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import Fault
from baseeval.sources.blank_sen import with_blank_sen
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.npd_carrying import carry_spring
from baseeval.sources.npd_rows import with_summer_year
from baseeval.sources.rows import count_fault, one_each, under_contract
from baseeval.sources.tables import ReadOptions
from baseeval.sources.values import WHY

_CENSUS = ("year", "term")


def read_census(gathered: Gathered, engine: Engine, options: ReadOptions) -> Contracted:
    """Read the school census.

    Parameters
    ----------
    gathered : Gathered
    engine : Engine
    options : ReadOptions

    Returns
    -------
    Contracted
        Of the contract ``pupils``; `gathered`'s own faults are not repeated.
    """
    label = gathered.label
    read = read_contract(
        with_summer_year(gathered.frame), CONTRACT, engine, label, frozenset({"urn"})
    )
    frame, faults = _with_school(_with_every_refusal(read.frame), engine, label)
    frame, lost = one_each(frame, ("pupil_id", *_CENSUS), _order(frame), engine)
    faults += count_fault(
        label,
        "pupil_id",
        "several_rows",
        lost,
        "another row of the pupil in the same census that comes first (enrolment C or M, "
        "then on roll, then the lowest school number)",
        "They are left out: one row a pupil and census is kept.",
    )
    frame, blank = with_blank_sen(frame, engine, label, options)
    frame = engine.keep(under_contract(carry_spring(frame), CONTRACT))
    return replace(read, frame=frame, faults=(*read.faults, *faults, *blank))


def _with_every_refusal(frame: Frame) -> Frame:
    """Write on every row of a pupil and census what any of them says against taking part."""
    held = frame.collect_schema().names()
    columns = []
    for name in ("consent", "withdrawn"):
        if name in held:
            columns.append(nw.col(name).min().over("pupil_id", *_CENSUS).alias(name))
        if WHY + name in held:
            why = nw.col(WHY + name)
            illegible = nw.when(why != "blank").then(why).otherwise(None)
            said = illegible.max().over("pupil_id", *_CENSUS)
            columns.append(nw.coalesce(said, why).alias(WHY + name))
    return frame.with_columns(*columns) if columns else frame


def _with_school(frame: Frame, engine: Engine, label: str) -> tuple[Frame, list[Fault]]:
    """Take LAESTAB for the school where there is no URN."""
    names = frame.collect_schema().names()
    if "laestab" not in names:
        return frame, []
    urn = nw.col("urn") if "urn" in names else nw.lit(None, dtype=nw.String)
    lent = urn.is_null() & ~nw.col("laestab").is_null()
    count = engine.counts(frame, {"lent": lent})["lent"]
    faults = count_fault(
        label,
        "urn",
        "laestab_for_urn",
        count,
        "no URN, so that LAESTAB serves as the key of the school",
        "Give the schools' own tables under LAESTAB too; a school must not be known by both.",
    )
    return frame.with_columns(nw.coalesce(urn, nw.col("laestab")).alias("urn")), faults


def _order(frame: Frame) -> list[nw.Expr]:
    names = frame.collect_schema().names()
    order = []
    if "enrolment" in names:
        order.append(1 - yes(nw.col("enrolment").is_in(["C", "M"])))
    if "on_roll" in names:
        order.append(1 - yes(nw.col("on_roll") == 1))
    # Behind every number and letter: a row without a school comes last.
    return [*order, nw.coalesce(nw.col("urn"), nw.lit("~"))]
