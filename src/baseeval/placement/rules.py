"""What counts as a base, as a host and as a placement: the choices of a study, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import narwhals.stable.v2 as nw

from baseeval.contracts.vocabulary import BASE_TYPES
from baseeval.errors import Problem, UsageError

Source = Literal["census", "spells", "schools"]
Movers = Literal["at_entry", "time_varying", "modal"]
Comparison = Literal["all", "considered"]
AlreadyPlaced = Literal["keep", "exclude"]

#: A pupil, or a school, with both kinds has each of them.
BOTH = "sen_unit_and_resourced_provision"
PARTS = ("sen_unit", "resourced_provision")

_CHOICES = {
    "source": get_args(Source),
    "movers": get_args(Movers),
    "comparison": get_args(Comparison),
    "already_placed": get_args(AlreadyPlaced),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRules:
    """How placements are read.

    Parameters
    ----------
    source : str
        Where spells and hosts come from: ``census`` (flags), ``spells`` (a file),
        or ``schools`` (GIAS and EES say which schools host; they name no pupil,
        so spells come from the census flags, or else from the file).
    types : tuple of str
        Codes of the bases that count; empty for all. A pupil or school with a
        SEN unit and a resourced provision counts for either.
    host_min_pupils : int
        Pupils in a base who make a school a host in a school year.
    hosts : tuple of str
        URNs of the hosts, in every year; empty where they are derived.
    grace_days : int
        A spell that begins within so many days after time zero counts as at entry.
    movers : str
        Whose arm is followed: ``at_entry``, ``time_varying`` (at the start of each
        school year) or ``modal`` (held longest: description only, for it
        conditions on the future).
    comparison : str
        ``considered``: only pupils considered for a base, but not placed, are
        compared with those placed.
    already_placed : str
        ``exclude``: pupils in a base when first seen are in no arm.

    Examples
    --------
    >>> PlacementRules(types=("sen_unit",)).grace_days
    31
    """

    source: Source = "census"
    types: tuple[str, ...] = ()
    host_min_pupils: int = 1
    hosts: tuple[str, ...] = ()
    grace_days: int = 31
    movers: Movers = "at_entry"
    comparison: Comparison = "all"
    already_placed: AlreadyPlaced = "keep"

    def __post_init__(self) -> None:
        problems = [
            Problem(f"[placement] {name}", "the value is not known", f"Use {_or(allowed)}.")
            for name, allowed in _CHOICES.items()
            if getattr(self, name) not in allowed
        ]
        strangers = [name for name in self.types if name not in BASE_TYPES]
        if strangers:
            what = f"there is no base type {_or(strangers)}"
            problems.append(Problem("[placement] types", what, f"Use {_or(BASE_TYPES)}."))
        for name, least in (("host_min_pupils", 1), ("grace_days", 0)):
            if getattr(self, name) < least:
                problems.append(
                    Problem(f"[placement] {name}", "the value is too low", f"Use {least} or more.")
                )
        if problems:
            raise UsageError(problems)

    def counts(self, base_type: str = "base_type") -> nw.Expr:
        """Tell whether a base of the type in a column counts.

        Parameters
        ----------
        base_type : str
            The column.

        Returns
        -------
        narwhals expression
        """
        if not self.types:
            return ~nw.col(base_type).is_null()
        wanted = set(self.types)
        if wanted.intersection(PARTS):
            wanted.add(BOTH)
        return nw.col(base_type).is_in(sorted(wanted))


def _or(names: Iterable[str]) -> str:
    return ", ".join(names)
