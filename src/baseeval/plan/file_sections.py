"""What a study file says of one file of a source: its sheet, what it leaves unsaid, its shape."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from baseeval.plan.basics import Column, Label, Section, quoted, raise_all


def _day_as_text(value: object) -> object:
    """Read a day of the study file as the text that a data file would hold."""
    if isinstance(value, datetime):
        raise ValueError("this holds a time of day; write the day alone, such as 2026-03-01")
    return value.isoformat() if isinstance(value, date) else value


#: A value that the study file gives in place of a data file: text, number, yes or no, or a day.
Constant = Annotated[Label, BeforeValidator(_day_as_text)]


class FileSection(Section):
    """A file or a glob of files of one table, and what must be known to read it.

    `constants` are columns of the contract that the file does not say, the same in
    every row. Each entry of `stack` names a `column` of a wide file, and what the
    rows that it makes say. `columns` are this file's own headings, where they are
    others than [data.columns] names.
    """

    file: Annotated[str, Field(min_length=1)]
    sheet: Annotated[str, Field(min_length=1)] | None = None
    constants: Annotated[dict[str, Constant], Field(alias="set")] = {}
    stack: list[dict[str, Constant]] = []
    columns: dict[str, Column] = {}

    @model_validator(mode="after")
    def _headings_once(self) -> Self:
        faults = [
            f"entry {number} of `stack` names no `column`, the heading in the file"
            for number, entry in enumerate(self.stack, 1)
            if not entry.get("column")
        ]
        named = [entry["column"] for entry in self.stack if entry.get("column")]
        twice = sorted({heading for heading in named if named.count(heading) > 1})
        if twice:
            faults.append(f"`stack` names {quoted(twice)} more than once")
        raise_all(faults)
        return self

    def has_options(self) -> bool:
        """Tell whether it says more than the name of a file.

        Returns
        -------
        bool
        """
        return bool(self.sheet or self.constants or self.stack or self.columns)


def as_files(value: object) -> object:
    """Read what a key of [data.files] holds: a file, a table with options, or a list of these.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
        A list of tables, where it is one of the three.

    Raises
    ------
    ValueError
    """
    parts = value if isinstance(value, list) else [value]
    parts = [{"file": part} if isinstance(part, str) else part for part in parts]
    if not parts or not all(isinstance(part, dict | FileSection) for part in parts):
        raise ValueError(
            'give the name of a file, a table such as { file = "a.xlsx", sheet = "Export" }, or a '
            "list of these"
        )
    return parts


class BaseSection(Section):
    """Who is in a base: a column of the pupils' file, or a pasted list of pupils."""

    column: Column | None = None
    is_: Annotated[list[Label], Field(alias="is")] = []
    is_not: list[Label] = []
    start: Column | None = None
    end: Column | None = None
    base_id: Column | None = None
    base_type: Column | None = None
    list_: Annotated[Column | None, Field(alias="list")] = None

    @model_validator(mode="after")
    def _column_or_list(self) -> Self:
        faults = []
        if (self.column is None) == (self.list_ is None):
            faults.append(
                "give `column`, a heading of the pupils' file, or `list`, a file with one pupil a "
                "line"
            )
        if self.list_ is not None:
            faults += [
                f"`{key}` belongs to `column`; a list holds pupil, first day and last day"
                for key, value in (
                    ("is", self.is_),
                    ("is_not", self.is_not),
                    *self.headings().items(),
                )
                if value and key != "column"
            ]
        elif self.start is None:
            faults.append(
                "names no `start`, the heading with the first day in the base: without it nobody "
                "can tell who was placed by when, and a day is never made up"
            )
        both = sorted({w.lower() for w in self.is_} & {w.lower() for w in self.is_not})
        if both:
            faults.append(f"{quoted(both)} stands in `is` and in `is_not`")
        raise_all(faults)
        return self

    def headings(self) -> dict[str, str]:
        """Return the headings of the pupils' file that it names, by what they say.

        Returns
        -------
        dict of str to str
        """
        named = {
            "column": self.column,
            "start": self.start,
            "end": self.end,
            "base_id": self.base_id,
            "base_type": self.base_type,
        }
        return {key: heading for key, heading in named.items() if heading is not None}
