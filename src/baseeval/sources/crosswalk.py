"""Crosswalks: whose headings mean which columns of a contract, as data.

A crosswalk is a TOML file beside this module (``crosswalks/*.toml``)::

    contract = "pupils"
    meaning = "Pupil level of the school census"
    suffix = "_(?P<term>AUT|SPR|SUM)(?P<year>[0-9]{2})"   # optional: ends each heading
    prefix = "KS2_"                                       # optional: begins each heading
    file_year = "(?P<year>20[0-9]{2})"                    # optional: in the file's name

    [columns]                                             # contract's column -> headings, any case
    pupil_id = ["PupilMatchingRefAnonymous", "PupilMatchingRefAnonymous_SPR"]

    [recode.sen_provision]                                # code to write -> codes at the origin
    E = ["S"]
    K = ["A", "P"]

What only code can do stands in the module of the source.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import TableContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem, fault


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """Whose headings mean which columns.

    Parameters
    ----------
    name : str
    contract : str
        The table that it leads to.
    meaning : str
    columns : mapping of str to tuple of str
        Column -> the headings that it may have, compared without regard to case.
    prefix, suffix, file_year : str
        Regular expressions around a heading, and in a file's name; the groups
        ``term`` and ``year`` become columns.
    recode : mapping of str to mapping of str to str
        Column -> code at the origin (upper case) -> code of the contract.
    """

    name: str
    contract: str
    meaning: str
    columns: Mapping[str, tuple[str, ...]]
    prefix: str = ""
    suffix: str = ""
    file_year: str = ""
    recode: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def headings(self) -> tuple[str, ...]:
        """Return every heading that it knows.

        Returns
        -------
        tuple of str
        """
        return tuple(heading for known in self.columns.values() for heading in known)

    def place(self, heading: str) -> tuple[str | None, dict[str, str]]:
        """Return the column that a heading means, and the term and year that it says.

        Parameters
        ----------
        heading : str

        Returns
        -------
        column : str or None
        marks : dict of str to str
        """
        known = {option.lower(): column for column, own in self.columns.items() for option in own}
        if heading.lower() in known:
            return known[heading.lower()], {}
        end = f"(?:{self.suffix})?" if self.suffix else ""
        match = re.match(f"^(?:{self.prefix})?(?P<core>.*?){end}$", heading, re.IGNORECASE)
        column = known.get(match["core"].lower()) if match is not None else None
        if match is None or column is None:
            return None, {}
        said = match.groupdict()
        return column, {m: said[m] for m in ("term", "year") if said.get(m)}


@dataclass(frozen=True, slots=True)
class Matched:
    """The headings of one file, matched.

    Parameters
    ----------
    found : tuple of (str, str)
        Column of the contract (or of the crosswalk alone), and the file's heading.
    marks : mapping of str to str
        ``term`` and ``year`` as the headings or the file's name say.
    """

    found: tuple[tuple[str, str], ...]
    marks: Mapping[str, str]


def load_crosswalk(name: str) -> Crosswalk:
    """Load a crosswalk that ships with the package.

    Parameters
    ----------
    name : str
        Such as ``npd_census``.

    Returns
    -------
    Crosswalk

    Examples
    --------
    >>> load_crosswalk("npd_census").contract
    'pupils'
    """
    text = files("baseeval.sources").joinpath("crosswalks", f"{name}.toml").read_text("utf-8")
    keys = tomllib.loads(text)
    recode = {
        column: {old.upper(): new for new, olds in codes.items() for old in olds}
        for column, codes in keys.pop("recode", {}).items()
    }
    columns = {column: tuple(known) for column, known in keys.pop("columns").items()}
    return Crosswalk(name=name, columns=columns, recode=recode, **keys)


def with_headings(crosswalk: Crosswalk, own: Mapping[str, str]) -> Crosswalk:
    """Put a user's own headings in place of those of a crosswalk.

    Parameters
    ----------
    crosswalk : Crosswalk
    own : mapping of str to str
        Column of the contract -> heading in the user's file.

    Returns
    -------
    Crosswalk
    """
    named = {column: (heading,) for column, heading in own.items()}
    return replace(crosswalk, columns={**crosswalk.columns, **named})


def contract_crosswalk(contract: TableContract) -> Crosswalk:
    """Make the crosswalk of a file that already has the contract's headings.

    Parameters
    ----------
    contract : TableContract

    Returns
    -------
    Crosswalk
    """
    own = {name: (name,) for name in contract.names()}
    return Crosswalk(contract.name, contract.name, contract.meaning, own)


def match_headings(crosswalk: Crosswalk, headings: Sequence[str], file: str) -> Matched:
    """Match a file's headings to columns, without regard to case.

    Parameters
    ----------
    crosswalk : Crosswalk
    headings : sequence of str
    file : str
        Its name: it may hold the year, and messages name it.

    Returns
    -------
    Matched

    Raises
    ------
    DataError
        Two headings mean one column, or the headings are of several terms or years.
    """
    found: dict[str, list[str]] = {}
    marks: dict[str, set[str]] = {}
    for heading in headings:
        column, said = crosswalk.place(heading)
        if column is None:
            continue
        found.setdefault(column, []).append(heading)
        for mark, value in said.items():
            marks.setdefault(mark, set()).add(value.upper())
    problems = [
        Problem(
            f"{file}, column `{options[0]}`",
            f"{len(options)} columns mean `{column}` ({', '.join(options)})",
            "Keep one of them, or name it in [data.columns].",
        )
        for column, options in found.items()
        if len(options) > 1
    ]
    problems += [
        Problem(
            file,
            f"its headings are of more than one {mark} ({', '.join(sorted(values))})",
            "Give a file for each, as the extract's own tables are.",
        )
        for mark, values in marks.items()
        if len(values) > 1
    ]
    if problems:
        raise DataError(problems)
    single = {mark: next(iter(values)) for mark, values in marks.items()}
    if crosswalk.file_year and "year" not in single:
        named = re.search(crosswalk.file_year, file)
        if named is not None:
            single["year"] = named["year"]
    return Matched(tuple((column, options[0]) for column, options in found.items()), single)


def full_year(mark: str) -> int:
    """Return the year of a mark of two digits or four: 96 to 99 are of the last century.

    Parameters
    ----------
    mark : str

    Returns
    -------
    int

    Examples
    --------
    >>> full_year("22"), full_year("98"), full_year("2022")
    (2022, 1998, 2022)
    """
    year = int(mark)
    if year >= 1000:
        return year
    return 1900 + year if year >= 90 else 2000 + year


def renamed(frame: nw.LazyFrame[Any], matched: Matched) -> nw.LazyFrame[Any]:
    """Take the matched columns under the contract's names, with term and year.

    Parameters
    ----------
    frame : narwhals LazyFrame
        As read: text, or typed columns.
    matched : Matched

    Returns
    -------
    narwhals LazyFrame
        ``term`` (text) and ``year`` (whole number) stand in it where the headings
        say them and the file has no such column of its own.
    """
    columns = [nw.col(heading).alias(column) for column, heading in matched.found]
    own = {column for column, _ in matched.found}
    if "term" in matched.marks and "term" not in own:
        columns.append(nw.lit(matched.marks["term"]).alias("term"))
    if "year" in matched.marks and "year" not in own:
        columns.append(nw.lit(full_year(matched.marks["year"])).cast(nw.Int64).alias("year"))
    return frame.select(*columns)


def recoded(
    frame: nw.LazyFrame[Any], crosswalk: Crosswalk, engine: Engine, file: str
) -> tuple[nw.LazyFrame[Any], list[Fault]]:
    """Write the contract's codes for those of the origin, and count the rows.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the contract's names.
    crosswalk : Crosswalk
    engine : Engine
    file : str

    Returns
    -------
    frame : narwhals LazyFrame
    faults : list of Fault
        None of them stops the study.
    """
    schema = frame.collect_schema()
    here = {c: codes for c, codes in crosswalk.recode.items() if c in schema.names()}
    if not here:
        return frame, []

    def plain(column: str) -> nw.Expr:
        return nw.col(column).cast(nw.String).str.strip_chars().str.to_uppercase()

    counts = engine.counts(frame, {c: plain(c).is_in(list(codes)) for c, codes in here.items()})
    columns = []
    for column, codes in here.items():
        value = nw.col(column).cast(nw.String)
        for old, new in codes.items():
            value = nw.when(plain(column) == old).then(nw.lit(new)).otherwise(value)
        columns.append(value.alias(column))
    faults = [
        fault(
            file,
            column,
            "older_code",
            count,
            f"an older or other code, read as {_pairs(here[column])}",
            "Nothing need be done; check that the reading is what you mean.",
            verb="hold",
        )
        for column, count in counts.items()
        if count
    ]
    return frame.with_columns(*columns), faults


def _pairs(codes: Mapping[str, str]) -> str:
    return ", ".join(f"{old} as {new}" for old, new in codes.items())
