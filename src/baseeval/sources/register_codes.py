"""The codes of attendance registers and what each counts as, dated: a table kept as data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem

#: What a mark may count as. Of several for one session, the first here decides.
KINDS = (
    "present",
    "off_site",
    "authorised",
    "unauthorised",
    "not_possible",
    "elsewhere",
    "no_mark",
)

#: Columns of `attendance` that count some codes by themselves.
TALLIES = ("illness", "medical", "part_time", "late")

_SURE = ("V", "E", "M")
_FIELDS = ("code", "meaning", "counts", "tally", "first", "last", "sure", "source")
_EARLIEST, _LATEST = date(1800, 1, 1), date(2999, 12, 31)
_MEND = "Mend it: the table that ships with baseeval (register_codes.toml) shows the form."


@dataclass(frozen=True, slots=True)
class RegisterCode:
    """A code, and what it counts as from one day to another.

    Parameters
    ----------
    code : str
        In capitals.
    meaning : str
    counts : str
        One of `KINDS`.
    tally : str
        One of `TALLIES`, or empty.
    first, last : datetime.date, optional
        Days of use, both among them; None where there is no such day.
    sure : str
        V (DfE's own attendance file), E (a public page) or M (general knowledge).
    source : str
    """

    code: str
    meaning: str
    counts: str
    tally: str = ""
    first: date | None = None
    last: date | None = None
    sure: str = "M"
    source: str = ""


@dataclass(frozen=True, slots=True)
class RegisterCodes:
    """A table of codes.

    Parameters
    ----------
    entries : tuple of RegisterCode
        Those of one code do not overlap.
    """

    entries: tuple[RegisterCode, ...]

    def ranked(self) -> tuple[RegisterCode, ...]:
        """Return the entries, that which decides between two marks of a session first.

        Returns
        -------
        tuple of RegisterCode
        """
        return tuple(sorted(self.entries, key=lambda entry: KINDS.index(entry.counts)))

    def ranks(self, kind: str) -> list[int]:
        """Return the places in `ranked` of what counts as a kind.

        Parameters
        ----------
        kind : str
            One of `KINDS`.

        Returns
        -------
        list of int
        """
        return [rank for rank, entry in enumerate(self.ranked()) if entry.counts == kind]

    def first_day(self, tally: str) -> date | None:
        """Return the day from which a tally can be known.

        Parameters
        ----------
        tally : str

        Returns
        -------
        datetime.date or None
            None where it always could.
        """
        days = [entry.first for entry in self.entries if entry.tally == tally]
        return None if None in days or not days else min(day for day in days if day)

    def lay(self, engine: Engine) -> nw.LazyFrame[Any]:
        """Lay the table out for a join on ``code``.

        Parameters
        ----------
        engine : Engine

        Returns
        -------
        narwhals LazyFrame
            ``code``; ``first, last``, its days of use; ``reach_from, reach_to``, the
            days on which its meaning is the nearest: every day, between the entries
            of a code; ``rank``, its place in `ranked`.
        """
        ranked = self.ranked()
        reach = {entry: days for own in _by_code(ranked).values() for entry, days in _reach(own)}
        table = {
            "code": pa.array([entry.code for entry in ranked], pa.string()),
            "first": pa.array([entry.first or _EARLIEST for entry in ranked], pa.date32()),
            "last": pa.array([entry.last or _LATEST for entry in ranked], pa.date32()),
            "reach_from": pa.array([reach[entry][0] for entry in ranked], pa.date32()),
            "reach_to": pa.array([reach[entry][1] for entry in ranked], pa.date32()),
            "rank": pa.array(range(len(ranked)), pa.int64()),
        }
        return engine.table(pa.table(table))


def load_register_codes(path: str | Path | None = None) -> RegisterCodes:
    """Load the table of codes.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A TOML file of your own, with ``[[codes]]`` as the table that ships with
        baseeval. Its entries stand in place of all entries of the same codes.

    Returns
    -------
    RegisterCodes

    Raises
    ------
    DataError
        The file is not such a table: all that is wrong, at once.

    Examples
    --------
    >>> {entry.code: entry.counts for entry in load_register_codes().entries}["C2"]
    'authorised'
    """
    shipped = files("baseeval.sources").joinpath("crosswalks", "register_codes.toml")
    entries = _entries(tomllib.loads(shipped.read_text("utf-8")), "register_codes.toml")
    if path is None:
        return RegisterCodes(entries)
    path = Path(path)
    try:
        keys = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        what = f"it cannot be read ({type(error).__name__})"
        raise DataError(Problem(path.name, what, "Give a TOML file, in UTF-8.")) from None
    own = _entries(keys, path.name)
    codes = {entry.code for entry in own}
    return RegisterCodes((*(entry for entry in entries if entry.code not in codes), *own))


def _entries(keys: Mapping[str, Any], file: str) -> tuple[RegisterCode, ...]:
    listed = keys.get("codes")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise DataError(Problem(file, "it has no list of [[codes]]", _MEND))
    problems = [
        Problem(f"{file}, [[codes]] number {place}", what, _MEND)
        for place, entry in enumerate(listed, start=1)
        for what in _wrong(entry)
    ]
    if problems:
        raise DataError(problems)
    entries = tuple(
        RegisterCode(**{**entry, "code": str(entry["code"]).strip().upper()}) for entry in listed
    )
    problems = [
        Problem(f"{file}, code {code}", "two of its entries are of the same day", _MEND)
        for code, own in _by_code(entries).items()
        if any(
            (before.last or _LATEST) >= (after.first or _EARLIEST)
            for before, after in pairwise(own)
        )
    ]
    if problems:
        raise DataError(problems)
    return entries


def _wrong(entry: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with one entry."""
    wrong = [f"`{key}` is not a key of a code" for key in entry if key not in _FIELDS]
    wrong += [f"it has no `{key}`" for key in ("code", "meaning", "counts") if not entry.get(key)]
    for key, known in (("counts", KINDS), ("tally", ("", *TALLIES)), ("sure", _SURE)):
        if key in entry and entry[key] not in known:
            wrong.append(f"`{key}` is not one of {', '.join(filter(None, known))}")
    days = {key: entry[key] for key in ("first", "last") if key in entry}
    strange = [key for key, day in days.items() if type(day) is not date]
    wrong += [f"`{key}` is not a day, written as 2024-08-19 without quotes" for key in strange]
    if len(days) == 2 and not strange and days["first"] > days["last"]:
        wrong.append("its `first` day comes after its `last`")
    return wrong


def _by_code(entries: Sequence[RegisterCode]) -> dict[str, list[RegisterCode]]:
    """Gather the entries of each code, in the order of their days."""
    found: dict[str, list[RegisterCode]] = {}
    for entry in sorted(entries, key=lambda entry: entry.first or _EARLIEST):
        found.setdefault(entry.code, []).append(entry)
    return found


def _reach(own: Sequence[RegisterCode]) -> list[tuple[RegisterCode, tuple[date, date]]]:
    """Give every day to the entry of a code that is nearest to it, the earlier of two."""
    ends = [
        (before.last or _LATEST) + ((after.first or _EARLIEST) - (before.last or _LATEST)) // 2
        for before, after in pairwise(own)
    ]
    begins = [_EARLIEST, *(end + timedelta(days=1) for end in ends)]
    return list(zip(own, zip(begins, [*ends, _LATEST], strict=True), strict=True))
