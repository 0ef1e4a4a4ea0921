"""Cells as plain text, before any contract reads them: no margins, and blank is missing."""

from __future__ import annotations

from collections.abc import Sequence

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.frames import Frame
from baseeval.sources.cells import as_text, trimmed


def without_margins(frame: Frame, columns: Sequence[str]) -> Frame:
    """Write columns as the text that a key of them would be.

    Parameters
    ----------
    frame : narwhals LazyFrame
    columns : sequence of str

    Returns
    -------
    narwhals LazyFrame
        Whole numbers without a point, days as 2025-09-01; a blank cell is missing.
    """
    if not columns:
        return frame
    kinds = frame.collect_schema()
    keys = (ColumnContract(name, "key", "") for name in columns)
    trim = frame.with_columns(*(trimmed(key, kinds[key.name]) for key in keys))
    kinds = trim.collect_schema()
    return trim.with_columns(*(as_text(name, kinds[name]) for name in columns))
