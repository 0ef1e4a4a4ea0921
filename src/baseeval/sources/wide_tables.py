"""A wide table, one row a pupil with marked columns for each wave, made long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import BLANKS
from baseeval.errors import Problem
from baseeval.sources.cells import SPACES
from baseeval.sources.stacking import stacked


def unmarked(heading: str, marks: Mapping[str, str]) -> tuple[str, str | None]:
    """Take the mark of a wave off a heading.

    Parameters
    ----------
    heading : str
    marks : mapping of str to str
        Mark -> wave. A mark that begins with ``_`` ends the headings, any other
        begins them; capitals count.

    Returns
    -------
    column : str
        The heading without its mark; where several fit, without the longest.
    wave : str or None
        None where there is no mark.

    Examples
    --------
    >>> unmarked("T1_reading", {"T1_": "1"}), unmarked("reading_post", {"_post": "2"})
    (('reading', '1'), ('reading', '2'))
    """
    for mark in sorted(marks, key=len, reverse=True):
        if len(heading) > len(mark):
            if mark.startswith("_") and heading.endswith(mark):
                return heading[: -len(mark)], marks[mark]
            if not mark.startswith("_") and heading.startswith(mark):
                return heading[len(mark) :], marks[mark]
    return heading, None


def check_wide(
    file: str, headings: Sequence[str], marks: Mapping[str, str], wave: str
) -> list[Problem]:
    """Check that a file's headings can be told apart by their marks.

    Parameters
    ----------
    file : str
    headings : sequence of str
    marks : mapping of str to str
    wave : str
        The column that will tell the waves apart.

    Returns
    -------
    list of Problem
        A mark is on no heading, a column stands both with and without a mark, or the
        file has a column `wave` already.
    """
    split = {heading: unmarked(heading, marks) for heading in headings}
    constant = {column.lower() for column, its in split.values() if its is None}
    used = {its for _, its in split.values()}
    problems = [
        Problem(
            file,
            f"no heading {'ends' if mark.startswith('_') else 'begins'} with `{mark}`",
            "Mend `wide` in [data], or the headings; capitals count.",
        )
        for mark, its in marks.items()
        if its not in used
    ]
    problems += [
        Problem(
            f"{file}, column `{heading}`",
            f"there is a column `{column}` too, without the mark of a wave",
            "Rename one of them: a column either has a value at each wave, or one for all.",
        )
        for heading, (column, its) in split.items()
        if its is not None and column.lower() in constant
    ]
    if wave.lower() in {column.lower() for column, _ in split.values()}:
        problems.append(
            Problem(
                f"{file}, column `{wave}`",
                "the file has this column, and `wide` would make another of that name",
                "Leave `wide` out of [data] if the rows are waves already, or give the new column "
                "another name with `wave`.",
            )
        )
    return problems


def lengthened(
    frame: nw.LazyFrame[Any], marks: Mapping[str, str], wave: str, first: str
) -> nw.LazyFrame[Any]:
    """Make one row a pupil and wave of one row a pupil.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Its headings passed `check_wide`.
    marks : mapping of str to str
        Mark -> wave.
    wave : str
        Names the column that tells the waves apart, as text.
    first : str
        The wave at which every pupil has a row: what does not change is known there.

    Returns
    -------
    narwhals LazyFrame
        Columns without a mark are the same at each wave. At another wave than `first`
        a pupil has a row only where a marked column of that wave holds anything: a
        pupil who was not there is not there, as in a long table.
    """
    schema = frame.collect_schema()
    split = {heading: unmarked(heading, marks) for heading in schema.names()}
    constant = [nw.col(heading) for heading, (_, its) in split.items() if its is None]
    parts = []
    for label in dict.fromkeys(marks.values()):
        mine = {heading: column for heading, (column, its) in split.items() if its == label}
        rows = frame
        if label != first:
            there = [_there(heading, schema[heading]) for heading in mine]
            rows = frame.filter(nw.any_horizontal(*there, ignore_nulls=True))
        named = [nw.col(heading).alias(column) for heading, column in mine.items()]
        parts.append(rows.select(*constant, *named, nw.lit(label).alias(wave)))
    return stacked(parts)


def _there(heading: str, dtype: nw.dtypes.DType) -> nw.Expr:
    column = nw.col(heading)
    if dtype.is_float():
        return ~(column.is_null() | column.is_nan())
    if dtype != nw.String:
        return ~column.is_null()
    return ~(column.is_null() | column.str.strip_chars(SPACES).is_in(list(BLANKS)))
