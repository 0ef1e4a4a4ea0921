"""A column of a table, as its contract states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ColumnKind = Literal[
    "key", "number", "integer", "flag", "date", "code", "category", "word", "either"
]


@dataclass(frozen=True, slots=True)
class ColumnContract:
    """What a column must hold.

    Parameters
    ----------
    name : str
    kind : str
        ``key`` (text that names somebody or something, never a code), ``number``,
        ``integer``, ``flag`` (yes or no), ``date``, ``code`` (one of `codes`),
        ``category`` (any text, codes and all), or ``either``: a number if every
        value is one, a ``word`` if none is: text, in which the codes for no value
        are codes still.
    meaning : str
        What the column is for, in words.
    unit : str
        Of a number: ``sessions``, ``years``, ``%`` (a percent sign after the
        number is then read too), ...
    codes : mapping of str to str
        Of a ``code``: every code allowed, and its meaning.
    reasons : mapping of str to str
        Codes that say why there is no value, and the reason they stand for.
    labels : mapping of str to float
        Words that stand for numbers, compared without regard to case.
    low, high : float, optional
        Values outside are impossible.
    pattern : str, optional
        A regular expression that the whole text of a key must match.
    required : bool
        A table without this column is not read.
    needed : bool
        A row without a value here is at fault.
    stops : bool
        Whether an impossible value stops the study. Where nobody can mend the
        file (a national extract), it does not: the value is counted, and missing.
    source : str
        Where the definition, or the name at its origin, comes from.
    """

    name: str
    kind: ColumnKind
    meaning: str
    unit: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    pattern: str | None = None
    required: bool = False
    needed: bool = False
    stops: bool = True
    source: str = ""
