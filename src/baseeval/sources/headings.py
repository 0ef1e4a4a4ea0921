"""A file's headings matched to the columns of a contract, by a crosswalk."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw

from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Fault, Problem
from baseeval.sources.crosswalk import Crosswalk


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
    small = {heading.lower(): heading for heading in headings}
    kept = [
        (name, small[heading.lower()])
        for name, heading in crosswalk.kept.items()
        if heading.lower() in small
    ]
    return Matched(
        (*((column, options[0]) for column, options in read.items()), *kept),
        single,
        tuple(passed_over),
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


def renamed(frame: Frame, matched: Matched) -> Frame:
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
