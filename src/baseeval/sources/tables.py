"""The tables of a study, each under its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import narwhals.stable.v2 as nw

from baseeval.errors import Fault


@dataclass(frozen=True, slots=True)
class Tables:
    """What a study's sources hold.

    Parameters
    ----------
    frames : mapping of str to narwhals LazyFrame
        Contract's name -> its table, typed.
    faults : tuple of Fault
        Those that stop the study, and those that only count rows.
    coded : mapping of str to mapping of str to int
        Table -> column -> rows where a code stands for the value.
    labels : mapping of str to str
        Table -> the file or files, as messages name them.
    """

    frames: Mapping[str, nw.LazyFrame[Any]]
    faults: tuple[Fault, ...] = ()
    coded: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices that a reader cannot make for the study.

    Parameters
    ----------
    blank_sen : str
        What an empty SEN provision means: ``missing`` or ``none`` (no SEN).
    """

    blank_sen: Literal["missing", "none"] = "missing"
