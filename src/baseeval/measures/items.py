"""The items of a scale as numbers, turned round where asked, with the group of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.plan import nearest

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

#: What everyone is called where no group is named.
EVERYONE = "all"


@dataclass(frozen=True, slots=True)
class ItemRows:
    """Answers to items.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        Numbers, NaN where there is no answer.
    items : tuple of str
        Names of the columns.
    group : ndarray of int, shape (n,)
        Position in `groups`.
    groups : tuple of str
        In the order of a categorical column, else sorted; the reference first.
    no_group : int
        Rows left out because their group is missing.
    frame : pandas.DataFrame
        The rows kept, every column.
    range : (low, high) or None
        The answers allowed.
    """

    rows: Floats
    items: tuple[str, ...]
    group: Integers
    groups: tuple[str, ...]
    no_group: int
    frame: pd.DataFrame
    range: tuple[float, float] | None = None


def read_items(
    data: IntoDataFrame,
    items: Sequence[str],
    *,
    group: str | None = None,
    reverse: Sequence[str] = (),
    range: tuple[float, float] | None = None,
    reference: str | None = None,
    also: Sequence[str | None] = (),
) -> ItemRows:
    """Read items off a table.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads.
    items : sequence of str
    group : str, optional
    reverse : sequence of str
        Items worded the other way; turning them round needs `range`.
    range : (low, high), optional
        The answers allowed.
    reference : str, optional
        The group that comes first.
    also : sequence of str
        Other columns that must be there.

    Returns
    -------
    ItemRows

    Raises
    ------
    UsageError
        Every fault at once: columns that are absent or not numbers, answers out of range, a
        group with nobody in it.
    """
    frame = nw.from_native(data, eager_only=True).to_pandas()
    problems = _absent(frame, [*items, *([group] if group else []), *(a for a in also if a)])
    problems += _misused(items, reverse, range)
    if problems:
        raise UsageError(problems)
    no_group = 0
    if group:
        known = frame[group].notna()
        no_group = int((~known).sum())
        frame = frame[known]
    frame = frame.reset_index(drop=True)
    if frame.empty:
        have = "has" if no_group == 1 else "have"
        what = f"no row is left: {no_group} {have} no group" if no_group else "there are no rows"
        raise UsageError(Problem("data", what, "Look at the file, or at the column of groups."))
    rows = np.column_stack([_numbers(frame, name, problems) for name in items])
    if range and not problems:
        for name, column in zip(items, rows.T, strict=True):
            outside = int(((column < range[0]) | (column > range[1])).sum())
            if outside:
                lie = "answer lies" if outside == 1 else "answers lie"
                where, what = f"item `{name}`", f"{outside} {lie} outside {range}"
                problems.append(Problem(where, what, "Mend the answers or the range."))
    codes, groups = _groups(frame, group, reference, problems)
    if problems:
        raise UsageError(problems)
    if range:
        turned = np.isin(items, list(reverse))
        rows = np.where(turned, range[0] + range[1] - rows, rows)
    return ItemRows(rows, tuple(items), codes, groups, no_group, frame, range)


def _absent(frame: pd.DataFrame, wanted: Sequence[str]) -> list[Problem]:
    held = [str(name) for name in frame.columns]
    return [
        Problem("data", f"there is no column `{name}`", nearest(name, held))
        for name in dict.fromkeys(wanted)
        if name not in held
    ]


def _misused(
    items: Sequence[str], reverse: Sequence[str], span: tuple[float, float] | None
) -> list[Problem]:
    problems = []
    if len(set(items)) < len(items):
        problems.append(Problem("items", "an item is named twice", "Name each item once."))
    if not items:
        problems.append(Problem("items", "no item is named", "Name the columns of the scale."))
    strangers = [name for name in reverse if name not in items]
    problems += [
        Problem("reverse", f"`{name}` is not one of the items", nearest(name, list(items)))
        for name in strangers
    ]
    if reverse and span is None:
        what = "items cannot be turned round without the range of their answers"
        problems.append(Problem("range", what, "Give `range=(lowest, highest)`."))
    return problems


def _numbers(frame: pd.DataFrame, name: str, problems: list[Problem]) -> Floats:
    column = frame[name]
    if not (pd.api.types.is_numeric_dtype(column) or column.isna().all()):
        problems.append(
            Problem(
                f"item `{name}`",
                "its answers are not numbers",
                "Turn words into numbers first, as `labels` does in a study file.",
            )
        )
        return np.full(len(frame), np.nan)
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        count = int(np.isinf(numbers).sum())
        are = "answer is" if count == 1 else "answers are"
        problems.append(Problem(f"item `{name}`", f"{count} {are} infinite", "Mend them."))
    return np.asarray(numbers, dtype=np.float64)


def _groups(
    frame: pd.DataFrame, group: str | None, reference: str | None, problems: list[Problem]
) -> tuple[Integers, tuple[str, ...]]:
    if group is None:
        return np.zeros(len(frame), dtype=np.intp), (EVERYONE,)
    column = frame[group]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = list(column.cat.categories)
    else:
        levels = sorted(column.unique(), key=lambda level: (str(type(level)), level))
    names = [str(level) for level in levels]
    if reference is not None and str(reference) not in names:
        problems.append(
            Problem("reference", f"`{reference}` is no group", nearest(str(reference), names))
        )
    elif reference is not None:
        names.insert(0, names.pop(names.index(str(reference))))
    codes = pd.Categorical(column.astype(str), names).codes.astype(np.intp)
    empty = [name for position, name in enumerate(names) if not (codes == position).any()]
    problems += [
        Problem(
            f"group `{name}` of `{group}`",
            "nobody is in it",
            "Leave the group out, or look for the rows that should be in it.",
        )
        for name in empty
    ]
    return codes, tuple(names)
