"""What readers of rows share: one row of several, columns under a contract, faults counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import TableContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.errors import Fault, fault
from baseeval.sources.values import WHY

#: What tells the rows of a year's sessions, exclusions or results apart.
PUPIL_YEAR = ("pupil_id", "year")


def one_each(
    frame: Frame, key: Sequence[str], order: Sequence[nw.Expr], engine: Engine
) -> tuple[Frame, int]:
    """Keep one row of each key: the first in a stated order.

    Only the keys that have several rows are put in order. Rows that the order does
    not tell apart are ordered by all their columns, so that neither the order of
    files nor of rows decides.

    Parameters
    ----------
    frame : narwhals LazyFrame
    key : sequence of str
        Rows without a value in one of them are all kept.
    order : sequence of narwhals expression
        Never null; lowest first.
    engine : Engine

    Returns
    -------
    frame : narwhals LazyFrame
    lost : int
        Rows that were not kept.
    """
    key, names = list(key), frame.collect_schema().names()
    rows = COUNT.alias("rows")
    known = [~nw.col(name).is_null() for name in key]
    counted_keys = frame.filter(*known).group_by(*key).agg(rows)
    several = engine.keep(counted_keys.filter(nw.col("rows") > 1))
    counted = engine.collect(several.select((nw.col("rows") - 1).sum().cast(nw.Int64)), [])
    lost = int(counted.column("rows").to_pylist()[0] or 0)
    if not lost:
        return frame, 0
    ranks = [f"rank:{position}" for position in range(len(order))]
    rest = [name for name in names if name not in key]
    contested = frame.join(several.drop("rows"), on=key, how="inner").with_columns(
        *(rank.alias(name) for rank, name in zip(order, ranks, strict=True))
    )
    won = contested.unique(subset=key, keep="first", order_by=[*ranks, *rest]).select(*names)
    alone = frame.join(several.drop("rows"), on=key, how="anti").select(*names)
    return nw.concat([alone, won], how="vertical"), lost


def under_contract(frame: Frame, contract: TableContract, missing: nw.Expr | None = None) -> Frame:
    """Give a frame the columns of its contract, each measured one with why it has no value.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Holds some columns of the contract, typed, and of some why they have no value.
    contract : TableContract
    missing : narwhals expression, optional
        Why a value of any other column is missing; "blank" by default.

    Returns
    -------
    narwhals LazyFrame
    """
    names = frame.collect_schema().names()
    reason = nw.lit("blank") if missing is None else missing
    columns: list[nw.Expr] = []
    for column in contract.columns:
        if column.name not in names:
            continue
        columns.append(nw.col(column.name))
        if column.kind == "key":
            continue
        why = WHY + column.name
        given = nw.col(why) if why in names else reason
        absent = nw.col(column.name).is_null()
        columns.append(nw.when(absent).then(given).otherwise(None).alias(why))
    return frame.select(*columns)


def with_columns(frame: Frame, columns: Iterable[nw.Expr]) -> Frame:
    """Add columns, of which there may be none.

    Parameters
    ----------
    frame : narwhals LazyFrame
    columns : iterable of narwhals expression

    Returns
    -------
    narwhals LazyFrame
    """
    added = list(columns)
    return frame.with_columns(*added) if added else frame


def count_fault(
    file: str, column: str, rule: str, count: int, what: str, remedy: str, **rest: Any
) -> list[Fault]:
    """Word a fault if there is one.

    Parameters
    ----------
    file, column, rule : str
    count : int
    what, remedy : str
    **rest
        As `fault` takes them.

    Returns
    -------
    list of Fault
    """
    return [fault(file, column, rule, count, what, remedy, **rest)] if count else []
