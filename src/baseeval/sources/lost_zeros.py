"""Keys that lost their leading zeros when a spreadsheet took them for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT
from baseeval.errors import Fault, fault

#: So many rows, and so great a share of full length, before a key of another length is a question.
_ROWS, _SHARE = 20, 0.8

#: Running numbers fill the span from the least to the greatest; keys of another sort fill little.
_SPARSE = 0.1


def find_lost_zeros(
    frame: nw.LazyFrame[Any], keys: Sequence[str], engine: Engine, file: str
) -> list[Fault]:
    """Ask about keys that are one digit or two shorter than nearly all others.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Text without margins, null where blank.
    keys : sequence of str
        Columns whose contracts say nothing of their form.
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    list of Fault
        ``zeros_lost``, which does not stop. A column is asked about where it has 20
        rows or more, every value is digits and none begins with a zero, at least 80%
        of the rows have the greatest length, of four digits or more, the others lack
        one digit or two, and the different values are less than a tenth of the numbers
        from the least to the greatest: running numbers would be more.
    """
    if not keys:
        return []
    shapes = []
    for key in keys:
        column = nw.col(key)
        size = column.str.len_chars().cast(nw.Int64)
        plain = column.str.contains(r"^[1-9]\d*$")
        shapes += [
            (~column.is_null()).cast(nw.Int64).sum().alias(f"rows {key}"),
            plain.cast(nw.Int64).sum().alias(f"plain {key}"),
            size.max().alias(f"longest {key}"),
            size.min().alias(f"shortest {key}"),
        ]
    [shape] = engine.collect(frame.select(*shapes), []).to_pylist()
    return [
        found
        for key in keys
        if _may_have_lost(*(shape[f"{what} {key}"] or 0 for what in _SHAPE))
        for found in _asked(frame, key, shape[f"longest {key}"], engine, file)
    ]


_SHAPE = ("rows", "plain", "longest", "shortest")


def _may_have_lost(rows: int, plain: int, longest: int, shortest: int) -> bool:
    return rows >= _ROWS and plain == rows and longest >= 4 and 1 <= longest - shortest <= 2


def _asked(
    frame: nw.LazyFrame[Any], key: str, longest: int, engine: Engine, file: str
) -> list[Fault]:
    number = nw.col(key).cast(nw.Float64)
    size = nw.col(key).str.len_chars().cast(nw.Int64)
    per_key = frame.filter(~nw.col(key).is_null()).group_by(key).agg(COUNT.alias("rows"))
    by_size = engine.collect(
        per_key.select("rows", size.alias("size"), number.alias("number"))
        .group_by("size")
        .agg(
            nw.col("rows").sum().cast(nw.Int64),
            COUNT.alias("keys"),
            nw.col("number").min().alias("least"),
            nw.col("number").max().alias("greatest"),
        ),
        ["size"],
    ).to_pylist()
    total, full = sum(row["rows"] for row in by_size), by_size[-1]["rows"]
    span = by_size[-1]["greatest"] - by_size[0]["least"] + 1
    if full < _SHARE * total or sum(row["keys"] for row in by_size) >= _SPARSE * span:
        return []
    return [
        fault(
            file,
            key,
            "zeros_lost",
            total - full,
            f"a key of fewer digits than the {longest} of nearly all others: a spreadsheet may "
            "have taken leading zeros off",
            "If so, export again and import the column as Text; otherwise nothing need be done.",
        )
    ]
