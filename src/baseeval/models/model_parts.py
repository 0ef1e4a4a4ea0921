"""Parts of a formula on data: grouping factors, random terms, and the rows left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class GroupingFactor:
    """A grouping factor of the random terms.

    Parameters
    ----------
    names : tuple of str
        Columns whose combinations are its levels.
    codes : ndarray of int32, shape (n,)
        Level of each row that counts, in the table's order.
    frame : narwhals DataFrame
        The table.
    places : ndarray of int, shape (levels,)
        A row of each level in the table, by which levels are named when asked.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]
    frame: nw.DataFrame[Any]
    places: Ints

    @property
    def label(self) -> str:
        """Return its name, ``a:b`` where it combines columns."""
        return ":".join(self.names)

    @property
    def count(self) -> int:
        """Return the number of levels."""
        return len(self.places)

    @cached_property
    def levels(self) -> tuple[list[Any], ...]:
        """Return, for each column, its value in each level."""
        return tuple(self.frame.get_column(name)[self.places].to_list() for name in self.names)

    def labels(self) -> list[str]:
        """Return the name of each level, in the order of the codes."""
        return [":".join(map(level_label, level)) for level in zip(*self.levels, strict=True)]

    def find(self, frame: nw.DataFrame[Any]) -> Ints:
        """Return the codes of another table's rows, -1 for levels that are not known here.

        Parameters
        ----------
        frame : narwhals DataFrame

        Returns
        -------
        ndarray of int, shape (m,)
        """
        levels = list(zip(*self.levels, strict=True))
        exact = {level: code for code, level in enumerate(levels)}
        # The same names in another type, such as 7 and 7.0 or "7", unless two levels read alike.
        named = [tuple(map(level_label, level)) for level in levels]
        often = Counter(named)
        alike = {names: code for code, names in enumerate(named) if often[names] == 1}
        columns = [frame.get_column(name).to_list() for name in self.names]
        rows = zip(*columns, strict=True)
        found = [exact.get(row, alike.get(tuple(map(level_label, row)), -1)) for row in rows]
        return np.array(found, dtype=np.intp)

    def shown(self) -> Ints:
        """Return the codes in the order in which levels are shown: by value."""
        places = range(self.count)
        try:
            order = sorted(places, key=lambda k: tuple(column[k] for column in self.levels))
        except TypeError:
            labels = self.labels()
            order = sorted(places, key=labels.__getitem__)
        return np.array(order, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class RandomPart:
    """A random term on data.

    Parameters
    ----------
    group : str
        Label of its grouping factor.
    factor : int
        Place of the factor among `ModelRows.factors`.
    columns : tuple of str
        Names of its columns of Z. Their effects are correlated.
    """

    group: str
    factor: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows of the table that do not count.

    Parameters
    ----------
    missing : int
        That lack a value in a column that is used.
    weightless : int
        Others, whose weight or trials are zero.
    """

    missing: int
    weightless: int


def level_label(value: Any) -> str:
    """Return the name of a level.

    Parameters
    ----------
    value : object
        A whole number may come as a float.

    Returns
    -------
    str
    """
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
