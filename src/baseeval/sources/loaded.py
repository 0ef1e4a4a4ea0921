"""A file as it was loaded, and what a file's reader may ask of the study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.errors import Fault

#: Heading -> kind of column that the study wants there, as contracts name kinds; None: not known.
KindOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file, not yet judged by any contract.

    Parameters
    ----------
    frame : narwhals LazyFrame
    faults : tuple of Fault
        What was passed over or read otherwise than it stands; none stops the study.
    """

    frame: nw.LazyFrame[Any]
    faults: tuple[Fault, ...] = ()
