"""What every layer that asks the engine shares: frames, counts, columns that may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw

Frame = nw.LazyFrame[Any]

#: Contract's name -> its table.
Frames = Mapping[str, nw.LazyFrame[Any]]

#: Rows of a group; engines differ in the width of the integer that they count with.
COUNT = nw.len().cast(nw.Int64)


def with_only(frame: Frame, columns: Mapping[str, Any]) -> Frame:
    """Give a frame these columns alone; those that it lacks are null.

    Parameters
    ----------
    frame : narwhals LazyFrame
    columns : mapping of str to narwhals dtype

    Returns
    -------
    narwhals LazyFrame
    """
    held = frame.collect_schema().names()
    return frame.select(
        *(
            nw.col(name) if name in held else nw.lit(None, dtype=kind).alias(name)
            for name, kind in columns.items()
        )
    )


def yes(condition: nw.Expr) -> nw.Expr:
    """Turn a condition into 1 or 0; missing counts as 0.

    Parameters
    ----------
    condition : narwhals expression

    Returns
    -------
    narwhals expression
    """
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)
