"""Places in a base from the pupils' own file, or a list of pupils: a table of placements made."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import NO
from baseeval.contracts.placements import CONTRACT
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, yes
from baseeval.errors import Fault
from baseeval.plan import BaseSection
from baseeval.sources.base_list import with_schools
from baseeval.sources.cell_text import without_margins
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.mis import strangers
from baseeval.sources.rows import count_fault

#: Begins the names under which the pupils' file keeps the columns of [data.base].
_BASE = "base:"

#: What a cell says where no word for a base place is named, and there is none.
_NONE = (*NO, "none", "no base", "not in base", "mainstream", "n/a", "not applicable", "-")

#: The contract's rule whose count this module words itself, with the user's own heading.
_UNDATED = "placed_without_start"

_SPELL = ("pupil_id", "urn", "base_id", "base_type", "start")


def base_headings(section: BaseSection | None) -> dict[str, str]:
    """Name the columns of the pupils' file that [data.base] reads.

    Parameters
    ----------
    section : BaseSection, optional

    Returns
    -------
    dict of str to str
        Another name -> heading.
    """
    named = {} if section is None else section.headings()
    return {_BASE + what: heading for what, heading in named.items()}


def base_days(section: BaseSection | None) -> dict[str, str]:
    """Name those of the columns that [data.base] reads which hold days.

    Parameters
    ----------
    section : BaseSection, optional

    Returns
    -------
    dict of str to str
        As `base_headings`.
    """
    days = (f"{_BASE}start", f"{_BASE}end")
    return {name: heading for name, heading in base_headings(section).items() if name in days}


def places_by_column(pupils: Frame, section: BaseSection, engine: Engine, file: str) -> Contracted:
    """Make the table of placements from a column of the pupils' file.

    Parameters
    ----------
    pupils : narwhals LazyFrame
        Under the names of the contract ``pupils``, with ``pupil_id`` and ``urn``, and
        of `base_headings`; not yet typed.
    section : BaseSection
        With a `column`.
    engine : Engine
    file : str
        The pupils' file, as messages name it.

    Returns
    -------
    Contracted
        One row a place: where the file holds a pupil several times, places at one
        school that began on one day are one.
    """
    held = [name for name in pupils.collect_schema().names() if name.startswith(_BASE)]
    clean = without_margins(pupils, held)
    cell = nw.col(f"{_BASE}column").str.to_lowercase()
    words = list(dict.fromkeys(word.strip().lower() for word in section.is_))
    some = ~cell.is_null() & ~cell.is_in(list(_NONE))
    no = [*_NONE, *(word.strip().lower() for word in section.is_not)]
    there = cell.is_in(words) if words else some & ~cell.is_in(no)
    faults = _words_not_there(clean, cell, section, engine, file)
    if words:
        faults += _words_unsaid(clean, some & ~cell.is_in([*words, *no]), section, engine, file)
    said = [name for name in held if name != f"{_BASE}column"]
    made = clean.filter(there).select(
        "pupil_id",
        "urn",
        *(nw.col(name).alias(name.removeprefix(_BASE)) for name in said),
        nw.lit("placed").alias("decision"),
    )
    heading = section.start or "start"
    return _read(engine.keep(made), engine, file, heading, faults)


def places_by_list(listed: Frame, pupils: Frame, engine: Engine, file: str) -> Contracted:
    """Make the table of placements from a list of pupils.

    Parameters
    ----------
    listed : narwhals LazyFrame
        ``pupil_id, start, end``, as text.
    pupils : narwhals LazyFrame
        The table ``pupils``, typed.
    engine : Engine
    file : str
        The list, as messages name it.

    Returns
    -------
    Contracted
        Pupils whom the pupils' file does not know are counted and left out.
    """
    named = listed.with_columns(nw.lit("placed").alias("decision"))
    read = read_contract(named, CONTRACT, engine, file, frozenset({"urn"}))
    faults = [f for f in read.faults if f.rule != _UNDATED]
    unknown = strangers(read.frame, pupils, engine, file)
    at_school = with_schools(read.frame, pupils).filter(~nw.col("urn").is_null())
    places = engine.keep(at_school)
    undated = _undated(places, engine, file, "start")
    return Contracted(places, (*faults, *unknown, *undated), read.coded)


def _read(made: Frame, engine: Engine, file: str, heading: str, faults: list[Fault]) -> Contracted:
    """Type the places, join those that are one, and ask for first days that are not there."""
    read = read_contract(made, CONTRACT, engine, file)
    held = read.frame.collect_schema().names()
    told = [f for f in read.faults if f.rule != _UNDATED]
    places = engine.keep(_joined(read.frame, held))
    if not engine.collect(places.select(COUNT.alias("n")), []).column("n")[0].as_py():
        faults.append(
            Fault(
                f"{file}, [data.base]",
                "no pupil has a place in a base",
                "Check `column` and `is`: they say which of the file's words mean a place.",
                file,
                "",
                "no_places",
            )
        )
    return Contracted(
        places, (*faults, *told, *_undated(places, engine, file, heading)), read.coded
    )


def _joined(rows: Frame, held: list[str]) -> Frame:
    """Keep one row a place: with its first day if any row says it, and its last."""
    key = [name for name in _SPELL if name in held]
    rest = [name for name in held if name not in key]
    whole = rows.group_by(*key).agg(*(nw.col(name).max() for name in rest))
    dated = whole.filter(~nw.col("start").is_null()).select("pupil_id", "urn").unique()
    blank = whole.filter(nw.col("start").is_null()).join(dated, on=["pupil_id", "urn"], how="anti")
    names = whole.collect_schema().names()
    return nw.concat(
        [whole.filter(~nw.col("start").is_null()), blank.select(*names)], how="vertical"
    )


def _undated(places: Frame, engine: Engine, file: str, heading: str) -> list[Fault]:
    """Ask for first days that are not there; where none is, nobody is in a base by any day."""
    by_pupil = places.group_by("pupil_id").agg(
        yes(nw.col("start").is_null()).max().alias("blank"),
        yes(~nw.col("start").is_null()).max().alias("dated"),
    )
    counts = engine.counts(by_pupil, {n: nw.col(n) == 1 for n in ("blank", "dated")})
    return count_fault(
        file,
        heading,
        _UNDATED,
        counts["blank"],
        "a place in a base and no first day that can be read",
        f"Fill in `{heading}`: nothing else tells it, and it is never made up. Until then such "
        "pupils are in no arm.",
        unit="pupil",
        stops=not counts["dated"],
    )


def _words_unsaid(
    pupils: Frame, unsaid: nw.Expr, section: BaseSection, engine: Engine, file: str
) -> list[Fault]:
    """Refuse words of which nothing says whether they mean a place: half a base may hide there."""
    return count_fault(
        file,
        section.column or "",
        "word_unsaid",
        engine.counts(pupils, {"unsaid": unsaid})["unsaid"],
        "something that is neither in `is` of [data.base] nor a word for no",
        "Add the words that mean a place in a base to `is`, and those that do not to `is_not`.",
        verb="hold",
        stops=True,
    )


def _words_not_there(
    pupils: Frame, cell: nw.Expr, section: BaseSection, engine: Engine, file: str
) -> list[Fault]:
    """Name the words for a base place that no row holds: a slip, or a base without pupils."""
    words = {word: cell == word.strip().lower() for word in section.is_}
    counts = engine.counts(pupils, words)
    return [
        Fault(
            f"{file}, column `{section.column}`",
            f"no row holds `{word}`, which `is` in [data.base] names",
            "Check how the file writes it; nobody has a place by this word.",
            file,
            section.column or "",
            "word_not_there",
            0,
            False,
        )
        for word in words
        if not counts[word]
    ]
