"""A column of a table, as its contract states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ColumnKind = Literal["key", "number", "category", "either"]


@dataclass(frozen=True, slots=True)
class ColumnContract:
    """What a column must hold.

    Parameters
    ----------
    name : str
    kind : str
        ``key`` (text, never a code), ``number``, ``category`` (text, codes and all), or
        ``either``: a number if every value is one, a category if none is.
    meaning : str
        What the column is for, in words.
    labels : mapping of str to float
        Words that stand for numbers, compared without regard to case.
    low, high : float, optional
        Values outside are impossible.
    """

    name: str
    kind: ColumnKind
    meaning: str
    labels: Mapping[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
