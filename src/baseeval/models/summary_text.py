"""A fitted model in words and columns, in the shape that readers of lme4 know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: Significant digits of an estimate, decimals of a df and of a p-value.
_DIGITS, _DF, _P = 5, 1, 4


def summary_text(
    title: str, facts: Sequence[tuple[str, str]], tables: Sequence[tuple[str, pd.DataFrame]],
    notes: Sequence[str],
) -> str:  # fmt: skip
    """Lay a fitted model out as text.

    Parameters
    ----------
    title : str
    facts : sequence of (name, value)
    tables : sequence of (heading, table)
    notes : sequence of str
        Whole sentences.

    Returns
    -------
    str

    Examples
    --------
    >>> table = pd.DataFrame({"term": ["Intercept"], "estimate": [1.23456789]})
    >>> print(summary_text("A model", [("Rows", "12")], [("Fixed effects", table)], []))
    A model
    Rows: 12
    <BLANKLINE>
    Fixed effects
    term       estimate
    Intercept    1.2346
    """
    lines = [title, *(f"{name}: {value}" for name, value in facts)]
    for heading, table in tables:
        lines += ["", heading, *_columns(table)]
    if notes:
        lines += ["", *notes]
    return "\n".join(lines)


def _columns(table: pd.DataFrame) -> list[str]:
    """Return the lines of a table: words to the left, numbers to the right."""
    parts = []
    for name, column in table.items():
        words = not pd.api.types.is_numeric_dtype(column)
        cells = [str(value) if words else _number(str(name), value) for value in column.tolist()]
        width = max(map(len, [str(name), *cells]))
        parts.append(
            [cell.ljust(width) if words else cell.rjust(width) for cell in [str(name), *cells]]
        )
    return ["  ".join(row).rstrip() for row in zip(*parts, strict=True)]


def _number(column: str, value: float) -> str:
    if not np.isfinite(value):
        return "" if np.isnan(value) else "Inf"
    if column == "p_value":
        least = 10**-_P
        return f"<{least:.{_P}f}" if value < least else f"{value:.{_P}f}"
    if column == "df":
        return f"{value:.{_DF}f}"
    if isinstance(value, int | np.integer):
        return str(value)
    text = f"{value:.{_DIGITS}g}"
    return f"{value:.3e}" if "e" in text else text
