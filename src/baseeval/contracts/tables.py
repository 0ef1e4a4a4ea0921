"""A table, as its contract states it: its columns, its key and the rules between its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract, ColumnKind


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold between the columns of a row, or the rows of one key.

    Parameters
    ----------
    name : str
        Short and fixed: what a search or a test looks for.
    columns : tuple of str
        The columns that it reads, the one at fault first; where any is absent
        from the data, the rule does not apply.
    fault : narwhals expression
        True for what is at fault: a row, or a group with its `gathered` values.
        Missing counts as false.
    what : str
        Completes "3 rows have ..." (or "3 pupils have ...").
    remedy : str
    stops : bool
        Whether the study cannot go on. Otherwise the rows are counted, and read.
    per : tuple of str
        The columns whose equal values make a group; empty for a rule of one row.
        Without the first of them the rule does not apply, without another it does.
    gathered : mapping of str to (column, how)
        Of a group: the aggregates that `fault` reads, by name. How: ``min``,
        ``max``, or ``rows`` (which counts, and takes no column).
    worked : mapping of str to narwhals expression
        Of each row of a group: what is worked out from `columns`, by name, for
        `gathered` to read.
    unit : str
        What is counted: ``row``, ``pupil``, ``school``, ...
    """

    name: str
    columns: tuple[str, ...]
    fault: nw.Expr
    what: str
    remedy: str
    stops: bool = False
    per: tuple[str, ...] = ()
    gathered: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    worked: Mapping[str, nw.Expr] = field(default_factory=dict)
    unit: str = "row"


@dataclass(frozen=True, slots=True)
class TableContract:
    """What a table must hold.

    Parameters
    ----------
    name : str
    meaning : str
        What one row is, in words.
    key : tuple of str
        Columns that together tell rows apart.
    columns : tuple of ColumnContract
    rules : tuple of Rule
    source : str
        Where such data come from.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[ColumnContract, ...]
    rules: tuple[Rule, ...] = ()
    source: str = ""

    def column(self, name: str) -> ColumnContract:
        """Return a column by its name.

        Parameters
        ----------
        name : str

        Returns
        -------
        ColumnContract
        """
        return next(column for column in self.columns if column.name == name)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, in order.

        Returns
        -------
        tuple of str
        """
        return tuple(column.name for column in self.columns)


def domain_column(name: str, kind: ColumnKind, meaning: str, **rest: Any) -> ColumnContract:
    """Make a column of England's data, where an impossible value is counted and does not stop.

    Parameters
    ----------
    name, kind, meaning : str
    **rest
        As `ColumnContract` takes them.

    Returns
    -------
    ColumnContract
    """
    return ColumnContract(name, kind, meaning, **{"stops": False, **rest})


#: Columns that several tables have.
PUPIL = domain_column(
    "pupil_id", "key", "Pupil, the same in every table", required=True, needed=True
)
YEAR = domain_column(
    "year",
    "integer",
    "School year, named by the summer in which it ends",
    required=True,
    needed=True,
    low=1996,
    high=2100,
)
