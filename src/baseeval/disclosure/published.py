"""Published figures: nothing to protect, but none without its source and its date."""

from __future__ import annotations

import pandas as pd

from baseeval.disclosure.shapes import BENCHMARKS, records_of, shaped, text
from baseeval.errors import Problem, UsageError


def published_figures(table: pd.DataFrame | None) -> pd.DataFrame:
    """Pass published figures as they are.

    Parameters
    ----------
    table : pandas.DataFrame or None
        The columns of :data:`BENCHMARKS`; one without rows may lack them.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    UsageError
        If a figure lacks its source or the day of its publication.
    """
    records = [] if table is None or table.empty else records_of(table, BENCHMARKS, "benchmarks")
    unsourced = sum(not (text(r["source"]) and text(r["published"])) for r in records)
    if unsourced:
        raise UsageError(
            Problem(
                "release, benchmarks",
                f"{unsourced} published figures lack their source or the day of publication",
                "Give both on every row, or leave the row out.",
            )
        )
    return shaped([r | {"published": text(r["published"])[:10]} for r in records], BENCHMARKS)
