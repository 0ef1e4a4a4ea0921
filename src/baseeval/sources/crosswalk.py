"""Crosswalks: whose headings mean which columns of a contract, as data.

A crosswalk is a TOML file beside this module (``crosswalks/*.toml``)::

    contract = "pupils"
    meaning = "Pupil level of the school census"
    suffix = "_(?P<term>AUT|SPR|SUM)(?P<year>[0-9]{2})"   # optional: ends each heading
    prefix = "KS2_"                                       # optional: begins each heading
    file_year = "(?P<year>20[0-9]{2})"                    # optional: in the file's name
    needed = [["pupil_id"], ["urn", "laestab"], ["year"]] # optional: every file has one of each
    example = "URN_SPR22"                                 # optional: a heading, for messages

    [columns]                                  # contract's column -> headings, any case, first wins
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
from baseeval.sources.reading import as_text


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
    needed : tuple of tuple of str
        Columns, ``term`` and ``year`` among them, of which every file has one of each tuple.
    example : str
        A heading with its suffix, for messages.
    """

    name: str
    contract: str
    meaning: str
    columns: Mapping[str, tuple[str, ...]]
    prefix: str = ""
    suffix: str = ""
    file_year: str = ""
    recode: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needed: tuple[tuple[str, ...], ...] = ()
    example: str = ""

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
        option, said = self.split(heading)
        return self._known().get(option), said

    def split(self, heading: str) -> tuple[str, dict[str, str]]:
        """Take a heading's prefix and suffix off.

        Parameters
        ----------
        heading : str

        Returns
        -------
        option : str
            In small letters; empty where no known heading is left.
        marks : dict of str to str
        """
        known = self._known()
        if heading.lower() in known:
            return heading.lower(), {}
        end = f"(?:{self.suffix})?" if self.suffix else ""
        match = re.match(f"^(?:{self.prefix})?(?P<core>.*?){end}$", heading, re.IGNORECASE)
        if match is None or match["core"].lower() not in known:
            return "", {}
        said = match.groupdict()
        return match["core"].lower(), {m: said[m] for m in ("term", "year") if said.get(m)}

    def strange_ending(self, heading: str) -> str:
        """Return the ending of a heading that is known but for its ending.

        Parameters
        ----------
        heading : str

        Returns
        -------
        str
            Such as ``_WIN22``; empty where there is none, or a known one.
        """
        match = re.match(f"^(?:{self.prefix})?(?P<core>.+)(?P<end>_[a-z0-9]+)$", heading, re.I)
        if not self.suffix or match is None or self.split(heading)[0]:
            return ""
        return match["end"] if match["core"].lower() in self._known() else ""

    def _known(self) -> dict[str, str]:
        return {option.lower(): column for column, own in self.columns.items() for option in own}


@dataclass(frozen=True, slots=True)
class Matched:
    """The headings of one file, matched.

    Parameters
    ----------
    found : tuple of (str, str)
        Column of the contract (or of the crosswalk alone), and the file's heading.
    marks : mapping of str to str
        ``term`` and ``year`` as the headings or the file's name say.
    passed_over : tuple of (str, str)
        Headings that mean a column too, and the one that is read in their place.
    """

    found: tuple[tuple[str, str], ...]
    marks: Mapping[str, str]
    passed_over: tuple[tuple[str, str], ...] = ()


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
    needed = tuple(tuple(options) for options in keys.pop("needed", ()))
    return Crosswalk(name=name, columns=columns, recode=recode, needed=needed, **keys)


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
        Of several headings that mean a column, the one that the crosswalk names first.

    Raises
    ------
    DataError
        One heading is there twice, the headings are of several terms or years, or
        something that every file needs is not there.
    """
    found: dict[str, dict[str, list[str]]] = {}
    marks: dict[str, set[str]] = {}
    for heading in headings:
        option, said = crosswalk.split(heading)
        column, _ = crosswalk.place(heading)
        if column is None:
            continue
        found.setdefault(column, {}).setdefault(option, []).append(heading)
        for mark, value in said.items():
            marks.setdefault(mark, set()).add(value.upper())
    read = {column: _first_option(crosswalk, column, own) for column, own in found.items()}
    problems = [
        Problem(
            f"{file}, column `{options[0]}`",
            f"{len(options)} columns mean `{column}` ({', '.join(options)})",
            "Keep one of them, or name it in [data.columns].",
        )
        for column, options in read.items()
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
    single = {mark: next(iter(values)) for mark, values in marks.items()}
    if crosswalk.file_year and "year" not in single:
        named = re.search(crosswalk.file_year, file)
        if named is not None:
            single["year"] = named["year"]
    problems += _lacking(crosswalk, {*found, *single}, headings, file)
    if problems:
        raise DataError(problems)
    passed_over = (
        (heading, read[column][0])
        for column, own in found.items()
        for options in own.values()
        for heading in options
        if heading != read[column][0]
    )
    return Matched(
        tuple((column, options[0]) for column, options in read.items()), single, tuple(passed_over)
    )


def _first_option(crosswalk: Crosswalk, column: str, own: Mapping[str, list[str]]) -> list[str]:
    return next(own[o.lower()] for o in crosswalk.columns[column] if o.lower() in own)


def _lacking(
    crosswalk: Crosswalk, held: set[str], headings: Sequence[str], file: str
) -> list[Problem]:
    """Name what every file needs and this one has not; an unknown ending explains the rest."""
    lacking = [options for options in crosswalk.needed if not held & set(options)]
    endings = dict.fromkeys(filter(None, map(crosswalk.strange_ending, headings)))
    if lacking and endings:
        return [
            Fault(
                file,
                f"its headings end in {', '.join(endings)}, which names no term or year "
                "that is known here",
                f"Name the columns as the extract does ({crosswalk.example}).",
                file,
                rule="unknown_suffix",
            )
        ]
    return [
        Fault(
            file,
            f"it has no `{'` or `'.join(options)}` (headings known here: "
            f"{_known_headings(crosswalk, options)})",
            "Add it, or name its heading in [data.columns].",
            file,
            options[0],
            "no_column",
        )
        for options in lacking
    ]


def _known_headings(crosswalk: Crosswalk, options: Sequence[str]) -> str:
    known = [heading for option in options for heading in crosswalk.columns.get(option, ())]
    if crosswalk.example and {"year", "term"} & set(options):
        known.append(f"endings as in {crosswalk.example}")
    return ", ".join(known) or "none"


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
        return as_text(column, schema[column]).str.strip_chars().str.to_uppercase()

    counts = engine.counts(frame, {c: plain(c).is_in(list(codes)) for c, codes in here.items()})
    columns = []
    for column, codes in here.items():
        value = as_text(column, schema[column])
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
